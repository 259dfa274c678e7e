"""GitHub's GraphQL API: what each field of the root does, under REST's name where there is one.

A mutation names most things by node ids, which tell neither owner nor repository, and one object
has several of them. A query reads whatever its root leads to, so it never has the name of a REST
read. Source of the operations: GitHub's public schema, as names in `catalogs/github_graphql.tsv`. A
field with several rows does one or several of them; where the input tells which, it is asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.github_bodies import REFINEMENTS
from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.graphql import OperationKind, RootField, read_graphql
from tameflare_core.parsers.route_table import Route, read_catalogue
from tameflare_core.parsers.strict_json import Json
from tameflare_core.request import OutboundRequest

__all__ = [
    "GRAPHQL_ACTIONS",
    "GRAPHQL_FIELDS",
    "ROOT_FIELDS",
    "graphql_actions",
    "graphql_rows",
]

_MAX_ACTIONS = 1_000

_RESULT_QUERY = "github.mutation_result.query"
GRAPHQL_ACTIONS = frozenset({_RESULT_QUERY})
"""Names that stand in no catalogue."""

# Members of an input that name what is acted on.
_NODE_IDS = {
    "assignableId": "assignable_node_id",
    "branchProtectionRuleId": "branch_protection_rule_node_id",
    "checkRunId": "check_run_node_id",
    "checkSuiteId": "check_suite_node_id",
    "commentId": "comment_node_id",
    "deploymentId": "deployment_node_id",
    "discussionId": "discussion_node_id",
    "enterpriseId": "enterprise_node_id",
    "environmentId": "environment_node_id",
    "id": "node_id",
    "issueId": "issue_node_id",
    "itemId": "item_node_id",
    "labelableId": "labelable_node_id",
    "lockableId": "lockable_node_id",
    "organizationId": "organization_node_id",
    "ownerId": "owner_node_id",
    "packageVersionId": "package_version_node_id",
    "projectId": "project_node_id",
    "pullRequestId": "pull_request_node_id",
    "pullRequestReviewId": "pull_request_review_node_id",
    "refId": "ref_node_id",
    "repositoryId": "repository_node_id",
    "repositoryRulesetId": "repository_ruleset_node_id",
    "sourceId": "source_node_id",
    "starrableId": "starrable_node_id",
    "subjectId": "subject_node_id",
    "teamId": "team_node_id",
    "threadId": "thread_node_id",
    "userId": "user_node_id",
}
# Where a query starts. It may go on to anything else, so these are not `owner` and `repo`, by which
# rules confine what is read.
_ROOTS = {
    "enterprise": {"slug": "root_enterprise"},
    "organization": {"login": "root_login"},
    "repository": {"owner": "root_owner", "name": "root_repo"},
    "repositoryOwner": {"login": "root_login"},
    "user": {"login": "root_login"},
}
ROOT_FIELDS = frozenset(field for fields in _ROOTS.values() for field in fields.values())
"""Resource fields that tell where a query starts."""

GRAPHQL_FIELDS = ROOT_FIELDS | set(_NODE_IDS.values())
"""Resource fields that no operation of REST has."""

_UNTOLD = frozenset({"clientMutationId", "fileChanges"})
_NOT_OF_REST = _UNTOLD.union(_NODE_IDS)
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]+")
_ZERO_OID = re.compile("0+")

# What a query reads by these fields, at whatever depth.
_TELLING = {
    **dict.fromkeys(
        (
            "admins",
            "collaborators",
            "deployKeys",
            "externalIdentities",
            "identityProvider",
            "members",
            "membersWithRole",
            "oidcProvider",
            "organizationVerifiedDomainEmails",
            "outsideCollaborators",
            "ownerInfo",
            "pendingAdminInvitations",
            "pendingCollaboratorInvitations",
            "pendingMemberInvitations",
            "pendingMembers",
            "pendingUnaffiliatedMemberInvitations",
            "publicKeys",
            "samlIdentityProvider",
            "supportEntitlements",
            "team",
            "teams",
            "userAccounts",
        ),
        Category.IDENTITY,
    ),
    "auditLog": Category.DATA_EXPORT,
    "billingInfo": Category.FINANCIAL,
    "estimatedNextSponsorsPayoutInCents": Category.FINANCIAL,
    "lifetimeReceivedSponsorshipValues": Category.FINANCIAL,
    "monthlyEstimatedSponsorsIncomeInCents": Category.FINANCIAL,
    "sponsorsActivities": Category.FINANCIAL,
    "totalSponsorshipAmountAsSponsorInCents": Category.FINANCIAL,
    "recoveryCodes": Category.SECRETS,
}
_GRAVE = frozenset({"auditLog", "recoveryCodes"})

type _Input = Mapping[str, Json]
type _Rows = Mapping[str, Action]
type _Choice = Callable[[_Rows, _Input], Iterable[Action]]


def graphql_rows() -> list[Route]:
    """The fields of the roots, with `QUERY` or `MUTATION` for a method and the name for a path."""
    text = files(__package__).joinpath("catalogs", "github_graphql.tsv").read_text("utf-8")
    return read_catalogue(text, place=_field_name)


def graphql_actions(request: OutboundRequest, *, of_rest: frozenset[str]) -> tuple[Action, ...]:
    """Name everything that a request to a GraphQL endpoint would do.

    Args:
        request: its body has been read.
        of_rest: actions whose params REST calls by other names, with other values.

    Raises:
        OpaqueBody: the document, or what decides in its arguments, cannot be read.
        RequestRejected: the request can be read in two ways.
    """
    fields = read_graphql(request)
    if fields is None:
        # GitHub answers with its schema.
        return tuple(_named(row) for row in _by_field()[OperationKind.QUERY, "__schema"])
    actions: list[Action] = []
    for field in fields:
        actions += _query(field) if _reads(field) else _mutation(field, of_rest)
        if len(actions) > _MAX_ACTIONS:
            raise OpaqueBody(f"a GraphQL request of more than {_MAX_ACTIONS} actions")
    return tuple(actions)


def _reads(field: RootField) -> bool:
    # The name of the root's type can be asked of every operation.
    return field.kind is OperationKind.QUERY or field.name == "__typename"


def _field_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(f"`{text}` is not the name of a GraphQL field")
    return text


@cache
def _by_field() -> Mapping[tuple[OperationKind, str], list[Route]]:
    found: defaultdict[tuple[OperationKind, str], list[Route]] = defaultdict(list)
    for row in graphql_rows():
        found[OperationKind(row.method.lower()), row.path].append(row)
    return dict(found)


def _named(row: Route) -> Action:
    return Action(
        name=row.action,
        access=row.access,
        risk=row.risk,
        categories=row.categories,
        # The others lead to data of somebody, whose is not told.
        resource_complete=row.access is Access.READ and row.risk is Risk.LOW,
    )


def _unmapped(kind: OperationKind) -> Action:
    return Action(
        name=f"github.unmapped.{kind}",
        access=Access.READ if kind is OperationKind.QUERY else Access.WRITE,
        risk=Risk.HIGH,
        resource_complete=False,
    )


def _query(field: RootField) -> Iterator[Action]:
    rows = _by_field().get((OperationKind.QUERY, field.name))
    resource = {
        target: _name(value)
        for argument, target in _ROOTS.get(field.name, {}).items()
        if (value := field.arguments.get(argument)) is not None
    }
    for action in map(_named, rows) if rows else (_unmapped(field.kind),):
        # The fields below have arguments too.
        told = replace(
            action,
            resource=resource,
            params=field.arguments,
            params_complete=bool(rows) and not field.selected,
        )
        yield _telling(told, field)


def _telling(action: Action, field: RootField) -> Action:
    categories = {_TELLING[name] for name in field.selected & _TELLING.keys()}
    risk = Risk.HIGH if field.selected & _GRAVE else action.risk
    return replace(action, risk=risk, categories=action.categories | categories)


def _mutation(field: RootField, of_rest: frozenset[str]) -> Iterator[Action]:
    given = field.arguments.get("input", {})
    if not isinstance(given, dict):
        raise OpaqueBody("the input of a GraphQL mutation is not an object")
    rows = _by_field().get((field.kind, field.name))
    resource = {
        target: _text(given[member])
        for member, target in _NODE_IDS.items()
        if given.get(member) is not None
    }
    actions = {
        action.name: replace(action, resource=resource)
        for action in (map(_named, rows) if rows else (_unmapped(field.kind),))
    }
    params = {key: value for key, value in given.items() if key not in _UNTOLD}
    complete = bool(rows) and "fileChanges" not in given
    for action in _CHOICES.get(field.name, _each)(actions, given):
        # A rule about `merge_method` is not to miss `mergeMethod`, nor one about `closed` `CLOSED`.
        yield (
            replace(action, params={"input": params}, params_complete=False)
            if action.name in of_rest
            else replace(action, params=params, params_complete=complete)
        )
    # Through what it answers with, a mutation reads like a query: repositories, files, members.
    if field.entered - {"node"} or field.selected & _TELLING.keys():
        result = Action(
            name=_RESULT_QUERY,
            access=Access.READ,
            risk=Risk.MEDIUM,
            resource_complete=False,
            params_complete=False,
        )
        yield _telling(result, field)


def _each(actions: _Rows, given: _Input) -> Iterator[Action]:
    for action in actions.values():
        refinement = REFINEMENTS.get(action.name)
        yield from (action,) if refinement is None else refinement(action, _as_rest(given))


def _as_rest(given: _Input) -> dict[str, Json]:
    """The input with REST's names and values, as far as they decide."""
    body = {
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key): value
        for key, value in given.items()
        if key not in _NOT_OF_REST
    }
    return body | {"state": "open"} if body.get("state") == "OPEN" else body


