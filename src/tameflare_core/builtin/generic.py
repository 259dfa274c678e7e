"""Generic HTTP: any service by its hosts, with names for the paths that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.catalogue import folded_path
from tameflare_core.connectors.matching import Origin
from tameflare_core.errors import RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.members import with_members
from tameflare_core.parsers.openapi import read_openapi
from tameflare_core.parsers.route_table import Match, Route, RouteTable
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
    `http.get`) unless one of the connector's own `actions` names it, or else an operation of the
    OpenAPI document that the option `openapi` names. Services differ in whether they mind a slash
    at the end of a path, so an action covers its path with and without one; a path that differs
    from a named one in case or decoration only is refused. The option `encoded_slashes: true` says
    that the service takes `%2F` for a part of a segment.
    """

    type = "generic"
    provider = "http"
    placement = Header()
    options = frozenset({"encoded_slashes", "openapi"})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        origins = [Origin.parse(host) for host in settings.hosts]
        if settings.base_url is not None:
            origins.append(settings.base_url.origin)
        if not origins:
            raise ValueError("a generic connector needs `hosts` or a `base_url`")
        self.origins = tuple(origins)
        documented = _documented(settings)
        self._routes = (*settings.actions, *documented)
        # In this order: what the configuration names itself goes before its document.
        sources = (settings.actions, documented)
        self._tables = tuple(RouteTable(routes) for routes in sources)
        self._folded = tuple(RouteTable(map(_lowered, routes)) for routes in sources)
        self.tolerates = frozenset({Ambiguity.TRAILING_SLASH})
        encoded_slashes = settings.options.get("encoded_slashes", False)
        if type(encoded_slashes) is not bool:
            raise ValueError("`encoded_slashes` is true or false")
        if encoded_slashes:
            self.tolerates |= {Ambiguity.ENCODED_SLASH}

    @property
    def known_actions(self) -> frozenset[str]:
        by_method = {f"http.{method.lower()}" for method in _BY_METHOD}
        return frozenset(by_method | {route.action for route in self._routes})

    @property
    def resource_fields(self) -> frozenset[str]:
        named = {name for route in self._routes for name in route.parameters}
        return frozenset({"host", "path"}) | named

    @property
    def operations(self) -> Sequence[Route]:
        return self._routes

    def constraint(self, field: str, value: str) -> str:
        # A service that does not mind a slash at the end must not get a request past a rule by it.
        if field == "path" and value != "/":
            value = value.removesuffix("/")
        return super().constraint(field, value)

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        match = self._match(request)
        action = self._by_method(request) if match is None else _named(match)
        return (with_members(action, request, takes_forms=True),)

    def _by_method(self, request: OutboundRequest) -> Action:
        access, risk, categories = _BY_METHOD[request.operation]
        return Action(
            name=f"http.{request.operation.lower()}",
            access=access,
            risk=risk,
            categories=categories,
            resource={
                "host": request.host,
                "path": self.constraint("path", _readable(request.path)),
            },
        )

    def _match(self, request: OutboundRequest) -> Match | None:
        path = self._below(request.path)
        found = _first(self._tables, request.method, path)
        # What stands in a row's own template is as the service spells it.
        folded = self._below(folded_path(request.path)) if found is None else _folded(found)
        if found is None or folded != path:
            # A service that does not mind would run the operation under a name that no rule knows.
            other = _first(self._folded, request.method, folded)
            if other is not None and (found is None or other.route.action != found.route.action):
                raise RequestRejected("path differs from a named one in case or decoration only")
        return found

    def _below(self, path: str) -> str | None:
        base = self.settings.base_url
        below = path if base is None else base.relative(path)
        return None if below is None else below.removesuffix("/") or "/"


def _first(tables: Sequence[RouteTable], method: str, path: str | None) -> Match | None:
    if path is None:
        return None
    found = (table.match(method, path) for table in tables)
    return next((match for match in found if match is not None), None)


def _lowered(route: Route) -> Route:
    return replace(route, path=route.path.lower())


def _folded(match: Match) -> str:
    """The path of a match, with the values of its parameters folded."""
    path = match.route.path.lower()
    for name, value in match.params.items():
        path = path.replace("{" + name.lower() + "}", folded_path(value).removesuffix("/"))
    return path.rstrip("/") or "/"


def _documented(settings: ConnectorSettings) -> Sequence[Route]:
    file = settings.options.get("openapi")
    if file is None:
        return ()
    if not isinstance(file, str) or not file:
        raise ValueError("`openapi` is the name of a file")
    try:
        return read_openapi(
            settings.folder / file,
            provider=settings.id,
            prefix="" if settings.base_url is None else settings.base_url.prefix,
            defaults=_BY_METHOD,
        )
    except ValueError as error:
        raise ValueError(f"`openapi`: {error}") from None


def _readable(path: str) -> str:
    # Services read `%21` and `!` alike, so rules about paths must too; `%2F` is no slash.
    return "%2F".join(map(unquote, path.split("%2F")))


def _named(match: Match) -> Action:
    route = match.route
    return Action(
        name=route.action,
        access=route.access,
        risk=route.risk,
        categories=route.categories,
        resource={name: unquote(value) for name, value in match.params.items()},
    )


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Generic]
