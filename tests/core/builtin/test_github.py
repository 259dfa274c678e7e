"""GitHub: what each request is called, in every spelling that its clients and attackers use."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Category, Risk
from tameflare_core.builtin.github import GitHub
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.route_table import Route, read_catalogue
from tameflare_core.request import Body
from tests.core.builtin.github_requests import CONNECTOR, ENTERPRISE, REPO, names, parsed, request

CATALOGUE = read_catalogue(
    files("tameflare_core.builtin").joinpath("catalogs/github.tsv").read_text("utf-8")
)


# The catalogue


@pytest.mark.parametrize(
    "name",
    [
        "pr.create",
        "pr.merge",
        "pr.update",
        "pr.close",
        "pr.review",
        "issue.create",
        "issue.update",
        "issue.close",
        "branch.create",
        "branch.delete",
        "release.create",
        "release.delete",
        "file.create",
        "file.update",
        "file.delete",
        "repo.create",
        "repo.delete",
        "repo.update",
        "org.update",
        "team.create",
    ],
)
def test_documented_name_exists(name: str) -> None:
    assert f"github.{name}" in CONNECTOR.known_actions


def test_access_and_categories_make_sense() -> None:
    for row in CATALOGUE:
        if row.method == "DELETE":
            assert row.access is Access.WRITE, row
        if row.method == "GET":
            assert row.access is Access.READ, row
        if row.access is Access.READ:
            assert Category.DESTRUCTIVE not in row.categories, row
        if row.risk is Risk.CRITICAL:
            assert row.access is Access.WRITE, row
        if "secret" in row.path and "secret-scanning" not in row.path:
            assert Category.SECRETS in row.categories, row


# What real clients send


@pytest.mark.parametrize(
    ("method", "path", "name", "resource"),
    [
        ("GET", "/", "meta.get_root", {}),
        ("GET", "/user", "user.get_self", {}),
        ("GET", "/rate_limit", "rate_limit.get", {}),
        ("GET", REPO, "repo.get", {"owner": "o", "repo": "r"}),
        (
            "GET",
            "/repos/OctoCat/Hello-World",
            "repo.get",
            {"owner": "octocat", "repo": "hello-world"},
        ),
        # git's suffix is no part of a repository's name.
        ("DELETE", "/repos/o/r.git", "repo.delete", {"owner": "o", "repo": "r"}),
        ("GET", f"{REPO}/issues?state=open&page=2", "issue.list", {"owner": "o", "repo": "r"}),
        ("PUT", f"{REPO}/pulls/7/merge", "pr.merge", {"owner": "o", "repo": "r", "number": "7"}),
        (
            "GET",
            f"{REPO}/pulls/7/merge",
            "pr.check_merged",
            {"owner": "o", "repo": "r", "number": "7"},
        ),
        # Branch names: raw in PyGithub and curl, encoded in octokit.
        ("DELETE", f"{REPO}/git/refs/heads/feature/x", "branch.delete", {"ref": "heads/feature/x"}),
        (
            "DELETE",
            f"{REPO}/git/refs/heads%2Ffeature%2Fx",
            "branch.delete",
            {"ref": "heads/feature/x"},
        ),
        ("GET", f"{REPO}/git/ref/heads/feature/x", "git_ref.get", {"ref": "heads/feature/x"}),
        ("GET", f"{REPO}/git/refs/heads/main", "git_ref.get", {"ref": "heads/main"}),
        ("GET", f"{REPO}/git/refs", "git_ref.list", {"repo": "r"}),
        ("GET", f"{REPO}/branches/feature/x", "branch.get", {"branch": "feature/x"}),
        (
            "DELETE",
            f"{REPO}/branches/feature/x/y/protection",
            "branch_protection.delete",
            {"branch": "feature/x/y"},
        ),
        (
            "POST",
            f"{REPO}/branches/feature/x/protection/restrictions/users",
            "branch_protection.add_allowed_users",
            {"branch": "feature/x"},
        ),
        ("GET", f"{REPO}/releases/tags/v1/2", "release.get_by_tag", {"tag": "v1/2"}),
        ("GET", f"{REPO}/git/trees/feature/x", "git_tree.get", {"tree_sha": "feature/x"}),
        ("GET", f"{REPO}/branches/feature%2Fx", "branch.get", {"branch": "feature/x"}),
        (
            "GET",
            f"{REPO}/branches/feature%2Fx/protection",
            "branch_protection.get",
            {"branch": "feature/x"},
        ),
        (
            "GET",
            f"{REPO}/git/trees/feature%2Fx?recursive=1",
            "git_tree.get",
            {"tree_sha": "feature/x"},
        ),
        (
            "GET",
            f"{REPO}/commits/feature%2Fx/status",
            "commit_status.get_combined",
            {"ref": "feature/x"},
        ),
        # Comparisons
        (
            "GET",
            f"{REPO}/compare/main...feature%2Fx",
            "commit.compare",
            {"basehead": "main...feature/x"},
        ),
        (
            "GET",
            f"{REPO}/compare/main...feature/x",
            "commit.compare",
            {"basehead": "main...feature/x"},
        ),
        ("GET", f"{REPO}/compare/o:main...p:dev", "commit.compare", {"basehead": "o:main...p:dev"}),
        # Files
        ("GET", f"{REPO}/contents", "file.get", {"repo": "r"}),
        ("GET", f"{REPO}/contents/", "file.get", {"repo": "r"}),
        ("GET", f"{REPO}/contents/.github", "file.get", {"path": ".github"}),
        (
            "GET",
            f"{REPO}/contents/.github/workflows/a.yml",
            "file.get",
            {"path": ".github/workflows/a.yml"},
        ),
        ("GET", f"{REPO}/contents/docs/a%20b.md?ref=a/../b", "file.get", {"path": "docs/a b.md"}),
        ("GET", f"{REPO}/contents/docs%2FREADME.md", "file.get", {"path": "docs/README.md"}),
        ("GET", f"{REPO}/contents/package.json", "file.get", {"path": "package.json"}),
        ("GET", f"{REPO}/contents/a;b.txt", "file.get", {"path": "a;b.txt"}),
        ("GET", f"{REPO}/contents/%E6%97%A5%E6%9C%AC.md", "file.get", {"path": "日本.md"}),
        ("DELETE", f"{REPO}/contents/x/y", "file.delete", {"path": "x/y"}),
        (
            "GET",
            f"{REPO}/zipball/refs/heads/main",
            "repo.download_zipball",
            {"ref": "refs/heads/main"},
        ),
        ("GET", f"{REPO}/readme/docs/en", "readme.get_in_directory", {"dir": "docs/en"}),
        # Labels, environments, packages
        (
            "DELETE",
            f"{REPO}/issues/1/labels/good%20first%20issue",
            "issue.remove_label",
            {"name": "good first issue"},
        ),
        ("DELETE", f"{REPO}/labels/area%2Fnet", "label.delete", {"name": "area/net"}),
        (
            "GET",
            f"{REPO}/environments/prod%2Feu",
            "environment.get",
            {"environment_name": "prod/eu"},
        ),
        (
            "GET",
            "/orgs/o/packages/container/app%2Fweb",
            "org_package.get",
            {"package_name": "app/web"},
        ),
        ("GET", f"{REPO}/releases/tags/v1%2F2", "release.get_by_tag", {"tag": "v1/2"}),
        ("GET", f"{REPO}/releases/latest", "release.get_latest", {"repo": "r"}),
        ("GET", f"{REPO}/commits/main/check-runs", "check_run.list_for_ref", {"ref": "main"}),
        ("GET", "/orgs/o/projectsV2/1/items", "org_project_item.list", {"project_number": "1"}),
        ("GET", "/search/code?q=x+in:file+repo:o/r", "code.search", {}),
    ],
)
def test_request_of_a_client_has_its_name(
    method: str, path: str, name: str, resource: dict[str, str]
) -> None:
    (action,) = parsed(method, path)
    assert action.name == f"github.{name}"
    assert action.resource.items() >= resource.items()
    # A file is deleted on the default branch, unless the body says otherwise.
    assert action.resource_complete is (name != "file.delete")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_is_judged_as_get(method: str) -> None:
    assert names(method, REPO) == ["repo.get"]
    assert names(method, f"{REPO}/nothing") == ["unmapped.get"]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_other_methods_are_not_reads(method: str) -> None:
    (action,) = parsed(method, REPO)
    assert action.name == f"github.unmapped.{method.lower()}"
    assert action.access is Access.WRITE


def test_upload_has_a_host_of_its_own() -> None:
    (action,) = parsed(
        "POST", "/repos/o/r/releases/1/assets?name=x.zip", base="https://uploads.github.com"
    )
    assert action.name == "github.release_asset.upload"
    assert {origin.host for origin in CONNECTOR.origins} == {
        "api.github.com",
        "uploads.github.com",
        "github.com",
    }


@pytest.mark.parametrize(
    ("path", "name", "field"),
    [
        ("/repositories/1300192", "repo.get", "repository_id"),
        ("/repositories/1300192/issues?page=2", "issue.list", "repository_id"),
        ("/organizations/9919/repos?page=2", "repo.list", "org_id"),
        ("/user/583231/repos?page=3", "repo.list_for_user", "account_id"),
    ],
)
def test_link_to_a_further_page_has_the_name_of_the_first(path: str, name: str, field: str) -> None:
    (action,) = parsed("GET", path)
    assert action.name == f"github.{name}"
    assert set(action.resource) == {field}
    assert not action.resource_complete


def test_operation_by_number_has_its_name() -> None:
    (action,) = parsed("DELETE", "/repositories/1300192")
    assert (action.name, action.risk) == ("github.repo.delete", Risk.CRITICAL)
    (action,) = parsed("PUT", "/repositories/1300192/pulls/5/merge")
    assert action.resource == {"number": "5", "repository_id": "1300192"}


def test_dash_is_a_name_in_a_path_by_number() -> None:
    (action,) = parsed("PUT", "/repositories/1/contents/-", {"branch": "main"})
    assert action.resource == {"repository_id": "1", "path": "-", "branch": "main"}


def test_branch_with_slashes_by_number_has_its_protection() -> None:
    (action,) = parsed("DELETE", "/repositories/1/branches/a/b/protection")
    assert action.name == "github.branch_protection.delete"
    assert action.resource == {"repository_id": "1", "branch": "a/b"}


@pytest.mark.parametrize(
    "path", ["/repositories/x/issues", "/repositories/1x", "/repositories/1/x"]
)
def test_other_path_by_number_is_unmapped(path: str) -> None:
    assert names("GET", path) == ["unmapped.get"]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("DELETE", "/organizations/1/team/2", "team.delete"),
        ("PUT", "/organizations/1/team/2/memberships/u", "team_member.add"),
    ],
)
def test_team_by_numbers_has_its_name(method: str, path: str, name: str) -> None:
    (action,) = parsed(method, path)
    assert action.name == f"github.{name}"
    assert (action.resource["org_id"], action.resource["team_id"]) == ("1", "2")
    assert not action.resource_complete


@pytest.mark.parametrize("path", [f"{REPO}/pulls/07", f"{REPO}/actions/runs/007"])
def test_zeros_before_a_number_are_rejected(path: str) -> None:
    with pytest.raises(RequestRejected, match="zeros"):
        parsed("GET", path)


# GitHub Enterprise Server


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/v3", "meta.get_root"),
        ("GET", "/api/v3/", "meta.get_root"),
        ("PUT", "/api/v3/repos/o/r/pulls/7/merge", "pr.merge"),
        ("POST", "/api/uploads/repos/o/r/releases/1/assets?name=x", "release_asset.upload"),
        ("GET", "/repos/o/r", "unmapped.get"),
        ("POST", "/o/r/issues", "unmapped.post"),
        ("GET", "/api/v33/user", "unmapped.get"),
    ],
)
def test_server_of_ones_own_has_prefixes(method: str, path: str, name: str) -> None:
    (action,) = parsed(method, path, base="https://ghe.example")
    assert action.name == f"github.{name}"


@pytest.mark.parametrize("path", ["/API/GraphQL", "/api/graphql;x", "/api/v3/GraphQL"])
def test_graphql_of_a_server_in_another_spelling_is_opaque(path: str) -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", path, base="https://ghe.example")


def test_server_owns_its_host_alone() -> None:
    assert [str(origin) for origin in ENTERPRISE.origins] == ["https://ghe.example:443"]


@pytest.mark.parametrize("url", ["https://ghe.example", "https://ghe.example/api/v4"])
def test_base_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"ends in `/api/v3`"):
        GitHub(ConnectorSettings(id="g", base_url=BaseUrl.parse(url)))


# Spellings that some router might fold into a known path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/REPOS/o/r/pulls/1/merge"),
        ("PUT", f"{REPO}/pulls/1/MERGE"),
        ("PUT", f"{REPO}/pulls/1/merge;x=1"),
        ("PUT", f"{REPO}/pulls;x/1/merge"),
        ("PUT", f"{REPO}/pulls/1/merge%20"),
        ("PUT", f"{REPO}/pulls/1/merge%3Fx"),
        ("PUT", f"{REPO}/pulls/1/merge%23x"),
        ("PUT", f"{REPO}/pulls/1/merge%3Bx"),
        ("PUT", f"{REPO}/pulls/1/merge/%20"),
        ("PUT", f"{REPO}/pulls/1/merge."),
        ("PUT", f"{REPO}/pulls/1/merge.json"),
        ("GET", "/user/EMAILS"),
        ("GET", "/orgs/o/PROJECTSV2/1/items"),
        ("GET", "/orgs/o/projectsv2/1/items;x"),
        ("POST", "/orgs/o/ACTIONS/variables"),
        ("DELETE", "/orgs/o/code-security/configurations/DETACH"),
        ("DELETE", "/REPOSITORIES/1"),
    ],
)
def test_decorated_path_is_rejected(method: str, path: str) -> None:
    with pytest.raises(RequestRejected, match="in case or decoration only"):
        parsed(method, path)


@pytest.mark.parametrize("path", ["/GraphQL", "/graphql;x", "/graphql.json"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
def test_graphql_in_another_spelling_is_opaque(method: str, path: str) -> None:
    with pytest.raises(OpaqueBody):
        parsed(method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/repos/o%2Fr",
        "/repos/o/r%2Fpulls/1/merge",
        "/repos/o/r/pulls%2F1%2Fmerge",
        "/repos/o/r/pulls/1%2Fmerge",
        "/repos/o/r/pulls/1%2F2/merge",
        "/x%2Fy",
    ],
)
def test_encoded_slash_is_rejected_outside_names(path: str) -> None:
    with pytest.raises(RequestRejected, match="encoded slash"):
        parsed("PUT", path)


@pytest.mark.parametrize("path", ["/repos/%E2%84%AAelvin/r", "/repos/o/%EF%BD%92", "/orgs/%C3%A9"])
def test_letter_that_might_fold_to_ascii_is_rejected(path: str) -> None:
    with pytest.raises(RequestRejected, match="outside ASCII"):
        parsed("GET", path)


LITERALS = sorted({(row.method, row.path) for row in CATALOGUE if re.search(r"/[a-z]", row.path)})


@given(st.sampled_from(LITERALS), st.randoms())
def test_no_capital_letter_turns_a_row_into_another(
    row: tuple[str, str], random: st.DataObject
) -> None:
    method, template = row
    path = re.sub(r"\{.+?\}", "1", template)
    index = random.choice([i for i, char in enumerate(path) if char.isalpha()])  # type: ignore[attr-defined]
    changed = path[:index] + path[index].swapcase() + path[index + 1 :]
    body = Body.complete(b'{"sha": "1"}')
    before = [action.name for action in CONNECTOR.parse(request(method, path, body))]
    try:
        after = [action.name for action in CONNECTOR.parse(request(method, changed, body))]
    except RequestRejected:
        return
    assert after == before


# POST in place of PATCH


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (REPO, "repo.update"),
        (f"{REPO}/issues/1", "issue.update"),
        (f"{REPO}/pulls/1", "pr.update"),
        (f"{REPO}/git/refs/heads/main", "branch.update"),
        ("/orgs/o/teams/t", "team.update"),
        ("/orgs/o", "org.update"),
        # Where POST has a meaning of its own, that is it.
        (f"{REPO}/issues", "issue.create"),
        (f"{REPO}/releases/generate-notes", "release.generate_notes"),
        ("/applications/c/token", "oauth_token.check"),
        ("/orgs/o/dependency_graph/enable_all", "org_security_product.set_all_repos"),
    ],
)
def test_post_stands_for_patch(path: str, name: str) -> None:
    assert names("POST", path) == [name]


def test_post_cannot_close_unseen() -> None:
    assert names("POST", f"{REPO}/pulls/1", {"state": "closed"}) == ["pr.close"]


# Paths that no row covers


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/nothing", {}),
        ("/repos/O/R/nothing", {"owner": "o", "repo": "r"}),
        ("/orgs/O/nothing", {"org": "o"}),
        ("/users/U/nothing/x", {"username": "u"}),
        ("/repos/o", {"owner": "o"}),
        ("/repos", {}),
    ],
)
def test_unmapped_request_says_what_it_can(path: str, resource: dict[str, str]) -> None:
    (action,) = parsed("PUT", path)
    assert action.name == "github.unmapped.put"
    assert (action.access, action.risk) == (Access.WRITE, Risk.HIGH)
    assert action.resource == resource
    assert not action.resource_complete


def test_settings_for_other_services_are_refused() -> None:
    row = Route(method="GET", path="/x", action="a.b", access=Access.READ, risk=Risk.LOW)
    with pytest.raises(ValueError, match="`hosts` is not for github"):
        GitHub(ConnectorSettings(id="g", hosts=("a.example",)))
    with pytest.raises(ValueError, match="`actions` is not for github"):
        GitHub(ConnectorSettings(id="g", actions=(row,)))
