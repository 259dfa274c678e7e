"""The hooks that a plugin can implement; these docstrings are their reference.

A plugin is an installable package with an entry point in the group `tameflare` that names a module.
In it, functions marked with `tameflare_core.hookimpl` implement hooks::

    from tameflare_core import Connector, hookimpl

    @hookimpl
    def register_connectors():
        return [MyConnector]

Built-in connectors, credential sources and host classifiers register through the same hooks. A
plugin runs inside the gateway with everything that the gateway may do: install only what you would
let see your keys.
"""

from __future__ import annotations

import pluggy

from tameflare_core.connectors.base import Connector
from tameflare_core.host_categories import HostClassifier
from tameflare_core.vault.references import CredentialSource

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("tameflare")
hookimpl = pluggy.HookimplMarker("tameflare")


@hookspec
def register_connectors() -> list[type[Connector]]:  # type: ignore[empty-body]
    """Return the connector types that this plugin adds.

    Called once, when a plugin manager is built. Each type's `type` becomes a value of
    `connectors: [{type: …}]` in a gateway's configuration; a type that another plugin has already
    registered is an error, so that nothing can quietly take a built-in connector's place.
    """


@hookspec
def register_credential_sources() -> list[CredentialSource]:  # type: ignore[empty-body]
    """Return the credential sources that this plugin adds.

    Called once, when a plugin manager is built. Each source's `scheme` becomes the part before the
    colon of `credential: scheme:name`; two sources of one scheme are an error.
    """


@hookspec
def register_host_classifiers() -> list[HostClassifier]:  # type: ignore[empty-body]
    """Return the host classifiers that this plugin adds.

    Called once, when a plugin manager is built. The names in each one's `categories` can be written
    in `blocked_categories`. All classifiers are asked about a host, and what they say is added up,
    so a plugin may give a name that another gives too; the name of a category of actions is an
    error. A classifier that raises, or gives a name that is not in its `categories`, makes the
    request that it was asked about refused.
    """
