"""Git over HTTPS: what fetches and pushes are called, and where their credential goes."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tameflare_core.action import Access, Action, Category, Risk
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.builtin.github import GitHub
from tameflare_core.builtin.github_git import GIT_ACTIONS, GIT_FIELDS, SITE, git_rows
from tameflare_core.connectors.base import ConnectorSettings
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.injection.placement import Basic, Header
from tameflare_core.request import Body, OutboundRequest

CONNECTOR = GitHub(ConnectorSettings(id="github"))
ENTERPRISE = GitHub(
    ConnectorSettings(id="ghe", base_url=BaseUrl.parse("https://ghe.example/api/v3"))
)
HOME = "https://github.com"
ZERO, OLD, NEW = "0" * 40, "1" * 40, "2" * 40


def push_body(*commands: str, options: Sequence[str] = ()) -> bytes:
    first, *others = commands
    announced = " push-options" if options else ""
    lines = [f"{first}\0 report-status{announced}", *others]
    sections = [lines, options] if options else [lines]
    return b"".join(
        b"".join(b"%04x%b" % (len(line.encode()) + 4, line.encode()) for line in section) + b"0000"
        for section in sections
    )


def request(
    method: str, path: str, body: bytes | Body = b"", *, coding: str = "", base: str = HOME
) -> OutboundRequest:
    headers = [("Content-Type", "application/x-git-receive-pack-request")]
    if coding:
        headers.append(("Content-Encoding", coding))
    known = body if isinstance(body, Body) else Body.complete(body)
    return OutboundRequest.from_url(method, base + path, headers=headers, body=known)


def parsed(
    method: str, path: str, body: bytes | Body = b"", *, coding: str = "", base: str = HOME
) -> Sequence[Action]:
    connector = ENTERPRISE if "ghe" in base else CONNECTOR
    return connector.parse(request(method, path, body, coding=coding, base=base))


def pushed(*commands: str, coding: str = "") -> Sequence[Action]:
    body = push_body(*commands)
    return parsed(
        "POST", "/o/r.git/git-receive-pack", gzip.compress(body) if coding else body, coding=coding
    )


MAIN = f"{OLD} {NEW} refs/heads/main"

# Names


@pytest.mark.parametrize("base", [HOME, "https://ghe.example"])
@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/o/r.git/info/refs?service=git-upload-pack", "git.fetch"),
        ("GET", "/O/R/info/refs?service=git-upload-pack", "git.fetch"),
        ("GET", "/o/r/info/refs?service=git-receive-pack", "git.push"),
        ("POST", "/o/r.git/git-upload-pack", "git.fetch"),
        ("GET", "/o/r/info/lfs/locks?limit=1", "lfs_lock.list"),
        ("POST", "/o/r.git/info/lfs/locks", "lfs_lock.create"),
        ("POST", "/o/r.git/info/lfs/locks/verify", "lfs_lock.verify"),
        ("POST", "/o/r.git/info/lfs/locks/7/unlock", "lfs_lock.delete"),
    ],
)
def test_request_of_git_has_its_name(method: str, path: str, name: str, base: str) -> None:
    (action,) = parsed(method, path, base=base)
    assert action.name == f"github.{name}"
    assert (action.resource["owner"], action.resource["repo"]) == ("o", "r")


def test_start_of_a_push_says_so() -> None:
    (action,) = parsed("GET", "/o/r/info/refs?service=git-receive-pack")
    assert (action.name, action.access) == ("github.git.push", Access.READ)
    assert action.resource_complete


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/o/r"),
        ("GET", "/o/r.git/HEAD"),
        ("GET", "/o/r.git/objects/info/packs"),
        ("GET", "/o/r.git/info/refs"),
        ("GET", "/o/r.git/info/refs?service=git-upload-archive"),
        ("GET", "/o/r.git/info/refs?Service=git-upload-pack"),
        ("GET", "/o/r.git/git-receive-pack"),
        ("POST", "/o/r.git/info/refs?service=git-upload-pack"),
        ("PUT", "/o/r.git/git-receive-pack"),
        ("POST", "/o/r/x/git-receive-pack"),
        ("POST", "/login/oauth/access_token"),
        ("PUT", "/repos/o/r/pulls/1/merge"),
    ],
)
def test_rest_of_the_site_is_unmapped(method: str, path: str) -> None:
    (action,) = parsed(method, path)
    assert action.name == f"github.unmapped.{method.lower()}"
    assert not action.resource_complete


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/o/r/info/refs?service=git-upload-pack&service=git-receive-pack"),
        ("POST", "/o/r/GIT-RECEIVE-PACK"),
        ("POST", "/o/r/git-receive-pack;x"),
        ("POST", "/o/r/git-receive-pack%20"),
        ("POST", "/o/r/git-receive-pack.json"),
        ("POST", "/o%2Fr/git-receive-pack"),
        ("POST", "/x%2Fo/r/git-receive-pack"),
        ("POST", "/o/r/info/lfs/Objects/batch"),
        ("POST", "/o/%C5%BF/git-receive-pack"),
    ],
)
def test_other_spelling_is_refused(method: str, path: str) -> None:
    with pytest.raises(RequestRejected):
        parsed(method, path, push_body(MAIN))


@pytest.mark.parametrize(
    "path",
    [
        "/o/r/git-receive-pack",
        "/o/r.git/git-receive-pack/",
        "/O/R.GIT/git-receive-pack",
        "/o/r.git.git/git-receive-pack",
        "/o/r/git%2Dreceive-pack",
        "/o/r/git-receive-pack?service=git-upload-pack",
    ],
)
def test_every_spelling_of_a_push_is_one(path: str) -> None:
    (action,) = parsed("POST", path, push_body(MAIN))
    assert action.name == "github.git.push"
    assert action.resource == {
        "owner": "o",
        "repo": "r",
        "ref": "heads/main",
        "branch": "main",
    }


def test_names_and_fields_are_known() -> None:
    names = {row.action for row in git_rows()} | GIT_ACTIONS
    assert names <= CONNECTOR.known_actions
    assert CONNECTOR.resource_fields >= GIT_FIELDS | {"lock_id"}
    assert all(row.path.startswith(f"{SITE}/{{owner}}/{{repo}}/") for row in git_rows())


# Pushes


def test_each_ref_is_judged_by_itself() -> None:
    actions = pushed(
        MAIN,
        f"{ZERO} {NEW} refs/heads/a/b",
        f"{OLD} {ZERO} refs/heads/gone",
        f"{ZERO} {NEW} refs/tags/v2",
        f"{OLD} {NEW} refs/tags/v1",
        f"{OLD} {ZERO} refs/tags/v0",
        f"{ZERO} {NEW} refs/for/main",
    )
    told = [
        (one.name.removeprefix("github.git."), one.resource.get("branch") or one.resource["ref"])
        for one in actions
    ]
    assert told == [
        ("push", "main"),
        ("push", "a/b"),
        ("push.delete", "gone"),
        ("push", "tags/v2"),
        ("push.force", "tags/v1"),
        ("push.delete", "tags/v0"),
        ("push", "for/main"),
    ]
    assert actions[4].resource["tag"] == "v1"
    assert actions[0].params == {"old": OLD, "new": NEW}
    assert {one.risk for one in actions} == {Risk.HIGH}
    assert [Category.DESTRUCTIVE in one.categories for one in actions] == [
        name != "push" for name, _ in told
    ]


def test_push_options_are_shown() -> None:
    body = push_body(MAIN, options=["ci.skip"])
    (action,) = parsed("POST", "/o/r/git-receive-pack", body)
    assert action.params["options"] == ["ci.skip"]


def test_probe_before_a_large_push_is_its_beginning() -> None:
    probe = b"0000"
    (action,) = parsed("POST", "/o/r/git-receive-pack", probe)
    (listed,) = parsed("GET", "/o/r/info/refs?service=git-receive-pack")
    assert listed.params == {"service": "git-receive-pack"}
    assert action == replace(listed, params={})


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_compressed_push_is_read(coding: str) -> None:
    (action,) = pushed(MAIN, coding=coding)
    assert action.resource["branch"] == "main"


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_refs_of_a_large_push_are_read(coding: str) -> None:
    whole = push_body(MAIN) + b"PACK" + os.urandom(2 * MAX_INSPECTED)
    sent = gzip.compress(whole) if coding else whole
    body = Body.oversize(sent[:MAX_INSPECTED])
    (action,) = parsed("POST", "/o/r/git-receive-pack", body, coding=coding)
    assert (action.name, action.resource["branch"]) == ("github.git.push", "main")


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (Body.unread(), ""),
        (Body.absent(), ""),
        (Body.oversize(), ""),
        (Body.oversize(b"0000"), ""),
        (Body.oversize(push_body(MAIN)[:-4]), ""),
        (Body.complete(push_body(MAIN)), "gzip"),
        (Body.complete(push_body(MAIN)), "br"),
        (Body.complete(push_body(MAIN)), "identity"),
        (Body.complete(zlib.compress(push_body(MAIN))), "deflate"),
        (Body.complete(gzip.compress(push_body(MAIN)) * 2), "gzip"),
        (Body.oversize(gzip.compress(push_body(MAIN)) * 2), "gzip"),
        (Body.oversize(push_body(MAIN)), "gzip"),
        (Body.complete(gzip.compress(gzip.compress(push_body(MAIN)))), "gzip, gzip"),
        (Body.complete(b'{"ref": "refs/heads/main"}'), ""),
    ],
)
def test_push_that_cannot_be_read_is_opaque(body: Body, coding: str) -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", "/o/r/git-receive-pack", body, coding=coding)


def test_only_pushes_and_batches_need_their_body() -> None:
    def needs(method: str, path: str) -> bool:
        return CONNECTOR.needs_body(request(method, path, Body.unread()))

    assert needs("POST", "/o/r/git-receive-pack")
    assert needs("POST", "/o/r/info/lfs/objects/batch")
    assert not needs("POST", "/o/r/git-upload-pack")
    assert not needs("GET", "/o/r/info/refs?service=git-receive-pack")


# Git LFS


@pytest.mark.parametrize(
    ("operation", "access"), [("download", Access.READ), ("upload", Access.WRITE)]
)
def test_lfs_batch_is_what_it_asks_for(operation: str, access: Access) -> None:
    body = json.dumps({"operation": operation, "objects": []}).encode()
    (action,) = parsed("POST", "/o/r.git/info/lfs/objects/batch", body)
    assert (action.name, action.access) == (f"github.lfs_object.{operation}", access)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"operation": "verify"}',
        b'{"operation": ["upload"]}',
        b'{"Operation": "upload"}',
        b'{"operation": "download", "operation": "upload"}',
    ],
)
def test_unclear_lfs_batch_is_opaque(body: bytes) -> None:
    with pytest.raises(OpaqueBody):
        parsed("POST", "/o/r.git/info/lfs/objects/batch", body)


# The credential


def test_git_gets_a_token_as_password() -> None:
    for path in ("/o/r.git/info/refs?service=git-upload-pack", "/o/r/git-receive-pack"):
        method = "GET" if "?" in path else "POST"
        for connector, base in ((CONNECTOR, HOME), (ENTERPRISE, "https://ghe.example")):
            placement = connector.placement_for(request(method, path, base=base), Header())
            assert placement == Basic(username="x-access-token")


def test_configured_user_stays() -> None:
    configured = Basic(username="robot")
    fetch = request("POST", "/o/r/git-upload-pack")
    assert CONNECTOR.placement_for(fetch, configured) is configured


@pytest.mark.parametrize("base", [HOME, "https://ghe.example"])
@pytest.mark.parametrize("path", ["/", "/o/r", "/o/r/issues", "/login/oauth/access_token"])
def test_rest_of_the_site_gets_no_credential(base: str, path: str) -> None:
    connector = ENTERPRISE if "ghe" in base else CONNECTOR
    assert connector.placement_for(request("POST", path, base=base), Header()) is None


@pytest.mark.parametrize("base", ["https://api.github.com", "https://ghe.example/api/v3"])
@pytest.mark.parametrize("path", ["/user", "/github.com/o/r/git-receive-pack", "/graphql"])
def test_api_keeps_its_header(base: str, path: str) -> None:
    connector = ENTERPRISE if "ghe" in base else CONNECTOR
    assert connector.placement_for(request("POST", path, base=base), Header()) == Header()


def test_params_of_git_are_said_to_be_missing_where_they_may_be() -> None:
    (fetch,) = parsed("POST", "/o/r/git-upload-pack", b"0000")
    assert (fetch.params, fetch.params_complete) == ({}, False)
    (push,) = pushed(MAIN)
    assert push.params_complete


def test_batch_of_large_files_tells_its_members() -> None:
    batch = {"operation": "upload", "objects": [{"oid": "1", "size": 1}]}
    asked = OutboundRequest.from_url(
        "POST",
        f"{HOME}/o/r.git/info/lfs/objects/batch",
        headers=[("Content-Type", "application/vnd.git-lfs+json; charset=utf-8")],
        body=Body.complete(json.dumps(batch).encode()),
    )
    (action,) = CONNECTOR.parse(asked)
    assert (action.params, action.params_complete) == (batch, True)
