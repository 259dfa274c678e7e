"""What the bodies of GitHub's operations say: close, force, create, publish, on which branch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote_plus

from tameflare_core.action import Action, Category, Risk
from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.members import with_members, with_query
from tameflare_core.parsers.strict_json import Json, json_object
from tameflare_core.request import FORM_TYPE, OutboundRequest

__all__ = ["FURTHER_ACTIONS", "REFINEMENTS", "told"]

type Refinement = Callable[[Action, Mapping[str, Json]], tuple[Action, ...]]

_BRANCH_FORCE_UPDATE = "github.branch.force_update"
_FILE_CREATE = "github.file.create"
_ISSUE_CLOSE = "github.issue.close"
_PR_CLOSE = "github.pr.close"
_REPO_CHANGE_VISIBILITY = "github.repo.change_visibility"

FURTHER_ACTIONS = frozenset(
    {_BRANCH_FORCE_UPDATE, _FILE_CREATE, _ISSUE_CLOSE, _PR_CLOSE, _REPO_CHANGE_VISIBILITY}
)
_DECIDING_KEYS = frozenset({"branch", "force", "private", "ref", "sha", "state", "visibility"})
_WORKFLOWS = ".github/workflows/"
# Their bodies are files, of JSON too.
_UPLOADS = frozenset({"github.release_asset.upload"})


def told(action: Action, request: OutboundRequest) -> Sequence[Action]:
    """The actions of a request, with the members of its query and its JSON body as params.

    Args:
        action: that of its row.
        request: its body has been read if the action is one of `REFINEMENTS`.

    Raises:
        OpaqueBody: the body decides what is done, and cannot be read in one way.
    """
    refinement = REFINEMENTS.get(action.name)
    if refinement is None and action.params_complete:
        # There is neither a query nor a body.
        return (action,)
    if action.name in _UPLOADS:
        return (with_query(action, request),)
    refined = (action,) if refinement is None else refinement(action, _deciding(request))
    return [with_members(one, request) for one in refined]


def _deciding(request: OutboundRequest) -> Mapping[str, Json]:
    # GitHub may take what the body lacks from the query.
    if _form_keys(request.query or "") & _DECIDING_KEYS:
        raise OpaqueBody("the query has a parameter that belongs into the body")
    body = json_object(request, _DECIDING_KEYS)
    # JSON that is not said to be JSON may be read as a form: `{"title":"&state=closed&"}`.
    may_be_form = request.media_type in {"", FORM_TYPE}
    if may_be_form and _form_keys(request.decoded_body().decode()) & _DECIDING_KEYS:
        raise OpaqueBody("the body may be read as a form that says something else")
    return body


def _form_keys(text: str) -> set[str]:
    # Older servers split at `;` too.
    pairs = re.split("[&;]", text)
    return {unquote_plus(pair.partition("=")[0]).strip().casefold() for pair in pairs}


def _closing(name: str) -> Refinement:
    def refine(update: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
        if body.get("state") in (None, "open"):
            return (update,)
        close = replace(update, name=name)
        # Retitling while closing is an update as well.
        return (close,) if set(body) <= {"state", "state_reason"} else (close, update)

    return refine


def _file(update: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
    written = _on_branch(update, body)
    if body.get("sha") in (None, ""):
        written = replace(written, name=_FILE_CREATE)
    if not written.resource["path"].lower().startswith(_WORKFLOWS):
        return (written,)
    categories = written.categories | {Category.CODE_EXECUTION}
    return (replace(written, risk=Risk.HIGH, categories=categories),)


def _file_deletion(delete: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
    return (_on_branch(delete, body),)


def _on_branch(change: Action, body: Mapping[str, Json]) -> Action:
    branch = body.get("branch")
    if not isinstance(branch, str) or not branch.strip():
        # It is the default branch, and which that is only GitHub knows.
        return replace(change, resource_complete=False)
    return replace(
        change, resource={**change.resource, "branch": branch.removeprefix("refs/heads/")}
    )


def _branch_creation(create: Action, body: Mapping[str, Json]) -> tuple[Action, ...]:
    ref = body.get("ref")
    if not isinstance(ref, str) or not ref.strip():
        return (replace(create, resource_complete=False),)
    # Elsewhere refs are written without their first segment, and rules are about all of them.
    resource = {**create.resource, "ref": ref.removeprefix("refs/")}
    return (replace(create, resource=resource),)


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
REFINEMENTS: Mapping[str, Refinement] = {
    "github.branch.create": _branch_creation,
    "github.branch.update": _branch,
    "github.file.delete": _file_deletion,
    "github.file.update": _file,
    "github.issue.update": _closing(_ISSUE_CLOSE),
    "github.pr.update": _closing(_PR_CLOSE),
    "github.repo.update": _repository,
}
