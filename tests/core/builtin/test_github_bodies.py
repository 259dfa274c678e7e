"""What the bodies of GitHub's operations say."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from tameflare_core.action import Category, Risk
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.request import Body, OutboundRequest
from tests.core.builtin.github_requests import CONNECTOR, REPO, names, parsed, request


@pytest.mark.parametrize("resource", ["pr", "issue"])
@pytest.mark.parametrize(
    ("body", "verbs"),
    [
        (None, ["update"]),
        ({}, ["update"]),
        ({"title": "x"}, ["update"]),
        ({"state": "open"}, ["update"]),
        ({"state": None, "title": "x"}, ["update"]),
        ({"state": "closed"}, ["close"]),
        ({"state": "closed", "state_reason": "completed"}, ["close"]),
        ({"state": "closed", "title": "x"}, ["close", "update"]),
        ({"state": "CLOSED"}, ["close"]),
        ({"state": ["closed"]}, ["close"]),
        ({"state": True}, ["close"]),
    ],
)
def test_closing_is_an_action_of_its_own(resource: str, body: object, verbs: list[str]) -> None:
    path = f"{REPO}/{'pulls' if resource == 'pr' else 'issues'}/1"
    assert names("PATCH", path, body) == [f"{resource}.{verb}" for verb in verbs]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (None, "file.create"),
        ({"content": "eA=="}, "file.create"),
        ({"sha": ""}, "file.create"),
        ({"sha": None}, "file.create"),
        ({"sha": "95b966"}, "file.update"),
        ({"sha": 1}, "file.update"),
    ],
)
def test_file_with_a_sha_is_updated(body: object, name: str) -> None:
    (action,) = parsed("PUT", f"{REPO}/contents/a.txt", body)
    assert (action.name, action.risk) == (f"github.{name}", Risk.MEDIUM)
    assert Category.CODE_EXECUTION not in action.categories


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/a.yml",
        ".github%2Fworkflows%2Fa.yml",
        "%2egithub/workfl%6fws/a.yml",
        ".GitHub/workflows/a.yml",
    ],
)
@pytest.mark.parametrize("body", [{}, {"sha": "1"}])
def test_writing_a_workflow_runs_code(path: str, body: object) -> None:
    (action,) = parsed("PUT", f"{REPO}/contents/{path}", body)
    assert action.risk is Risk.HIGH
    assert Category.CODE_EXECUTION in action.categories


@pytest.mark.parametrize("path", ["x%2F..%2F.github%2Fworkflows%2Fa.yml", "..%2Fpulls%2F1%2Fmerge"])
def test_path_within_a_segment_cannot_climb(path: str) -> None:
    with pytest.raises(RequestRejected):
        parsed("PUT", f"{REPO}/contents/{path}", {})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"sha": "1"}, ["branch.update"]),
        ({"sha": "1", "force": False}, ["branch.update"]),
        ({"sha": "1", "force": None}, ["branch.update"]),
        ({"sha": "1", "force": True}, ["branch.force_update", "branch.update"]),
        ({"sha": "1", "force": "true"}, ["branch.force_update", "branch.update"]),
        ({"sha": "1", "force": 1}, ["branch.force_update", "branch.update"]),
    ],
)
def test_forced_update_of_a_branch_has_its_name(body: object, expected: list[str]) -> None:
    assert names("PATCH", f"{REPO}/git/refs/heads/main", body) == expected


def test_forced_update_of_a_branch_is_destructive() -> None:
    forced, plain = parsed("PATCH", f"{REPO}/git/refs/heads/main", {"force": True})
    assert Category.DESTRUCTIVE in forced.categories
    assert forced.risk is Risk.HIGH
    assert Category.DESTRUCTIVE not in plain.categories
    assert forced.resource == {"owner": "o", "repo": "r", "ref": "heads/main"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"description": "x"}, ["repo.update"]),
        ({"private": False}, ["repo.change_visibility", "repo.update"]),
        ({"visibility": "public"}, ["repo.change_visibility", "repo.update"]),
    ],
)
def test_change_of_visibility_has_its_name(body: object, expected: list[str]) -> None:
    actions = parsed("PATCH", REPO, body)
    assert [action.name for action in actions] == [f"github.{name}" for name in expected]
    if len(actions) > 1:
        assert actions[0].risk is Risk.CRITICAL


DECIDED_BY_BODY = [
    ("PATCH", f"{REPO}/pulls/1"),
    ("POST", f"{REPO}/pulls/1"),
    ("PATCH", f"{REPO}/issues/1"),
    ("PUT", f"{REPO}/contents/x"),
    ("PATCH", REPO),
    ("PATCH", f"{REPO}/git/refs/heads/x"),
    ("PATCH", "/repositories/1/pulls/1"),
]
TOLD_BY_BODY = [
    ("POST", f"{REPO}/issues"),
    ("PUT", f"{REPO}/pulls/1/merge"),
    ("POST", "/user/keys"),
]


@pytest.mark.parametrize(("method", "path"), DECIDED_BY_BODY)
def test_body_is_asked_for_where_it_decides(method: str, path: str) -> None:
    assert CONNECTOR.needs_body(request(method, path, Body.unread()))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", REPO),
        ("POST", f"{REPO}/issues"),
        ("PATCH", "/nothing"),
    ],
)
def test_body_is_left_alone_elsewhere(method: str, path: str) -> None:
    assert not CONNECTOR.needs_body(request(method, path, Body.unread()))


@pytest.mark.parametrize(("method", "path"), TOLD_BY_BODY)
def test_members_of_the_body_are_params(method: str, path: str) -> None:
    (action,) = parsed(method, path, {"title": "x", "labels": ["y"]})
    assert action.params == {"title": "x", "labels": ["y"]}
    assert action.params_complete


@pytest.mark.parametrize(("method", "path"), DECIDED_BY_BODY)
def test_params_of_every_name_that_the_body_gives_are_whole(method: str, path: str) -> None:
    body = {"title": "x", "state": "closed", "force": True, "private": False}
    for action in parsed(method, f"{path}?page=2", body):
        assert action.params == {**body, "page": "2"}
        assert action.params_complete


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("GET", f"{REPO}/issues?state=all&labels=a,b", {"state": "all", "labels": "a,b"}),
        ("HEAD", f"{REPO}/contents/x?ref=main", {"ref": "main"}),
        ("GET", "/search/code?q=a&q=b", {"q": ["a", "b"]}),
        ("DELETE", f"{REPO}?confirm=1", {"confirm": "1"}),
    ],
)
def test_parameters_of_the_query_are_params(
    method: str, path: str, params: dict[str, object]
) -> None:
    (action,) = parsed(method, path)
    assert (action.params, action.params_complete) == (params, True)


def test_read_by_post_has_the_members_of_its_body() -> None:
    (action,) = parsed("POST", "/markdown", {"text": "x"})
    assert (action.params, action.params_complete) == ({"text": "x"}, True)
    (raw,) = CONNECTOR.parse(request("POST", "/markdown/raw", Body.unread()))
    assert not raw.params_complete


def test_get_with_a_body_is_not_all_told() -> None:
    (action,) = parsed("GET", f"{REPO}/issues?state=open", {"state": "closed"})
    assert (action.params, action.params_complete) == ({"state": "open"}, False)


def test_query_and_body_that_differ_are_not_settled() -> None:
    (action,) = parsed("POST", f"{REPO}/issues?title=y&page=1", {"title": "x"})
    assert (action.params, action.params_complete) == ({"page": "1"}, False)


def test_uploaded_file_is_no_params() -> None:
    path = f"{REPO}/releases/1/assets?name=a.json"
    url = f"https://uploads.github.com{path}"
    body = Body.complete(b'{"name": "b.json"}')
    asked = OutboundRequest.from_url(
        "POST", url, headers=[("content-type", "application/json")], body=body
    )
    (action,) = CONNECTOR.parse(asked)
    assert action.name == "github.release_asset.upload"
    assert (action.params, action.params_complete) == ({"name": "a.json"}, False)


@pytest.mark.parametrize("body", [Body.unread(), Body.oversize(), Body.complete(b'{"a":1,"a":2}')])
def test_params_that_cannot_be_read_are_said_to_be_missing(body: Body) -> None:
    (action,) = CONNECTOR.parse(request("POST", f"{REPO}/issues", body))
    assert (action.name, action.params, action.params_complete) == (
        "github.issue.create",
        {},
        False,
    )


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_branch_of_a_file_is_what_the_body_says(method: str) -> None:
    (action,) = parsed(method, f"{REPO}/contents/x", {"branch": "refs/heads/dev"})
    assert action.resource["branch"] == "dev"
    assert action.resource_complete


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_default_branch_of_a_file_is_not_known(method: str) -> None:
    (action,) = parsed(method, f"{REPO}/contents/x", {"message": "m"})
    assert "branch" not in action.resource
    assert not action.resource_complete


@pytest.mark.parametrize(
    "parameter", ["state=closed", "sha=1", "branch=main", "%73tate=closed", "x;state=closed"]
)
def test_deciding_parameter_in_the_query_is_opaque(parameter: str) -> None:
    with pytest.raises(OpaqueBody, match="query"):
        parsed("PATCH", f"{REPO}/issues/1?{parameter}", {"title": "x"})


@pytest.mark.parametrize("media_type", ["", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("separator", ["&", ";"])
def test_json_that_is_a_form_as_well_is_opaque(media_type: str, separator: str) -> None:
    body = Body.complete(json.dumps({"title": f"{separator}state=closed{separator}"}).encode())
    headers = [("content-type", media_type)] if media_type else []
    url = f"https://api.github.com{REPO}/pulls/1"
    asked = OutboundRequest.from_url("PATCH", url, headers=headers, body=body)
    with pytest.raises(OpaqueBody, match="form"):
        CONNECTOR.parse(asked)


def test_json_of_curl_is_read() -> None:
    body = Body.complete(b'{"title": "this & that; more"}')
    headers = [("content-type", "application/x-www-form-urlencoded")]
    url = f"https://api.github.com{REPO}/pulls/1"
    (action,) = CONNECTOR.parse(OutboundRequest.from_url("PATCH", url, headers=headers, body=body))
    assert action.name == "github.pr.update"


@pytest.mark.parametrize(
    ("body", "ref"), [({"ref": "refs/heads/x"}, "heads/x"), ({}, None), ({"ref": 1}, None)]
)
def test_new_branch_is_what_the_body_says(body: object, ref: str | None) -> None:
    (action,) = parsed("POST", f"{REPO}/git/refs", body)
    assert action.resource.get("ref") == ref
    assert action.resource_complete is (ref is not None)


UNREADABLE = {
    "unread": Body.unread(),
    "oversize": Body.oversize(),
    "form": Body.complete(b"state=closed"),
    "text": Body.complete(b"x"),
    "array": Body.complete(b"[]"),
    "null": Body.complete(b"null"),
    "twice": Body.complete(b'{"state": "open", "state": "closed"}'),
    "twice in case": Body.complete(b'{"state": "open", "State": "closed"}'),
    "other case": Body.complete(b'{"State": "closed", "Sha": "x", "Private": 1}'),
    "folded letter": Body.complete(
        '{"\u017ftate": "closed", "\u017fha": 1, "vi\u017fibility": 1}'.encode()
    ),
    "byte order mark": Body.complete(b'\xef\xbb\xbf{"state": "closed"}'),
    "utf-16": Body.complete('{"state": "closed"}'.encode("utf-16")),
    "not utf-8": Body.complete(b'{"title": "\xff"}'),
    "compressed unsaid": Body.complete(gzip.compress(b'{"state": "closed"}')),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize(("method", "path"), DECIDED_BY_BODY[:5])
def test_body_that_cannot_be_read_is_opaque(method: str, path: str, body: Body) -> None:
    with pytest.raises(OpaqueBody):
        CONNECTOR.parse(request(method, path, body))


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_compressed_body_is_read(coding: str, pack: object) -> None:
    data = pack(b'{"state": "closed"}')  # type: ignore[operator]
    (action,) = CONNECTOR.parse(request("PATCH", f"{REPO}/pulls/1", data, coding=coding))
    assert action.name == "github.pr.close"
    with pytest.raises(OpaqueBody):
        CONNECTOR.parse(request("PATCH", f"{REPO}/pulls/1", data, coding="compress"))


@pytest.mark.parametrize("branch", ["", " "])
def test_empty_branch_may_be_the_default_branch(branch: str) -> None:
    (action,) = parsed("PUT", f"{REPO}/contents/x", {"branch": branch})
    assert "branch" not in action.resource
    assert not action.resource_complete