def _commit(actions: _Rows, given: _Input) -> Iterator[Action]:
    branch, changes = _object(given.get("branch")), _object(given.get("fileChanges"))
    place: dict[str, str] = {}
    complete = branch.get("id") is None and branch.get("repositoryNameWithOwner") is not None
    if complete:
        owner, _, repo = _text(branch.get("repositoryNameWithOwner")).partition("/")
        place = {
            "owner": _name(owner),
            "repo": _name(repo),
            "branch": _text(branch.get("branchName")).removeprefix("refs/heads/"),
        }
    actions = {
        name: replace(action, resource=place, resource_complete=complete)
        for name, action in actions.items()
    }
    yield actions["github.commit.create_on_branch"]
    write = REFINEMENTS["github.file.update"]
    told: dict[str, Json] = {"branch": place["branch"]} if complete else {}
    for path in _paths(changes.get("additions")):
        update = replace(actions["github.file.update"], resource={**place, "path": path})
        # Whether the file is there already is not told.
        yield from (*write(update, told), *write(update, {**told, "sha": True}))
    for path in _paths(changes.get("deletions")):
        yield replace(actions["github.file.delete"], resource={**place, "path": path})


def _paths(changes: Json) -> Iterator[str]:
    for change in _objects(changes):
        path = _text(change.get("path"))
        if "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise OpaqueBody("path of a file with dot or empty segments")
        yield path


