"""Generic HTTP: any service by its hosts, with names for the paths that matter."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.matching import Origin
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.route_table import Route, RouteTable
from tameflare_core.request import OutboundRequest

__all__ = ["Generic", "register_connectors"]

_BY_METHOD: dict[str, tuple[Access, Risk, frozenset[Category]]] = {
    "GET": (Access.READ, Risk.LOW, frozenset()),
    "OPTIONS": (Access.READ, Risk.LOW, frozenset()),
    "TRACE": (Access.READ, Risk.MEDIUM, frozenset()),
    "POST": (Access.WRITE, Risk.MEDIUM, frozenset()),
    "PUT": (Access.WRITE, Risk.MEDIUM, frozenset()),
    "PATCH": (Access.WRITE, Risk.MEDIUM, frozenset()),
    "DELETE": (Access.WRITE, Risk.HIGH, frozenset({Category.DESTRUCTIVE})),
}


class Generic(Connector):
    """Any HTTP service.

    It owns its `hosts` and the host of its `base_url`. A request is `http.<method>` (HEAD is
    `http.get`) unless one of the connector's own `actions` names it. Services differ in whether
    they mind a slash at the end of a path, so an action covers its path with and without one. The
    option `encoded_slashes: true` says that the service takes `%2F` for a part of a segment.
    """

    type = "generic"
    provider = "http"
    placement = Header()
    options = frozenset({"encoded_slashes"})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        origins = [Origin.parse(host) for host in settings.hosts]
        if settings.base_url is not None:
            origins.append(settings.base_url.origin)
        if not origins:
            raise ValueError("a generic connector needs `hosts` or a `base_url`")
        self.origins = tuple(origins)
        self._routes = RouteTable(settings.actions)
        self.tolerates = frozenset({Ambiguity.TRAILING_SLASH})
        encoded_slashes = settings.options.get("encoded_slashes", False)
        if type(encoded_slashes) is not bool:
            raise ValueError("`encoded_slashes` is true or false")
        if encoded_slashes:
            self.tolerates |= {Ambiguity.ENCODED_SLASH}

    @property
    def known_actions(self) -> frozenset[str]:
        return frozenset(f"http.{method.lower()}" for method in _BY_METHOD)

    @property
    def resource_fields(self) -> frozenset[str]:
        named = {name for route in self.settings.actions for name in route.parameters}
        return frozenset({"host", "path"}) | named

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        base = self.settings.base_url
        path = request.path if base is None else base.relative(request.path)
        match = None
        if path is not None:
            match = self._routes.match(request.method, path.removesuffix("/") or "/")
        if match is not None:
            params = {name: unquote(value) for name, value in match.params.items()}
            return (_named(match.route, params),)
        access, risk, categories = _BY_METHOD[request.operation]
        return (
            Action(
                name=f"http.{request.operation.lower()}",
                access=access,
                risk=risk,
                categories=categories,
                resource={"host": request.host, "path": _readable(request.path)},
            ),
        )


def _readable(path: str) -> str:
    # Services read `%21` and `!` alike, so rules about paths must too; `%2F` is no slash.
    return "%2F".join(map(unquote, path.split("%2F")))


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
