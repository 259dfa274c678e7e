"""Acme's ticket API: `/tickets` and `/tickets/{ticket}` at `api.<region>.acme.example`."""

from __future__ import annotations

from collections.abc import Sequence

from tameflare_core import (
    Access,
    Action,
    Category,
    Connector,
    ConnectorSettings,
    Header,
    OpaqueBody,
    Origin,
    OutboundRequest,
    Risk,
    Route,
    RouteTable,
    parse_json,
    unmapped_action,
)

__all__ = ["Acme"]

_REGIONS = ("eu", "us")

_ROUTES = (
    Route(
        method="GET",
        path="/tickets",
        action="acme.ticket.list",
        access=Access.READ,
        risk=Risk.LOW,
    ),
    Route(
        method="POST",
        path="/tickets",
        action="acme.ticket.create",
        access=Access.WRITE,
        risk=Risk.MEDIUM,
    ),
    Route(
        method="PATCH",
        path="/tickets/{ticket}",
        action="acme.ticket.update",
        access=Access.WRITE,
        risk=Risk.MEDIUM,
    ),
    Route(
        method="DELETE",
        path="/tickets/{ticket}",
        action="acme.ticket.delete",
        access=Access.WRITE,
        risk=Risk.HIGH,
        categories=frozenset({Category.DESTRUCTIVE}),
    ),
)


class Acme(Connector):
    """Acme's ticket API.

    Its one option is `region`, `eu` (the default) or `us`: Acme keeps the tickets of each apart.
    """

    type = "acme"
    provider = "acme"
    placement = Header(name="x-acme-key", prefix="")
    options = frozenset({"region"})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        if settings.base_url is not None or settings.hosts:
            raise ValueError("Acme has no servers of its own to name: say which `region`")
        region = settings.options.get("region", "eu")
        if region not in _REGIONS:
            raise ValueError(f"`{region}` is not a region; there are: {', '.join(_REGIONS)}")
        self.origins = (Origin("https", f"api.{region}.acme.example", 443),)
        self._routes = RouteTable(_ROUTES)

    @property
    def known_actions(self) -> frozenset[str]:
        return frozenset({"acme.ticket.close", *(route.action for route in _ROUTES)})

    @property
    def resource_fields(self) -> frozenset[str]:
        return frozenset({"ticket"})

    @classmethod
    def catalogue(cls) -> Sequence[Route]:
        return _ROUTES

    def needs_body(self, request: OutboundRequest) -> bool:
        # Whether a ticket is changed or closed stands nowhere else.
        return request.method == "PATCH"

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        match = self._routes.match(request.method, request.path)
        if match is None:
            return (unmapped_action(self.provider, request, safe_reads=True),)
        route = match.route
        closes = route.action == "acme.ticket.update" and _closes(request)
        return (
            Action(
                name="acme.ticket.close" if closes else route.action,
                access=route.access,
                risk=route.risk,
                categories=route.categories,
                resource=dict(match.params),
            ),
        )


def _closes(request: OutboundRequest) -> bool:
    change = parse_json(request.decoded_body())
    if not isinstance(change, dict):
        raise OpaqueBody("a change of a ticket is a JSON object")
    return change.get("status") == "closed"
