"""GitHub: every published REST operation, on github.com and on GitHub Enterprise Server.

Source of the operations: GitHub's OpenAPI description, as names in `catalogs/github.tsv`, and three
rows that it no longer has but clients send: `git/refs`, `git/refs/{ref}`, the root of `contents`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import unquote

from tameflare_core.action import Action, Category, Risk
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
from tameflare_core.parsers.route_table import Route, RouteTable, read_catalogue
from tameflare_core.parsers.strict_json import Json, parse_json
from tameflare_core.request import OutboundRequest

__all__ = ["GitHub", "register_connectors"]

# These may hold slashes of their own: raw at the end of a path, percent-encoded anywhere.
_TAIL_PARAMS = frozenset({"path", "ref", "basehead", "dir"})
_SLASH_PARAMS = _TAIL_PARAMS | {
    "assignee",
    "branch",
    "commit_sha",
    "concurrency_group_name",
    "environment_name",
    "name",
    "package_name",
    "tag",
    "tree_sha",
}

# Names that the vocabulary of rules uses for GitHub's own.
_RESOURCE_NAMES = {"pull_number": "number", "issue_number": "number"}

# What the first segments of a path act on, whether or not a row covers the rest.
_SCOPES = {
    "repos": ("owner", "repo"),
    "orgs": ("org",),
    "users": ("username",),
    "enterprises": ("enterprise",),
}

# The links to further pages name repositories, organizations and users by their numbers.
_BY_NUMBER = re.compile(r"/(repositories|organizations|user)/([0-9]+)((?:/.*)?)")
_UNNAMED = "-"
_NAMED = {
    "repositories": (f"/repos/{_UNNAMED}/{_UNNAMED}", "repository_id"),
    "organizations": (f"/orgs/{_UNNAMED}", "org_id"),
    "user": (f"/users/{_UNNAMED}", "account_id"),
}

# What some routers drop or fold before they look at a path: the case of letters, `;parameters`,
# encoded spaces and delimiters with what follows them, the name of a format. (In lower case.)
_DROPPED = re.compile(r"(?:;|%20|%23|%3[bf])[^/]*|\.(?:json|xml)?$")
_FOLDABLE = re.compile(r"[A-Z;%]")


class _Reading(NamedTuple):
    """The row that covers a request, and what its path says about what it acts on."""

    route: Route
    params: Mapping[str, str]
    complete: bool


class GitHub(Connector):
    """GitHub's REST API.

    On github.com it owns `api.github.com` and `uploads.github.com`; with a `base_url` of
    `https://HOST/api/v3` it owns HOST, where uploads live below `/api/uploads`.
    """

    type = "github"
    provider = "github"
    placement = Header()
    # A slash at the end is ignored here, so that no operation gets another name by it; octokit
    # sends one for the root of `contents`.
    tolerates = frozenset({Ambiguity.ENCODED_SLASH, Ambiguity.TRAILING_SLASH})
    case_insensitive = frozenset(
        {
            "enterprise",
            "org",
            "owner",
            "repo",
            "repo_name",
            "repo_owner",
            "target_user",
            "team_slug",
            "template_owner",
            "template_repo",
            "username",
        }
    )

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        base = settings.base_url
        if settings.hosts:
            raise ValueError("`hosts` is not for github: name a server by its `base_url`")
        if settings.actions:
            raise ValueError("`actions` is not for github: every operation has its name already")
        if base is None:
            self.origins = (
                Origin("https", "api.github.com", 443),
                Origin("https", "uploads.github.com", 443),
            )
            self._prefixes: tuple[str, ...] = ("",)
            self._graphql = frozenset({"/graphql"})
        else:
            if not base.prefix.endswith("/api/v3"):
                raise ValueError("`base_url` of GitHub Enterprise ends in `/api/v3`")
            api = base.prefix.removesuffix("/v3")
            self.origins = (base.origin,)
            self._prefixes = (base.prefix, f"{api}/uploads")
            self._graphql = frozenset({f"{base.prefix}/graphql".lower(), f"{api}/graphql".lower()})

    @property
    def known_actions(self) -> frozenset[str]:
        return _known_actions()

    @property
    def resource_fields(self) -> frozenset[str]:
        return _resource_fields()

    @classmethod
    def catalogue(cls) -> Sequence[Route]:
        return _catalogue()

    def needs_body(self, request: OutboundRequest) -> bool:
        found = self._find(_routes(), request.method, request.path)
        return found is not None and found.route.action in _REFINED

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        found = self._find(_routes(), request.method, request.path)
        if found is None or _FOLDABLE.search(request.path):
            self._check_folded(found, request)
        if found is None:
            if Ambiguity.ENCODED_SLASH in request.ambiguities:
                raise RequestRejected("encoded slash in a path that is no known operation's")
            scope = self._scope(request.path)
            return (
                unmapped_action(self.provider, request, safe_reads=True, resource=_resource(scope)),
            )
        if Ambiguity.ENCODED_SLASH in request.ambiguities:
            _check_encoded_slashes(found.params)
        action = Action(
            name=found.route.action,
            access=found.route.access,
            risk=found.route.risk,
            categories=found.route.categories,
            resource=_resource(found.params),
            resource_complete=found.complete,
        )
        refine = _REFINED.get(action.name)
        return (action,) if refine is None else refine(action, _object(request))

    def _below_prefix(self, path: str) -> str | None:
        path = path.removesuffix("/")
        for prefix in self._prefixes:
            if path == prefix or path.startswith(f"{prefix}/"):
                return path[len(prefix) :] or "/"
        return None

    def _find(self, routes: RouteTable, method: str, path: str) -> _Reading | None:
        below = self._below_prefix(path)
        if below is None:
            return None
        match = routes.match(method, below)
        if match is not None:
            return _Reading(match.route, match.params, complete=True)
        by_number = _BY_NUMBER.fullmatch(below)
        if by_number is None:
            return None
        kind, number, rest = by_number.groups()
        start, key = _NAMED[kind]
        match = routes.match(method, start + rest)
        if match is None:
            return None
        known = {name: value for name, value in match.params.items() if value != _UNNAMED}
        return _Reading(match.route, known | {key: number}, complete=False)

    def _check_folded(self, found: _Reading | None, request: OutboundRequest) -> None:
        folded = _DROPPED.sub("", request.path.lower())
        if folded.rstrip("/") in self._graphql:
            # A GraphQL document can do anything that the REST operations can.
            raise OpaqueBody("GraphQL requests are not read")
        # How GitHub's router folds paths is not documented. If it does, a capital letter would turn
        # a denied operation into one that no rule knows.
        other = self._find(_folded_routes(), request.method, folded)
        if other is not None and (found is None or other.route.action != found.route.action):
            raise RequestRejected("path differs from a known operation in case or decoration only")

    def _scope(self, path: str) -> dict[str, str]:
        _, kind, *values = (self._below_prefix(path) or "/").split("/")
        return dict(zip(_SCOPES.get(kind, ()), values, strict=False))


@cache
def _catalogue() -> list[Route]:
    return read_catalogue(files(__package__).joinpath("catalogs/github.tsv").read_text("utf-8"))


@cache
def _routes() -> RouteTable:
    return _table(_catalogue())


@cache
def _folded_routes() -> RouteTable:
    return _table([replace(route, path=route.path.lower()) for route in _catalogue()])


def _table(routes: Sequence[Route]) -> RouteTable:
    # GitHub takes POST for PATCH, for clients that have no PATCH. Rows of POST itself come later
    # and so replace these.
    patches = [replace(route, method="POST") for route in routes if route.method == "PATCH"]
    return RouteTable([*patches, *routes], tail_params=_TAIL_PARAMS)


@cache
def _known_actions() -> frozenset[str]:
    return frozenset(route.action for route in _catalogue()) | {
        _BRANCH_FORCE_UPDATE,
        _FILE_CREATE,
        _ISSUE_CLOSE,
        _PR_CLOSE,
        _REPO_CHANGE_VISIBILITY,
    }


@cache
def _resource_fields() -> frozenset[str]:
    params = {name for route in _catalogue() for name in route.parameters}
    return frozenset({_RESOURCE_NAMES.get(name, name) for name in params}) | {
        key for _, key in _NAMED.values()
    }


def _resource(params: Mapping[str, str]) -> dict[str, str]:
    resource: dict[str, str] = {}
    for key, value in params.items():
        text = unquote(value, errors="strict") if "%" in value else value
        if key in GitHub.case_insensitive:
            if not text.isascii():
                raise RequestRejected(f"character outside ASCII in `{key}`")
            # No repository's name ends in `.git`: GitHub takes it for the one without.
            text = text.lower().removesuffix(".git")
        resource[_RESOURCE_NAMES.get(key, key)] = text
    return resource


def _object(request: OutboundRequest) -> dict[str, Json]:
    data = request.decoded_body()
    document = parse_json(data) if data else {}
    if not isinstance(document, dict):
        raise OpaqueBody("body is not a JSON object")
    if any(key not in _DECIDING_KEYS and key.casefold() in _DECIDING_KEYS for key in document):
        raise OpaqueBody("body has a key that differs from a known one in case only")
    return document


def _check_encoded_slashes(params: Mapping[str, str]) -> None:
    for key, value in params.items():
        if "%2F" in value and key not in _SLASH_PARAMS:
            raise RequestRejected(f"encoded slash in `{key}`")


type _Refinement = Callable[[Action, Mapping[str, Json]], tuple[Action, ...]]

_BRANCH_FORCE_UPDATE = "github.branch.force_update"
_FILE_CREATE = "github.file.create"
_ISSUE_CLOSE = "github.issue.close"
_PR_CLOSE = "github.pr.close"
_REPO_CHANGE_VISIBILITY = "github.repo.change_visibility"

_DECIDING_KEYS = frozenset({"force", "private", "sha", "state", "visibility"})
_WORKFLOWS = ".github/workflows/"


def _closing(name: str) -> _Refinement:
    def refine(update: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
        if body.get("state") in (None, "open"):
            return (update,)
        close = replace(update, name=name)
        # Retitling while closing is an update as well.
        return (close,) if set(body) <= {"state", "state_reason"} else (close, update)

    return refine


def _file(update: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
    written = replace(update, name=_FILE_CREATE) if body.get("sha") in (None, "") else update
    if not written.resource["path"].lower().startswith(_WORKFLOWS):
        return (written,)
    categories = written.categories | {Category.CODE_EXECUTION}
    return (replace(written, risk=Risk.HIGH, categories=categories),)


def _branch(update: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
    if body.get("force") in (None, False):
        return (update,)
    categories = update.categories | {Category.DESTRUCTIVE}
    return replace(update, name=_BRANCH_FORCE_UPDATE, categories=categories), update


def _repository(update: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
    if not body.keys() & {"private", "visibility"}:
        return (update,)
    categories = update.categories | {Category.DATA_EXPORT}
    change = replace(
        update, name=_REPO_CHANGE_VISIBILITY, risk=Risk.CRITICAL, categories=categories
    )
    return change, update


# Operations of which the body tells what they do.
_REFINED: Mapping[str, _Refinement] = {
    "github.branch.update": _branch,
    "github.file.update": _file,
    "github.issue.update": _closing(_ISSUE_CLOSE),
    "github.pr.update": _closing(_PR_CLOSE),
    "github.repo.update": _repository,
}


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [GitHub]
