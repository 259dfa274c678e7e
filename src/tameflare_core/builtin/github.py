"""GitHub: every published REST operation, on github.com and on GitHub Enterprise Server.

Source of the operations: GitHub's OpenAPI description, as names in `catalogs/github.tsv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import unquote

from tameflare_core.action import Action, Risk
from tameflare_core.canonical import Ambiguity
from tameflare_core.connectors.base import (
    Connector,
    ConnectorSettings,
    unmapped_action,
)
from tameflare_core.connectors.matching import Origin
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header
from tameflare_core.parsers.route_table import Match, Route, RouteTable, read_catalogue
from tameflare_core.parsers.strict_json import Json, parse_json
from tameflare_core.request import OutboundRequest

__all__ = ["GitHub", "register_connectors"]

# These may hold slashes of their own: raw at the end of a path, percent-encoded anywhere.
_TAIL_PARAMS = frozenset({"path", "ref", "basehead", "dir"})
_SLASH_PARAMS = _TAIL_PARAMS | {"branch", "tag", "name", "environment_name", "assignee"}

# Names that the vocabulary of rules uses for GitHub's own.
_RESOURCE_NAMES = {"pull_number": "number", "issue_number": "number"}

_UPDATES = {
    "github.pr.update": ("github.pr.close", Risk.MEDIUM),
    "github.issue.update": ("github.issue.close", Risk.MEDIUM),
}


class GitHub(Connector):
    """GitHub's REST API.

    On github.com it owns `api.github.com` and `uploads.github.com`; with a `base_url` of
    `https://HOST/api/v3` it owns HOST, where uploads live below `/api/uploads`.
    """

    type = "github"
    provider = "github"
    placement = Header()
    placeholder_variables = ("GITHUB_TOKEN", "GH_TOKEN")
    tolerates = frozenset({Ambiguity.ENCODED_SLASH})
    case_insensitive = frozenset({"owner", "repo", "org", "username", "enterprise", "team_slug"})

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        base = settings.base_url
        if settings.hosts:
            raise ValueError("`hosts` is not for github: name a server by its `base_url`")
        if base is None:
            self.origins = (
                Origin("https", "api.github.com", 443),
                Origin("https", "uploads.github.com", 443),
            )
            self._prefixes: tuple[str, ...] = ("",)
            self._graphql = "/graphql"
        else:
            if not base.prefix.endswith("/api/v3"):
                raise ValueError("`base_url` of GitHub Enterprise ends in `/api/v3`")
            api = base.prefix.removesuffix("/v3")
            self.origins = (base.origin,)
            self._prefixes = (base.prefix, f"{api}/uploads")
            self._graphql = f"{api}/graphql"

    @property
    def known_actions(self) -> frozenset[str]:
        refined = {name for name, _ in _UPDATES.values()} | {"github.file.create"}
        return frozenset(refined | {route.action for route in _catalogue()})

    def needs_body(self, request: OutboundRequest) -> bool:
        match = self._match(request)
        if match is None:
            return False
        return match.route.action in _UPDATES or match.route.action == "github.file.update"

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        if request.path == self._graphql:
            # A GraphQL document can do anything that the REST operations can.
            raise OpaqueBody("GraphQL requests are not read")
        match = self._match(request)
        if match is None:
            if self._differs_in_case(request):
                raise RequestRejected("path differs from a known operation in case only")
            return (unmapped_action(self.provider, request, safe_reads=True),)
        if Ambiguity.ENCODED_SLASH in request.ambiguities:
            _check_encoded_slashes(match)
        return self._name(match, request)

    def _name(self, match: Match, request: OutboundRequest) -> tuple[Action, ...]:
        route = match.route
        named = _action(match, route.action, route.risk)
        if route.action in _UPDATES:
            body = _object(request)
            state = body.get("state")
            if state in (None, "open"):
                return (named,)
            closing = _action(match, *_UPDATES[route.action])
            # Retitling while closing is an update as well.
            return (closing,) if set(body) <= {"state", "state_reason"} else (closing, named)
        if route.action == "github.file.update" and _object(request).get("sha") in (None, ""):
            return (_action(match, "github.file.create", route.risk),)
        return (named,)

    def _match(self, request: OutboundRequest) -> Match | None:
        for prefix in self._prefixes:
            if request.path.startswith(prefix + "/"):
                return _routes().match(request.method, request.path[len(prefix) :])
        return None

    def _differs_in_case(self, request: OutboundRequest) -> bool:
        # Whether GitHub's router folds case is not documented; if it does, a capital letter would
        # turn a denied operation into an unmapped one.
        path = request.path.lower()
        return any(
            path.startswith(prefix + "/")
            and _routes().match(request.method, path[len(prefix) :]) is not None
            for prefix in self._prefixes
        )


@cache
def _catalogue() -> list[Route]:
    return read_catalogue(files(__package__).joinpath("catalogs/github.tsv").read_text("utf-8"))


@cache
def _routes() -> RouteTable:
    return RouteTable(_catalogue(), tail_params=_TAIL_PARAMS)


def _action(match: Match, name: str, risk: Risk) -> Action:
    return Action(
        name=name,
        access=match.route.access,
        risk=risk,
        categories=match.route.categories,
        resource=_resource(match.params),
    )


def _resource(params: Mapping[str, str]) -> dict[str, str]:
    resource: dict[str, str] = {}
    for key, value in params.items():
        text = unquote(value, errors="strict") if "%" in value else value
        folded = text.lower() if key in GitHub.case_insensitive else text
        resource[_RESOURCE_NAMES.get(key, key)] = folded
    return resource


def _object(request: OutboundRequest) -> dict[str, Json]:
    data = request.decoded_body()
    document = parse_json(data) if data else {}
    if not isinstance(document, dict):
        raise OpaqueBody("body is not a JSON object")
    if any(key != key.lower() and key.lower() in {"state", "sha"} for key in document):
        raise OpaqueBody("body has a key that differs from a known one in case only")
    return document


def _check_encoded_slashes(match: Match) -> None:
    for key, value in match.params.items():
        if "%2F" in value and key not in _SLASH_PARAMS:
            raise RequestRejected(f"encoded slash in `{key}`")


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [GitHub]
