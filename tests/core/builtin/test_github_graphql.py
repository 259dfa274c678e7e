"""GitHub's GraphQL API: every field has REST's name where REST has the operation."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.builtin.github import GitHub
from tameflare_core.builtin.github_graphql import graphql_rows
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.route_table import read_catalogue
from tameflare_core.patterns import ActionPattern
from tameflare_core.request import Body, OutboundRequest

CONNECTOR = GitHub(ConnectorSettings(id="github"))
ENTERPRISE = GitHub(
    ConnectorSettings(id="ghe", base_url=BaseUrl.parse("https://ghe.example/api/v3"))
)
ROWS = graphql_rows()
REST = read_catalogue(
    files("tameflare_core.builtin").joinpath("catalogs/github.tsv").read_text("utf-8")
)
MUTATIONS = sorted({row.path for row in ROWS if row.method == "MUTATION"} - {"__typename"})


def post(
    body: object, url: str = "https://api.github.com/graphql", connector: GitHub = CONNECTOR
) -> Sequence[Action]:
    data = json.dumps(body).encode()
    headers = [("Content-Type", "application/json")]
    request = OutboundRequest.from_url("POST", url, headers=headers, body=Body.complete(data))
    return connector.parse(request)


def run(document: str, **variables: object) -> Sequence[Action]:
    return post({"query": document, "variables": variables})


def names(document: str, **variables: object) -> list[str]:
    return [action.name.removeprefix("github.") for action in run(document, **variables)]


def mutate(field: str, result: str = "{clientMutationId}", **given: object) -> Sequence[Action]:
    return run(f"mutation($i:I!){{{field}(input:$i){result}}}", i=given)


def mutated(field: str, result: str = "{clientMutationId}", **given: object) -> list[str]:
    return [a.name.removeprefix("github.") for a in mutate(field, result, **given)]


# The catalogue


def test_catalogue_is_sorted_and_holds_each_row_once() -> None:
    places = [(row.path, row.method, row.action) for row in ROWS]
    assert places == sorted(set(places))


def test_every_published_mutation_has_a_name() -> None:
    assert len(MUTATIONS) == 247


def test_rows_of_one_name_agree_with_rest() -> None:
    kinds = defaultdict(set)
    for row in [*REST, *ROWS]:
        kinds[row.action].add((row.access, row.risk, row.categories))
    assert [name for name, found in kinds.items() if len(found) > 1] == []


def test_queries_read_and_mutations_write() -> None:
    for row in ROWS:
        reads = row.method == "QUERY" or row.path == "__typename"
        assert row.access is (Access.READ if reads else Access.WRITE), row


def test_no_query_has_the_name_of_a_rest_operation() -> None:
    reads = {row.action for row in ROWS if row.method == "QUERY"}
    assert reads & {row.action for row in REST} == set()
    assert {name.rsplit(".", 1)[1] for name in reads} == {"query", "introspect"}


def test_deletions_are_destructive_unless_easily_redone() -> None:
    mild = {row.path for row in ROWS if row.path.startswith("delete")} - {
        row.path for row in ROWS if Category.DESTRUCTIVE in row.categories
    }
    assert mild == {"deleteLinkedBranch"}


def test_low_writes_are_personal() -> None:
    assert {row.path for row in ROWS if row.access is Access.WRITE and row.risk is Risk.LOW} == {
        "addDiscussionPollVote",
        "addReaction",
        "addStar",
        "addUpvote",
        "changeUserStatus",
        "createUserList",
        "followOrganization",
        "followUser",
        "markFileAsViewed",
        "removeReaction",
        "removeStar",
        "removeUpvote",
        "unfollowOrganization",
        "unfollowUser",
        "unmarkFileAsViewed",
        "updateSubscription",
        "updateUserList",
        "updateUserListsForItem",
    }


@pytest.mark.parametrize("field", MUTATIONS)
def test_mutation_does_what_its_rows_say(field: str) -> None:
    given = {
        "createCommitOnBranch": {
            "branch": {"id": "REF_1"},
            "fileChanges": {"additions": [{"path": "a"}], "deletions": [{"path": "b"}]},
        },
        "createRef": {"name": "refs/heads/x"},
        "updateProjectV2": {"public": True},
        "updateRefs": {
            "refUpdates": [
                {"name": "refs/heads/a", "afterOid": "1"},
                {"name": "refs/heads/b", "afterOid": "0" * 40},
            ]
        },
    }
    expected = {row.action for row in ROWS if (row.method, row.path) == ("MUTATION", field)}
    actions = mutate(field, **given.get(field, {}))
    found = {action.name for action in actions}
    assert found <= CONNECTOR.known_actions
    if field == "createCommitOnBranch":
        found -= {"github.file.create"}
    if field.endswith("InteractionLimit"):
        expected = {name for name in expected if name.endswith(".set")}
    assert found == expected
    for action in actions:
        assert action.resource.keys() <= CONNECTOR.resource_fields
        assert not action.resource_complete


@pytest.mark.parametrize("field", sorted({r.path for r in ROWS if r.method == "QUERY"}))
def test_query_has_the_name_of_its_row(field: str) -> None:
    (action,) = run(f"{{{field}}}")
    (row,) = (row for row in ROWS if (row.method, row.path) == ("QUERY", field))
    assert (action.name, action.access, action.risk) == (row.action, row.access, row.risk)
    assert action.name in CONNECTOR.known_actions


# Ways to hide a mutation


@pytest.mark.parametrize(
    "document",
    [
        "mutation{mergePullRequest(input:{}){clientMutationId}}",
        "mutation{viewer:mergePullRequest(input:{}){clientMutationId}}",
        "query A{viewer{login}} mutation B{mergePullRequest(input:{}){clientMutationId}}",
        "query{viewer{login}} mutation B{mergePullRequest(input:{}){clientMutationId}}",
        "fragment F on Mutation{mergePullRequest(input:{}){clientMutationId}} mutation{...F}",
        "mutation{... on Mutation{addStar:mergePullRequest(input:{}){clientMutationId}}}",
        "mutation{addStar(input:{}){clientMutationId} x:mergePullRequest(input:{}){a}}",
        "mutation{mergePullRequest(input:{})@skip(if:true){clientMutationId}}",
    ],
)
def test_merge_is_found_wherever_it_hides(document: str) -> None:
    assert "pr.merge" in names(document)


def test_name_in_a_text_is_no_merge() -> None:
    found = mutated("addComment", subjectId="I_1", body="mutation{mergePullRequest}")
    assert found == ["issue.comment"]


def test_operation_that_is_not_asked_for_is_not_judged() -> None:
    document = "query A{viewer{login}} mutation B{mergePullRequest(input:{}){a}}"
    (action,) = post({"query": document, "operationName": "A"})
    assert action.name == "github.viewer.query"


@pytest.mark.parametrize(
    ("document", "name", "access"),
    [
        ("mutation{mergepullrequest(input:{}){a}}", "mutation", Access.WRITE),
        ("mutation{viewer{login}}", "mutation", Access.WRITE),
        ("mutation{constructor(input:{}){a}}", "mutation", Access.WRITE),
        ("{mergePullRequest(input:{}){a}}", "query", Access.READ),
        ("{Viewer{login}}", "query", Access.READ),
    ],
)
def test_unknown_field_is_unmapped(document: str, name: str, access: Access) -> None:
    (action,) = run(document)
    assert action.name == f"github.unmapped.{name}"
    assert (action.access, action.risk) == (access, Risk.HIGH)
    assert not action.resource_complete
    assert ActionPattern("github.*").permits(action.name)
    assert not ActionPattern(f"github.*.{name}").permits(action.name)


def test_several_fields_are_several_actions() -> None:
    document = "mutation{a:closeIssue(input:{}){x} b:addStar(input:{}){x} c:deleteIssue{x}}"
    assert names(document) == ["issue.close", "gist.star", "repo.star", "issue.delete"]


# What the input decides


@pytest.mark.parametrize("field", ["updatePullRequest", "updateIssue"])
@pytest.mark.parametrize(
    ("given", "verbs"),
    [
        ({"title": "x"}, ["update"]),
        ({"state": "OPEN", "title": "x"}, ["update"]),
        ({"state": None}, ["update"]),
        ({"state": "CLOSED"}, ["close"]),
        ({"state": "closed"}, ["close"]),
        ({"state": "CLOSED", "stateReason": "COMPLETED"}, ["close"]),
        ({"state": "CLOSED", "title": "x"}, ["close", "update"]),
    ],
)
def test_update_may_close(field: str, given: dict[str, object], verbs: list[str]) -> None:
    resource = "pr" if field == "updatePullRequest" else "issue"
    expected = [f"{resource}.{verb}" for verb in verbs]
    assert mutated(field, id="X_1", pullRequestId="X_1", clientMutationId="c", **given) == expected


def test_state_in_the_document_decides_too() -> None:
    document = "mutation($s:S=CLOSED){updateIssue(input:{id:1 state:$s}){clientMutationId}}"
    assert names(document) == ["issue.close"]
    assert names(document, s="OPEN") == ["issue.update"]


@pytest.mark.parametrize(
    ("force", "expected"),
    [
        (None, ["branch.update"]),
        (False, ["branch.update"]),
        (True, ["branch.force_update", "branch.update"]),
        ("true", ["branch.force_update", "branch.update"]),
    ],
)
def test_forced_update_of_a_ref_has_its_name(force: object, expected: list[str]) -> None:
    assert mutated("updateRef", refId="REF_1", oid="1", force=force) == expected


@pytest.mark.parametrize(
    ("change", "verbs"),
    [
        ({"afterOid": "1", "beforeOid": "2"}, ["update"]),
        ({"afterOid": "1"}, ["create", "update"]),
        ({"afterOid": "1", "beforeOid": "00"}, ["create"]),
        ({"afterOid": "0" * 40, "beforeOid": "2"}, ["delete"]),
        ({"afterOid": "1", "beforeOid": "2", "force": True}, ["force_update", "update"]),
    ],
)
@pytest.mark.parametrize("several", [True, False])
def test_each_ref_of_many_is_judged(
    change: dict[str, object], verbs: list[str], several: bool
) -> None:
    change = {"name": "refs/heads/main", **change}
    bulk, *actions = mutate("updateRefs", refUpdates=[change] if several else change)
    assert bulk.name == "github.branch.update_bulk"
    assert [action.name for action in actions] == [f"github.branch.{verb}" for verb in verbs]
    assert {action.resource["ref"] for action in actions} == {"heads/main"}


def test_created_ref_is_named() -> None:
    (action,) = mutate("createRef", repositoryId="R_1", name="refs/heads/x", oid="1")
    assert action.name == "github.branch.create"
    assert action.resource == {"repository_node_id": "R_1", "ref": "heads/x"}


@pytest.mark.parametrize("scope", ["Organization", "Repository", "User"])
def test_lifting_a_limit_has_its_name(scope: str) -> None:
    resource = scope.lower().replace("organization", "org").replace("repository", "repo")
    field = f"set{scope}InteractionLimit"
    assert mutated(field, limit="NO_LIMIT") == [f"{resource}_interaction_limit.remove"]
    assert mutated(field, limit="EXISTING_USERS") == [f"{resource}_interaction_limit.set"]


def test_publishing_is_named() -> None:
    assert mutated("updateProjectV2", title="x") == ["project.update"]
    assert mutated("updateProjectV2", public=True) == [
        "project.update",
        "project.change_visibility",
    ]
    change, _ = mutate("updateRepository", visibility="PUBLIC")
    assert (change.name, change.risk) == ("github.repo.change_visibility", Risk.CRITICAL)


@pytest.mark.parametrize("field", ["enablePullRequestAutoMerge", "enqueuePullRequest"])
def test_merging_later_is_a_merge(field: str) -> None:
    assert "pr.merge" in mutated(field, pullRequestId="PR_1")


# Commits

BRANCH = {"repositoryNameWithOwner": "O/R", "branchName": "main"}


def commit(branch: object = BRANCH, **changes: object) -> Sequence[Action]:
    return mutate("createCommitOnBranch", branch=branch, fileChanges=changes)


def test_commit_names_its_files() -> None:
    actions = commit(additions=[{"path": "a/b", "contents": "eA=="}], deletions=[{"path": "c"}])
    assert [
        (action.name.removeprefix("github."), action.resource.get("path")) for action in actions
    ] == [
        ("commit.create_on_branch", None),
        ("file.create", "a/b"),
        ("file.update", "a/b"),
        ("file.delete", "c"),
    ]
    for action in actions:
        assert action.resource.items() >= {"owner": "o", "repo": "r", "branch": "main"}.items()
        assert action.resource_complete
        assert "fileChanges" not in str(action.params)
        assert not action.params_complete


def test_commit_of_a_workflow_runs_code() -> None:
    _, create, update = commit(additions={"path": ".GitHub/workflows/x.yml", "contents": ""})
    for action in (create, update):
        assert action.risk is Risk.HIGH
        assert Category.CODE_EXECUTION in action.categories


def test_branch_by_its_id_is_not_known() -> None:
    (action,) = commit({"id": "REF_1", **BRANCH})
    assert not action.resource_complete
    assert "repo" not in action.resource


@pytest.mark.parametrize(
    "given",
    [
        {"branch": {"repositoryNameWithOwner": "o", "branchName": "main"}},
        {"branch": {"repositoryNameWithOwner": "o/r/x", "branchName": "main"}},
        {"branch": {"repositoryNameWithOwner": "o/\u212a", "branchName": "main"}},
        {"branch": {"repositoryNameWithOwner": "o/r.git", "branchName": "main"}},
        {"branch": {"repositoryNameWithOwner": "o/r"}},
        {"branch": BRANCH, "fileChanges": "x"},
        {"branch": BRANCH, "fileChanges": {"additions": ["x"]}},
        {"branch": BRANCH, "fileChanges": {"additions": [{"contents": ""}]}},
        *(
            {"branch": BRANCH, "fileChanges": {"additions": [{"path": path}]}}
            for path in ("./.github/workflows/x", "/a", "a//b", "x/../y", "a\\b", "\ud800", "a\x00")
        ),
        {"branch": BRANCH, "fileChanges": {"deletions": [{"path": "a"}] * 1_001}},
    ],
    ids=lambda given: repr(given)[:70].encode("unicode_escape").decode(),
)
def test_commit_that_cannot_be_read_is_opaque(given: dict[str, object]) -> None:
    with pytest.raises(OpaqueBody):
        mutate("createCommitOnBranch", **given)


@pytest.mark.parametrize(
    "document",
    [
        'mutation{addStar(input:"x"){clientMutationId}}',
        "mutation{addStar(input:{starrableId:[1]}){clientMutationId}}",
        '{repository(owner:"o/r" name:"r"){id}}',
        '{repository(owner:"\u00e9" name:"r"){id}}',
        "subscription{viewer{login}}",
    ],
)
def test_what_decides_and_cannot_be_read_is_opaque(document: str) -> None:
    with pytest.raises(OpaqueBody):
        run(document)


# What is acted on


def test_input_tells_ids_and_params() -> None:
    (action,) = mutate("transferIssue", issueId="I_1", createLabels=True, clientMutationId="c")
    assert action.resource == {"issue_node_id": "I_1"}
    assert action.params == {"issueId": "I_1", "createLabels": True}
    assert action.params_complete
    assert not action.resource_complete


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("mergePullRequest", {"pullRequestId": "PR_1", "mergeMethod": "SQUASH"}),
        ("updateIssue", {"id": "I_1", "state": "CLOSED"}),
        ("createPullRequest", {"repositoryId": "R_1", "baseRefName": "main", "title": "x"}),
    ],
)
def test_input_never_passes_for_the_params_of_rest(field: str, given: dict[str, object]) -> None:
    """A rule about `merge_method` or `state: closed` would miss what GraphQL calls otherwise."""
    for action in mutate(field, **given):
        assert (action.params, action.params_complete) == ({"input": given}, False)


def test_unknown_mutation_is_not_all_told() -> None:
    (action,) = mutate("doNothingKnown", a=1)
    assert (action.params, action.params_complete) == ({"a": 1}, False)


@pytest.mark.parametrize(
    ("document", "complete"),
    [
        ('{node(id:"1"){id}}', False),
        ('{repository(owner:"o" name:"r"){issues(first:9){nodes{id}}}}', False),
        ("{viewer}", True),
    ],
)
def test_arguments_below_the_root_are_not_told(document: str, complete: bool) -> None:
    (action,) = run(document)
    assert action.params_complete is complete


@pytest.mark.parametrize(
    ("document", "resource"),
    [
        ('{repository(owner:"O" name:"R"){id}}', {"root_owner": "o", "root_repo": "r"}),
        ('{organization(login:"O"){id}}', {"root_login": "o"}),
        ('{user(login:"dependabot[bot]"){id}}', {"root_login": "dependabot[bot]"}),
        ('{enterprise(slug:"E"){id}}', {"root_enterprise": "e"}),
        ('{node(id:"R_1"){id}}', {}),
    ],
)
def test_query_tells_where_it_starts_and_not_where_it_ends(
    document: str, resource: dict[str, str]
) -> None:
    (action,) = run(document)
    assert action.resource == resource
    assert not action.resource_complete
    assert resource.keys() <= CONNECTOR.resource_fields & CONNECTOR.case_insensitive


# What is read on the way


@pytest.mark.parametrize(
    ("selection", "category", "risk"),
    [
        ("repository{collaborators{nodes{login}}}", Category.IDENTITY, Risk.MEDIUM),
        ("organization{x:auditLog{totalCount}}", Category.DATA_EXPORT, Risk.HIGH),
        ("organization{...{...{billingInfo{a}}}}", Category.FINANCIAL, Risk.MEDIUM),
        ("enterprise{ownerInfo{samlIdentityProvider{recoveryCodes}}}", Category.SECRETS, Risk.HIGH),
    ],
)
def test_query_is_what_it_reads_below(selection: str, category: Category, risk: Risk) -> None:
    (action,) = run(f"{{viewer{{{selection}}}}}")
    assert category in action.categories
    assert action.risk is risk


@pytest.mark.parametrize(
    "result",
    [
        "{clientMutationId}",
        "{starrable{id viewerHasStarred}}",
        "{commentEdge{node{url}}}",
    ],
)
def test_plain_result_is_part_of_the_mutation(result: str) -> None:
    assert mutated("followUser", result) == ["user.follow"]


@pytest.mark.parametrize(
    "result",
    [
        '{starrable{... on Repository{object(expression:"main:x"){... on Blob{text}}}}}',
        "{starrable{...F}}",
        "{starrable{stargazers{nodes{email}}}}",
    ],
)
def test_result_that_reads_further_is_a_query(result: str) -> None:
    document = f"mutation{{followUser(input:{{}}){result}}}"
    if "...F" in result:
        document += " fragment F on Repository{owner{repositories{nodes{id}}}}"
    _, query = run(document)
    assert query.name == "github.mutation_result.query"
    assert query.access is Access.READ
    assert query.name in CONNECTOR.known_actions


def test_result_with_secrets_is_high() -> None:
    _, query = mutate(
        "regenerateEnterpriseIdentityProviderRecoveryCodes", "{identityProvider{recoveryCodes}}"
    )
    assert query.risk is Risk.HIGH
    assert Category.SECRETS in query.categories


# Endpoints


@pytest.mark.parametrize("path", ["/api/graphql", "/api/v3/graphql", "/api/graphql/"])
def test_server_of_ones_own_has_two_endpoints(path: str) -> None:
    (action,) = post({"query": "{viewer{login}}"}, f"https://ghe.example{path}", ENTERPRISE)
    assert action.name == "github.viewer.query"


def test_get_without_a_document_is_introspection() -> None:
    (action,) = CONNECTOR.parse(OutboundRequest.from_url("GET", "https://api.github.com/graphql"))
    assert (action.name, action.risk) == ("github.graphql.introspect", Risk.LOW)


def test_get_is_judged_like_post() -> None:
    url = "https://api.github.com/graphql?query=mutation%7BmergePullRequest%7D"
    (action,) = CONNECTOR.parse(OutboundRequest.from_url("GET", url))
    assert action.name == "github.pr.merge"


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/graph%71l"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_body_is_asked_for(method: str, path: str) -> None:
    request = OutboundRequest.from_url(method, f"https://api.github.com{path}", body=Body.unread())
    assert CONNECTOR.needs_body(request)


_FIELDS = st.sampled_from([*MUTATIONS, "viewer", "repository", "__typename", "nothing"])
_INPUTS = st.dictionaries(
    st.sampled_from(
        ["branch", "fileChanges", "refUpdates", "name", "state", "force", "limit", "id", "public",
         "additions", "path", "repositoryNameWithOwner", "branchName", "subjectId", "owner"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("o/r"),
        lambda inner: st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["additions", "deletions", "path", "name", "afterOid", "branchName",
                             "repositoryNameWithOwner"]), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)  # fmt: skip


@given(_FIELDS, _INPUTS, st.sampled_from(["query", "mutation"]))
def test_any_input_is_named_or_refused(field: str, value: object, kind: str) -> None:
    document = f"{kind}($i:I){{{field}(input:$i owner:$i name:$i)}}"
    try:
        actions = run(document, i=value)
    except (OpaqueBody, RequestRejected):
        return
    assert actions
    for action in actions:
        assert action.name in CONNECTOR.known_actions or ".unmapped." in action.name


@pytest.mark.parametrize(
    ("field", "name"),
    [("createRef", "branch.create"), ("createCommitOnBranch", "commit.create_on_branch")],
)
def test_input_that_lacks_its_place_is_incomplete(field: str, name: str) -> None:
    (action,) = run(f"mutation{{{field}(input:{{}}){{clientMutationId}}}}")
    assert action.name == f"github.{name}"
    assert not action.resource_complete