def _new_ref(actions: _Rows, given: _Input) -> Iterator[Action]:
    (action,) = actions.values()
    # Without a name GitHub refuses it.
    is_named = given.get("name") is not None
    yield _at_ref(action, given) if is_named else replace(action, resource_complete=False)


def _refs(actions: _Rows, given: _Input) -> Iterator[Action]:
    yield actions["github.branch.update_bulk"]
    for change in _objects(given.get("refUpdates")):
        before = change.get("beforeOid")
        create, update, delete = (
            _at_ref(actions[f"github.branch.{verb}"], change)
            for verb in ("create", "update", "delete")
        )
        if _is_zero(change.get("afterOid")):
            yield delete
            continue
        if before is None or _is_zero(before):
            yield create
        if not _is_zero(before):
            yield from REFINEMENTS[update.name](update, {"force": change.get("force")})


def _is_zero(oid: Json) -> bool:
    return isinstance(oid, str) and _ZERO_OID.fullmatch(oid) is not None


def _at_ref(action: Action, given: _Input) -> Action:
    ref = _text(given.get("name")).removeprefix("refs/")
    return replace(action, resource={**action.resource, "ref": ref})


def _limit(actions: _Rows, given: _Input) -> Iterator[Action]:
    verb = "remove" if given.get("limit") == "NO_LIMIT" else "set"
    yield from (action for name, action in actions.items() if name.endswith(f".{verb}"))


def _project(actions: _Rows, given: _Input) -> Iterator[Action]:
    yield actions["github.project.update"]
    if given.get("public") is not None:
        yield actions["github.project.change_visibility"]


# Fields whose input tells which of their rows they do.
_CHOICES: Mapping[str, _Choice] = {
    "createCommitOnBranch": _commit,
    "createRef": _new_ref,
    "setOrganizationInteractionLimit": _limit,
    "setRepositoryInteractionLimit": _limit,
    "setUserInteractionLimit": _limit,
    "updateProjectV2": _project,
    "updateRefs": _refs,
}


def _object(value: Json) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OpaqueBody("a part of a GraphQL input is not an object")
    return value


def _objects(value: Json) -> list[dict[str, Json]]:
    # GraphQL takes one value for a list of one.
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [_object(item) for item in items]


def _text(value: Json) -> str:
    # GraphQL takes a whole number for an id; a surrogate cannot be written to any record.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value or re.search("[\ud800-\udfff\0-\x1f]", value):
        raise OpaqueBody("a name or id in a GraphQL input cannot be read")
    return value


def _name(value: Json) -> str:
    text = _text(value)
    # GitHub takes `x.git` for the repository `x`, and compares names without regard to case.
    if not _NAME.fullmatch(text) or text.lower().endswith(".git"):
        raise OpaqueBody("not a name that GitHub gives")
    return text.lower()
