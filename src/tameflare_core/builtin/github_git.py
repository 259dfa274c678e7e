"""Git over HTTPS and Git LFS, which GitHub serves beside its API.

Their paths have no prefix of their own: `/OWNER/REPO.git/git-receive-pack`. In the catalogue they
stand below `SITE`, where no path of the API can be.

A push begins with a list of refs, and a large one with an empty request that tries the rights that
it needs. Both are `github.git.push` like what follows, so that who may not push cannot begin to;
but they change nothing and are reads, so that a rule can tell them from the push itself.

Sources: git's `gitprotocol-http`, the Git LFS API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.connectors.base import unmapped_action
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.injection.placement import Basic, Placement
from tameflare_core.parsers.git_smart_http import RefUpdate, read_push
from tameflare_core.parsers.members import with_members
from tameflare_core.parsers.route_table import Route, read_catalogue
from tameflare_core.parsers.strict_json import json_object
from tameflare_core.request import BodyState, OutboundRequest

__all__ = [
    "GIT_ACTIONS",
    "GIT_BODY_ACTIONS",
    "GIT_FIELDS",
    "GIT_REFINEMENTS",
    "SITE",
    "git_placement",
    "git_rows",
]

SITE = "/github.com"
"""Where the catalogue puts the site: github.com, or all of an Enterprise server but `/api`."""

_FETCH = "github.git.fetch"
_PUSH = "github.git.push"
_PUSH_DELETE = "github.git.push.delete"
_PUSH_FORCE = "github.git.push.force"
_LFS_DOWNLOAD = "github.lfs_object.download"
_LFS_UPLOAD = "github.lfs_object.upload"

GIT_ACTIONS = frozenset({_PUSH_DELETE, _PUSH_FORCE, _LFS_UPLOAD})
"""Names beside those of the rows."""

GIT_BODY_ACTIONS = frozenset({_LFS_DOWNLOAD, _PUSH})
"""Rows of which the body has to be read."""

GIT_FIELDS = frozenset({"branch", "ref", "tag"})
"""Resource fields beside the parameters of the rows' paths."""

_RECEIVE_PACK = "git-receive-pack"
_SERVICES = frozenset({"git-upload-pack", _RECEIVE_PACK})
# Of any other coding git's own server forwards the bytes as they are, and reads them so.
_GIT_CODINGS = frozenset({"", "gzip", "x-gzip"})
_KINDS = {"refs/heads/": "branch", "refs/tags/": "tag"}


def git_rows() -> list[Route]:
    """The rows of git and Git LFS, below `SITE`."""
    return read_catalogue(files(__package__).joinpath("catalogs/github_git.tsv").read_text("utf-8"))


def git_placement(configured: Placement) -> Placement:
    """Where the credential goes: git hosts take a token as the password of any user only."""
    return configured if isinstance(configured, Basic) else Basic(username="x-access-token")


def _fetch(fetch: Action, request: OutboundRequest) -> Sequence[Action]:
    if request.operation != "GET":
        return (fetch,)
    services = request.query_values("service")
    if len(services) > 1:
        raise RequestRejected("more than one `service` in the query")
    if _SERVICES.isdisjoint(services):
        return (unmapped_action("github", request, safe_reads=True, resource=fetch.resource),)
    fetch = with_members(fetch, request)
    return (_beginning(fetch),) if services[0] == _RECEIVE_PACK else (fetch,)


def _push(push: Action, request: OutboundRequest) -> Sequence[Action]:
    if request.headers.get("content-encoding") not in _GIT_CODINGS:
        raise OpaqueBody("content coding that git does not use")
    asked = read_push(request.decoded_head())
    push = replace(push, params_complete=not request.query)
    if not asked.updates:
        if request.body.state is not BodyState.COMPLETE:
            raise OpaqueBody("a push without commands that is followed by something else")
        return (_beginning(push),)
    options: dict[str, object] = {"options": list(asked.options)} if asked.options else {}
    return [_update(push, update, options) for update in asked.updates]


def _beginning(about: Action) -> Action:
    categories = frozenset({Category.DATA_EXPORT})
    return replace(about, name=_PUSH, access=Access.READ, risk=Risk.MEDIUM, categories=categories)


def _update(push: Action, update: RefUpdate, options: Mapping[str, object]) -> Action:
    # The API writes refs without their first segment, and rules are about both.
    resource = {**push.resource, "ref": update.ref.removeprefix("refs/")}
    for start, kind in _KINDS.items():
        if update.ref.startswith(start):
            resource[kind] = update.ref.removeprefix(start)
    params = {"old": update.old, "new": update.new, **options}
    push = replace(push, resource=resource, params=params)
    if update.deletes:
        return replace(push, name=_PUSH_DELETE, categories=frozenset({Category.DESTRUCTIVE}))
    # A tag stays where it is unless it is forced. Whether a branch is moved forward or aside, only
    # who has its history can tell.
    if "tag" in resource and not update.creates:
        categories = push.categories | {Category.DESTRUCTIVE}
        return replace(push, name=_PUSH_FORCE, categories=categories)
    return push


def _lfs_batch(download: Action, request: OutboundRequest) -> Sequence[Action]:
    operation = json_object(request, frozenset({"operation"})).get("operation")
    download = with_members(download, request)
    match operation:
        case "download":
            return (download,)
        case "upload":
            upload = replace(download, name=_LFS_UPLOAD, access=Access.WRITE)
            return (replace(upload, categories=frozenset()),)
        case _:
            raise OpaqueBody("a batch of Git LFS that neither downloads nor uploads")


GIT_REFINEMENTS: Mapping[str, Callable[[Action, OutboundRequest], Sequence[Action]]] = {
    _FETCH: _fetch,
    _LFS_DOWNLOAD: _lfs_batch,
    _PUSH: _push,
}
"""What the rest of a request says about the action of its row."""
