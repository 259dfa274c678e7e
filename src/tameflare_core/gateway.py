"""A gateway as the decision point sees it: connectors bound to origins, permissions, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tameflare_core.connectors.base import Connector
from tameflare_core.connectors.matching import Origin
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.host_categories import HostCategories
from tameflare_core.injection.placement import Placement
from tameflare_core.patterns import ActionPattern
from tameflare_core.permission import Permission
from tameflare_core.policy.rules import PolicyRule
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

    @property
    def providers(self) -> frozenset[str]:
        """What the names of its actions start with."""
        named = {route.action.split(".", 1)[0] for route in self.connector.settings.actions}
        return frozenset({self.connector.provider, *named})

    def check_reachable(self, pattern: ActionPattern) -> None:
        """Check that a rule about `pattern` can match; one that never does is no wall but a hole.

        Raises:
            ValueError: no action of this connector is covered by it.
        """
        connector = self.connector
        if pattern.segments[0] not in {"*", *self.providers}:
            expected = " or ".join(f"`{provider}.`" for provider in sorted(self.providers))
            raise ValueError(
                f"`{pattern.text}` matches nothing: this connector's actions start with {expected}"
            )
        guarded = len(pattern.segments) > 1 and pattern.segments[1] in {"unmapped", "opaque"}
        if connector.known_actions is None or len(pattern.segments) < 2 or guarded:
            return
        named = {route.action for route in connector.settings.actions}
        names = named | connector.known_actions
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
        policies: the rules of every policy.
        blocked_categories: categories of actions and of hosts that are denied whatever the
            permissions say, with the place of each in the configuration.
        host_categories: says which categories a host is in.
        approval_timeout: seconds that a request is held at most.
        folder: where relative credential names start.
        revision: which configuration this is.
    """

    name: str
    environment: str
    enforcement: EnforcementLevel
    connectors: tuple[BoundConnector, ...]
    permissions: tuple[Permission, ...]
    policies: tuple[PolicyRule, ...]
    blocked_categories: Mapping[str, str]
    host_categories: HostCategories
    approval_timeout: float
    folder: Path
    revision: str
