"""The interface of a connector: what a provider's requests are called, and how it authenticates.

A connector is built once per gateway and then only reads requests. It is handed canonical values of
this library, never a framework's request, and does no I/O. Whatever it raises is a refusal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tameflare_core.action import Access, Action, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.matching import BaseUrl, Origin
from tameflare_core.decision import Refusal
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
        folder: where relative file names start.
    """

    id: str
    base_url: BaseUrl | None = None
    hosts: tuple[str, ...] = ()
    actions: tuple[Route, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    folder: Path = field(default_factory=Path)


class Connector(ABC):
    """One provider, bound to where it lives for one gateway.

    Class attributes:
        type: the name in `connectors: [{type: …}]`.
        provider: the first segment of its action names.
        placement: where its credential goes unless the configuration says otherwise.
        options: configuration keys that it takes beyond those of every connector.
        probe: a harmless request that needs the credential, like `GET /rate_limit`, its path below
            the `base_url`; None when there is none.
        probe_headers: header fields that it needs beside the credential.
        takes_credential: whether its service wants one; False makes `credential` and `auth` errors.
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
    probe: ClassVar[str | None] = None
    probe_headers: ClassVar[tuple[tuple[str, str], ...]] = ()
    takes_credential: ClassVar[bool] = True
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

    @property
    def param_fields(self) -> frozenset[str] | None:
        """Every param that it can tell, so that a rule about another one is found out.

        These are the first names of `params.*`; None when they are open. A connector that never
        looks at some parameter must not name it here: to a rule, a param that is absent from an
        action with `params_complete` is one that the request does not have.
        """
        return None

    @classmethod
    def catalogue(cls) -> Sequence[Route]:
        """The operations that it names, as rows; empty when it has no catalogue."""
        return ()

    @property
    def operations(self) -> Sequence[Route]:
        """The rows that this connector names requests by: the catalogue's, and its own."""
        return self.catalogue()

    def needs_body(self, request: OutboundRequest) -> bool:
        """Whether the body must be read to name the action. Called with an unread body."""
        return False

    def takes_method_from_body(self, request: OutboundRequest) -> bool:
        """Whether the service may run another method because a form field `_method` says so.

        True unless the provider is known not to: a POST that may be a form and is too large to be
        read is then judged under every method.
        """
        return True

    def placement_for(self, request: OutboundRequest, configured: Placement) -> Placement | None:
        """Where the credential goes in this request.

        Args:
            request: what is about to be forwarded.
            configured: the slot that the configuration names, or `placement`.

        Returns:
            The slot; None when no credential goes to this place.
        """
        return configured

    def constraint(self, field: str, value: str) -> str:
        """A permission's value for a resource field, in the spelling that actions have it in."""
        return value.lower() if field in self.case_insensitive else value

    def reworded(self, request: OutboundRequest, refusal: Refusal) -> Refusal:
        """`refusal` as the clients of this service understand it, which is as it is by default.

        Args:
            request: what was judged and refused, with its body if that was read.
            refusal: problem details, with a verdict.
        """
        return refusal

    def shown_path(self, request: OutboundRequest) -> str:
        """The path as records, approvals and explanations show it: `…` for a secret that is in it.

        A query that is to be shown in another form than it was sent in may stand behind it.

        Args:
            request: any request to one of `origins`, one that `parse` rejects too.
        """
        return request.path

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
        params_complete=False,
    )


def opaque_action(provider: str, request: OutboundRequest) -> Action:
    """The action of a request whose body decides what it does and cannot be read."""
    return Action(
        name=f"{provider}.opaque.{request.operation.lower()}",
        access=Access.WRITE,
        risk=Risk.CRITICAL,
        resource_complete=False,
        params_complete=False,
    )
