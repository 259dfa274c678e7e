"""Generic HTTP: any service by its hosts, with names for the paths that matter."""

from __future__ import annotations

from collections.abc import Sequence

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import Origin
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.route_table import Route, RouteTable
from tameflare_core.request import OutboundRequest

__all__ = ["Generic", "register_connectors"]

_BY_METHOD: dict[str, tuple[Access, Risk, frozenset[Category]]] = {
    "GET": (Access.READ, Risk.LOW, frozenset()),
    "HEAD": (Access.READ, Risk.LOW, frozenset()),
    "OPTIONS": (Access.READ, Risk.LOW, frozenset()),
    "DELETE": (Access.WRITE, Risk.HIGH, frozenset({Category.DESTRUCTIVE})),
}
_OTHER = (Access.WRITE, Risk.MEDIUM, frozenset[Category]())


class Generic(Connector):
    """Any HTTP service.

    It owns its `hosts` and the host of its `base_url`. A request is `http.<method>` unless one of
    the connector's own `actions` names it.
    """

    type = "generic"
    provider = "http"
    placement = Header()

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        origins = [Origin.parse(host) for host in settings.hosts]
        if settings.base_url is not None:
            origins.append(settings.base_url.origin)
        if not origins:
            raise ValueError("a generic connector needs `hosts` or a `base_url`")
        self.origins = tuple(origins)
        self._routes = RouteTable(settings.actions)

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        base = self.settings.base_url
        path = request.path if base is None else base.relative(request.path)
        match = None if path is None else self._routes.match(request.method, path)
        if match is not None:
            return (_named(match.route, dict(match.params)),)
        access, risk, categories = _BY_METHOD.get(request.method, _OTHER)
        return (
            Action(
                name=f"http.{request.method.lower()}",
                access=access,
                risk=risk,
                categories=categories,
                resource={"host": request.host, "path": request.path},
            ),
        )


def _named(route: Route, resource: dict[str, str]) -> Action:
    return Action(
        name=route.action,
        access=route.access,
        risk=route.risk,
        categories=route.categories,
        resource=resource,
    )


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Generic]
