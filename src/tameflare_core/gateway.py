"""A gateway as the decision point sees it: connectors bound to origins, permissions, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tameflare_core.action import Category
from tameflare_core.connectors.base import Connector
from tameflare_core.connectors.matching import Origin
from tameflare_core.decision import EnforcementLevel
from tameflare_core.injection.placement import Placement
from tameflare_core.permission import ActionPattern, Permission
from tameflare_core.vault.references import CredentialReference

__all__ = ["BoundConnector", "Gateway"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundConnector:
    """A connector with what the gateway's owner decided about it.

    Attributes:
        connector: reads requests into actions.
        credential: where its credential is kept; None when requests pass with what the client sent.
        placement: the slot that the credential goes into.
        allow_private_network: whether its names may resolve to private addresses.
        ca_file: further trust anchors for its upstream, PEM.
    """

    connector: Connector
    credential: CredentialReference | None
    placement: Placement
    allow_private_network: bool = False
    ca_file: Path | None = None

    @property
    def id(self) -> str:
        """Its name within the gateway."""
        return self.connector.settings.id

    @property
    def origins(self) -> tuple[Origin, ...]:
        """What it owns."""
        return self.connector.origins

    def check_reachable(self, pattern: ActionPattern) -> None:
        """Check that a rule about `pattern` can match; one that never does is no wall but a hole.

        Raises:
            ValueError: no action of this connector is covered by it.
        """
        connector = self.connector
        named = {route.action for route in connector.settings.actions}
        names = named | (connector.known_actions or set())
        providers = {connector.provider} | {name.split(".", 1)[0] for name in names}
        if pattern.segments[0] not in {"*", *providers}:
            expected = " or ".join(f"`{provider}.`" for provider in sorted(providers))
            raise ValueError(
                f"`{pattern.text}` matches nothing: this connector's actions start with {expected}"
            )
        guarded = len(pattern.segments) > 1 and pattern.segments[1] in {"unmapped", "opaque"}
        if connector.known_actions is None or len(pattern.segments) < 2 or guarded:
            return
        if pattern.text not in names and not any(map(pattern.covers, names)):
            raise ValueError(f"`{pattern.text}` matches no action of this connector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway: immutable, replaced as a whole when its configuration changes.

    Attributes:
        name: the gateway's name.
        environment: what it is for, like `production`; empty when unsaid.
        enforcement: how much of a verdict is acted on.
        connectors: in the order of the configuration.
        permissions: of all connectors.
        blocked_categories: categories whose actions are denied whatever the permissions say, with
            the place of each in the configuration.
        approval_timeout: seconds that a request is held at most.
        folder: where relative credential names start.
        revision: which configuration this is.
    """

    name: str
    environment: str
    enforcement: EnforcementLevel
    connectors: tuple[BoundConnector, ...]
    permissions: tuple[Permission, ...]
    blocked_categories: Mapping[Category, str]
    approval_timeout: float
    folder: Path
    revision: str
