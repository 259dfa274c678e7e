"""GitHub: its REST API, GraphQL and git, on github.com and on GitHub Enterprise Server.

Source of REST's operations: GitHub's OpenAPI description, as names in `catalogs/github.tsv`, and
three rows that it no longer has but clients send: `git/refs`, `git/refs/{ref}`, the root of
`contents`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import ClassVar, NamedTuple

from tameflare_core.action import Action
from tameflare_core.builtin.github_bodies import FURTHER_ACTIONS, REFINEMENTS, told
from tameflare_core.builtin.github_git import (
    GIT_ACTIONS,
    GIT_BODY_ACTIONS,
    GIT_FIELDS,
    GIT_REFINEMENTS,
    SITE,
    git_placement,
    git_rows,
)
from tameflare_core.builtin.github_graphql import (
    GRAPHQL_ACTIONS,
    GRAPHQL_FIELDS,
    ROOT_FIELDS,
    graphql_actions,
    graphql_rows,
)
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.catalogue import CatalogueConnector, folded_path
from tameflare_core.connectors.matching import below_prefix
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header, Placement
from tameflare_core.parsers.route_table import Match, Route, RouteTable
from tameflare_core.request import OutboundRequest

__all__ = ["GitHub", "register_connectors"]

# These may hold slashes of their own: raw at the end of a path, percent-encoded anywhere.
_TAIL_PARAMS = frozenset({"path", "ref", "basehead", "dir"})

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

# Clients send the slashes of a branch's name as they are, in the middle of a path too.
_OF_BRANCH = re.compile(r"(/repos/[^/]+/[^/]+/branches)/(.+)")
_MAX_BELOW_BRANCH = 3


# No repository's name ends so: GitHub takes it for the one without.
_GIT_ENDING = re.compile(r"(?:\.git)+$")


_PADDED = re.compile("0[0-9]+")


class _Place(NamedTuple):
    """Where the parts of the service are at one server, as lower-case paths.

    Attributes:
        api: where the operations of the catalogue start.
        graphql: the endpoints of GraphQL.
        root: what holds all of these, if the site is at the same host.
    """

    api: tuple[str, ...]
    graphql: frozenset[str]
    root: str | None


_SITE_HOST = "github.com"
_GITHUB_COM = _Place(api=("",), graphql=frozenset({"/graphql"}), root=None)


class GitHub(CatalogueConnector):
    """GitHub's REST and GraphQL APIs, and git over HTTPS.

    On github.com it owns `api.github.com`, `uploads.github.com` and `github.com` itself; with a
    `base_url` of `https://HOST/api/v3` it owns HOST, where uploads live below `/api/uploads` and
    the site outside `/api`.
    """

    type = "github"
    provider = "github"
    placement = Header()
    probe = "GET /rate_limit"
    catalogue_file = files(__package__) / "catalogs" / "github.tsv"
    home = ("api.github.com", "uploads.github.com", _SITE_HOST)
    tail_params = _TAIL_PARAMS | {"tag", "tree_sha"}
    slash_params = _TAIL_PARAMS | {
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
    resource_names: ClassVar[Mapping[str, str]] = {
        "pull_number": "number",
        "issue_number": "number",
    }
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
        | ROOT_FIELDS
    )
    body_actions = frozenset(REFINEMENTS) | GIT_BODY_ACTIONS
    further_actions = FURTHER_ACTIONS | GIT_ACTIONS | GRAPHQL_ACTIONS
    further_fields = GIT_FIELDS | GRAPHQL_FIELDS | {key for _, key in _NAMED.values()}

    def __init__(self, settings: ConnectorSettings) -> None:
        super().__init__(settings)
        base = settings.base_url
        self._place = _GITHUB_COM
        if base is not None:
            prefix = base.prefix.lower()
            if not prefix.endswith("/api/v3"):
                raise ValueError("`base_url` of GitHub Enterprise ends in `/api/v3`")
            api = prefix.removesuffix("/v3")
            self._place = _Place(
                api=(prefix, f"{api}/uploads"),
                graphql=frozenset({f"{prefix}/graphql", f"{api}/graphql"}),
                root=api,
            )

    @classmethod
    def rows(cls) -> Sequence[Route]:
        return [*super().rows(), *git_rows(), *graphql_rows()]

    @classmethod
    def matched(cls, rows: Sequence[Route]) -> Sequence[Route]:
        # Those of GraphQL are no paths.
        rows = [row for row in rows if row.path.startswith("/")]
        # GitHub takes POST for PATCH, for clients that have no PATCH. Rows of POST itself come
        # later and so are the ones that count.
        return [*(replace(row, method="POST") for row in rows if row.method == "PATCH"), *rows]

    def below(self, request: OutboundRequest) -> str | None:
        path = request.path.removesuffix("/")
        if self._at_site(request):
            return SITE + path
        found = (below_prefix(path, prefix) for prefix in self._place.api)
        return next((below for below in found if below is not None), None)

    def _at_site(self, request: OutboundRequest) -> bool:
        root = self._place.root
        if root is None:
            return request.host == _SITE_HOST
        return not f"{request.path.lower()}/".startswith(f"{root}/")

    def placement_for(self, request: OutboundRequest, configured: Placement) -> Placement | None:
        if not self._at_site(request):
            return configured
        # Of the site, only git and Git LFS take tokens.
        return git_placement(configured) if self._find(request) is not None else None

    def find(self, table: RouteTable, method: str, path: str) -> Match | None:
        match = _find_row(table, method, path)
        if match is not None:
            return match
        by_number = _BY_NUMBER.fullmatch(path)
        if by_number is None:
            return None
        kind, number, rest = by_number.groups()
        if kind == "organizations" and rest.startswith("/team/"):
            # Teams name themselves so; they have rows without the organization.
            match = table.match(method, f"/teams/{rest.removeprefix('/team/')}")
            return match and Match(match.route, {**match.params, "org_id": number}, complete=False)
        start, key = _NAMED[kind]
        match = _find_row(table, method, start + rest)
        if match is None:
            return None
        known = dict(list(match.params.items())[start.count(f"/{_UNNAMED}") :])
        return Match(match.route, known | {key: number}, complete=False)

    def scope(self, path: str) -> Mapping[str, str]:
        _, kind, *values = path.split("/")
        return dict(zip(_SCOPES.get(kind, ()), values, strict=False))

    def spelled(self, key: str, value: str) -> str:
        value = super().spelled(key, value)
        if _PADDED.fullmatch(value) and key.endswith(("_number", "_id")):
            raise RequestRejected(f"zeros before the number in `{key}`")
        return _GIT_ENDING.sub("", value) if key in self.case_insensitive else value

    def needs_body(self, request: OutboundRequest) -> bool:
        return self._is_graphql(request) or super().needs_body(request)

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        if self._is_graphql(request):
            return graphql_actions(request, of_rest=_of_rest())
        # Folding a path costs as much as naming it, and few need it.
        may_fold = "graphql" in request.path.lower()
        if may_fold and folded_path(request.path) in self._place.graphql:
            # Whether GitHub folds paths is not known, and a document can do anything.
            raise OpaqueBody("path may be taken for that of GraphQL")
        return super().parse(request)

    def _is_graphql(self, request: OutboundRequest) -> bool:
        path = request.path.removesuffix("/")
        return path in self._place.graphql and not self._at_site(request)

    def refine(self, action: Action, request: OutboundRequest) -> Sequence[Action]:
        of_git = GIT_REFINEMENTS.get(action.name)
        if of_git is not None:
            return of_git(action, request)
        return told(action, request)


@cache
def _of_rest() -> frozenset[str]:
    """The names of actions that REST has, whose params are called as REST calls them."""
    paths = (row.action for row in GitHub.catalogue() if row.path.startswith("/"))
    return FURTHER_ACTIONS.union(paths)


def _find_row(table: RouteTable, method: str, path: str) -> Match | None:
    match = table.match(method, path)
    if match is not None:
        return match
    of_branch = _OF_BRANCH.fullmatch(path)
    if of_branch is None:
        return None
    start, rest = of_branch.groups()
    segments = rest.split("/")
    for below in range(min(_MAX_BELOW_BRANCH, len(segments) - 2), -1, -1):
        end = len(segments) - below
        branch = "%2F".join(segments[:end])
        match = table.match(method, "/".join((start, branch, *segments[end:])))
        if match is not None:
            return match
    return None


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [GitHub]
