"""The interface of a connector: what a provider's requests are called, and how it authenticates.

A connector is built once per gateway and then only reads requests. It is handed canonical values of
this library, never a framework's request, and does no I/O. Whatever it raises is a refusal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tameflare_core.action import Access, Action, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.matching import BaseUrl, Origin
from tameflare_core.injection.placement import Placement
from tameflare_core.parsers.route_table import Route
from tameflare_core.request import OutboundRequest

__all__ = ["Connector", "ConnectorSettings", "opaque_action", "unmapped_action"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """What a gateway's configuration says about one connector.

    Attributes:
        id: its name within the gateway.
        base_url: where the service lives, if not at the provider's own address.
        hosts: host names, `*.` for a subdomain of any depth.
        actions: names for paths of the service's own.
        options: keys that only this type knows; checked against `Connector.options`.
    """

    id: str
    base_url: BaseUrl | None = None
    hosts: tuple[str, ...] = ()
    actions: tuple[Route, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)


class Connector(ABC):
    """One provider, bound to where it lives for one gateway.

    Class attributes:
        type: the name in `connectors: [{type: …}]`.
        provider: the first segment of its action names.
        placement: where its credential goes unless the configuration says otherwise.
        options: configuration keys that it takes beyond those of every connector.
        tolerates: ambiguities of a path that its service reads in one known way; an instance may
            have its own.
        case_insensitive: resource fields that its service compares without regard to case; their
            values are lower-cased here, and so are the constraints of permissions.

    Raises:
        ValueError: (when built) the settings make no sense; the message becomes a load error.
    """

    type: ClassVar[str]
    provider: ClassVar[str]
    placement: ClassVar[Placement]
    options: ClassVar[frozenset[str]] = frozenset()
    tolerates: frozenset[Ambiguity] = frozenset()
    case_insensitive: ClassVar[frozenset[str]] = frozenset()

    origins: tuple[Origin, ...]
    """Where the service lives, set when built; the connector owns these and nothing else."""

    def __init__(self, settings: ConnectorSettings) -> None:
        self.settings = settings

    @property
    def known_actions(self) -> frozenset[str] | None:
        """Every name that it gives, so that a mistyped rule is found; None when names are open."""
        return None

    @property
    def resource_fields(self) -> frozenset[str] | None:
        """Every resource field that it fills in, for the same reason; None when they are open."""
        return None

    @classmethod
    def catalogue(cls) -> Sequence[Route]:
        """The operations that it names, as rows; empty when it has no catalogue."""
        return ()

    def needs_body(self, request: OutboundRequest) -> bool:
        """Whether the body must be read to name the action. Called with an unread body."""
        return False

    @abstractmethod
    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        """Name everything that the request would do; at least one action.

        Raises:
            OpaqueBody: the body decides and cannot be read; the opaque action is judged instead.
            RequestRejected: the request can be read in two ways.
        """


def unmapped_action(
    provider: str,
    request: OutboundRequest,
    *,
    safe_reads: bool,
    resource: Mapping[str, str] | None = None,
) -> Action:
    """The action of a request that no row covers.

    Args:
        provider: the first segment of its name.
        request: the request.
        safe_reads: whether GET and HEAD never change anything at this provider.
        resource: what can be said all the same about what it acts on.
    """
    reads = safe_reads and request.operation == "GET"
    return Action(
        name=f"{provider}.unmapped.{request.operation.lower()}",
        access=Access.READ if reads else Access.WRITE,
        risk=Risk.HIGH,
        resource=resource or {},
        resource_complete=False,
    )


def opaque_action(provider: str, request: OutboundRequest) -> Action:
    """The action of a request whose body decides what it does and cannot be read."""
    return Action(
        name=f"{provider}.opaque.{request.operation.lower()}",
        access=Access.WRITE,
        risk=Risk.CRITICAL,
        resource_complete=False,
    )
