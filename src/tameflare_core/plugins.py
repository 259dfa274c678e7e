"""Builds the plugin manager, and reads from it what the plugins registered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import isabstract
from itertools import chain
from types import ModuleType

import pluggy

from tameflare_core import hookspecs
from tameflare_core.action import Category
from tameflare_core.builtin import (
    anthropic,
    credentials,
    exfiltration_hosts,
    generic,
    github,
    mcp,
    openai,
    slack,
    stripe,
    webhook,
)
from tameflare_core.connectors.base import Connector
from tameflare_core.errors import PluginError
from tameflare_core.host_categories import HostClassifier
from tameflare_core.injection.placement import Placement
from tameflare_core.vault.references import CredentialSource

__all__ = ["ENTRY_POINT_GROUP", "Plugins", "load_plugins"]

ENTRY_POINT_GROUP = "tameflare"

# As in a configuration and in the names of actions.
_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]*")
_SCHEME = re.compile(r"[a-z0-9]+")
_HOST_CATEGORY = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
# Both kinds stand in one list, `blocked_categories`.
_ACTION_CATEGORIES = frozenset(Category)

_BUILTIN: tuple[ModuleType, ...] = (
    anthropic,
    credentials,
    exfiltration_hosts,
    generic,
    github,
    mcp,
    openai,
    slack,
    stripe,
    webhook,
)


@dataclass(frozen=True, slots=True)
class Plugins:
    """What all plugins registered.

    Attributes:
        connectors: connector types by the name used in a configuration.
        credential_sources: credential sources by scheme.
        host_classifiers: all of them, each of which is asked about a host.
    """

    connectors: Mapping[str, type[Connector]]
    credential_sources: Mapping[str, CredentialSource]
    host_classifiers: tuple[HostClassifier, ...]


def load_plugins(
    extra: Iterable[object] = (), *, entry_points: bool = True, builtin: bool = True
) -> Plugins:
    """Register the built-in plugins, those of installed packages, and `extra` ones.

    Args:
        extra: modules or objects with hook implementations.
        entry_points: whether installed packages' plugins are loaded.
        builtin: whether the built-in ones are.

    Raises:
        PluginError: a plugin implements an unknown hook, fails to load, returns something else than
            its hook promises, or registers a name that is taken.
    """
    manager = pluggy.PluginManager("tameflare")
    manager.add_hookspecs(hookspecs)
    try:
        for module in _BUILTIN if builtin else ():
            manager.register(module)
        if entry_points:
            manager.load_setuptools_entrypoints(ENTRY_POINT_GROUP)
        for plugin in extra:
            manager.register(plugin)
        manager.check_pending()
        connectors = list(chain.from_iterable(manager.hook.register_connectors()))
        sources = list(chain.from_iterable(manager.hook.register_credential_sources()))
        classifiers = tuple(chain.from_iterable(manager.hook.register_host_classifiers()))
    except Exception as error:
        raise PluginError(f"a plugin cannot be loaded: {error}") from error
    for connector in connectors:
        _check_connector(connector)
    for source in sources:
        _check_source(source)
    for classifier in classifiers:
        _check_classifier(classifier)
    return Plugins(
        connectors=_by_name(connectors, lambda connector: connector.type, "connector type"),
        credential_sources=_by_name(sources, lambda source: source.scheme, "credential scheme"),
        host_classifiers=classifiers,
    )


def _check_connector(connector: object) -> None:
    if not (isinstance(connector, type) and issubclass(connector, Connector)):
        raise PluginError(f"register_connectors returned `{connector!r}`, which is no Connector")
    name = connector.__qualname__
    if isabstract(connector):
        missing = ", ".join(sorted(connector.__abstractmethods__))
        raise PluginError(f"the connector `{name}` does not define {missing}")
    for attribute in ("type", "provider"):
        value = getattr(connector, attribute, None)
        if not (isinstance(value, str) and _NAME.fullmatch(value)):
            raise PluginError(f"the connector `{name}` has no `{attribute}` like `my-service`")
    if not isinstance(getattr(connector, "placement", None), Placement):
        raise PluginError(f"the connector `{name}` has no `placement`")


def _check_source(source: object) -> None:
    if not isinstance(source, CredentialSource):
        raise PluginError(
            f"register_credential_sources returned `{source!r}`, which is no CredentialSource"
        )
    scheme = getattr(source, "scheme", None)
    if not (isinstance(scheme, str) and _SCHEME.fullmatch(scheme)):
        name = type(source).__qualname__
        raise PluginError(f"the credential source `{name}` has no `scheme` like `keychain`")


def _check_classifier(classifier: object) -> None:
    if not isinstance(classifier, HostClassifier):
        raise PluginError(
            f"register_host_classifiers returned `{classifier!r}`, which is no HostClassifier"
        )
    name = type(classifier).__qualname__
    categories = getattr(classifier, "categories", None)
    if not (isinstance(categories, frozenset) and categories):
        raise PluginError(f"the host classifier `{name}` has no `categories`, a set of names")
    for category in categories:
        if not (isinstance(category, str) and _HOST_CATEGORY.fullmatch(category)):
            raise PluginError(
                f"the host classifier `{name}` has the category `{category}`, which is no name like"
                " `paste_site`"
            )
        if category in _ACTION_CATEGORIES:
            raise PluginError(
                f"the host classifier `{name}` has the category `{category}`, which is one of"
                " actions: give it another name"
            )


def _by_name[Item](items: list[Item], name: Callable[[Item], str], what: str) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for item in items:
        if found.setdefault(name(item), item) is not item:
            raise PluginError(f"two plugins register the {what} `{name(item)}`")
    return found
