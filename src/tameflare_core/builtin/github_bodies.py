"""GitHub operations of which the body tells what they do: close, force, create, publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tameflare_core.action import Action, Category, Risk
from tameflare_core.parsers.strict_json import Json

__all__ = ["DECIDING_KEYS", "FURTHER_ACTIONS", "REFINEMENTS"]

type Refinement = Callable[[Action, Mapping[str, Json]], tuple[Action, ...]]

_BRANCH_FORCE_UPDATE = "github.branch.force_update"
_FILE_CREATE = "github.file.create"
_ISSUE_CLOSE = "github.issue.close"
_PR_CLOSE = "github.pr.close"
_REPO_CHANGE_VISIBILITY = "github.repo.change_visibility"

FURTHER_ACTIONS = frozenset(
    {_BRANCH_FORCE_UPDATE, _FILE_CREATE, _ISSUE_CLOSE, _PR_CLOSE, _REPO_CHANGE_VISIBILITY}
)
DECIDING_KEYS = frozenset({"force", "private", "sha", "state", "visibility"})
_WORKFLOWS = ".github/workflows/"


def _closing(name: str) -> Refinement:
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
REFINEMENTS: Mapping[str, Refinement] = {
    "github.branch.update": _branch,
    "github.file.update": _file,
    "github.issue.update": _closing(_ISSUE_CLOSE),
    "github.pr.update": _closing(_PR_CLOSE),
    "github.repo.update": _repository,
}
