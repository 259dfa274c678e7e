"""Query and body as one set of params, and honesty about what may be missing from it."""

from __future__ import annotations

import gzip
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.action import Access, Action, Risk
from tameflare_core.parsers.members import with_members, with_query
from tameflare_core.request import Body, OutboundRequest

ACTION = Action(name="x.thing.do", access=Access.WRITE, risk=Risk.LOW)
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def request(
    query: str = "",
    body: bytes | Body = b"",
    *,
    kind: str = JSON,
    method: str = "POST",
    coding: str = "",
) -> OutboundRequest:
    known = body if isinstance(body, Body) else Body.complete(body)
    headers = [("Content-Type", kind)] if kind else []
    if coding:
        headers.append(("Content-Encoding", coding))
    url = "https://a.example/x" + (f"?{query}" if query else "")
    return OutboundRequest.from_url(method, url, headers=headers, body=known)


def told(
    query: str = "",
    body: bytes | Body = b"",
    *,
    takes_forms: bool = True,
    kind: str = JSON,
    method: str = "POST",
    coding: str = "",
) -> tuple[dict[str, object], bool]:
    asked = request(query, body, kind=kind, method=method, coding=coding)
    action = with_members(ACTION, asked, takes_forms=takes_forms)
    return dict(action.params), action.params_complete


def test_request_without_query_and_body_costs_nothing() -> None:
    assert with_members(ACTION, request()) is ACTION


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("a=1&b=x%20y", {"a": "1", "b": "x y"}),
        ("a=1+2&b", {"a": "1 2", "b": ""}),
        ("a=1&a=2&b=3&a=1", {"a": ["1", "2", "1"], "b": "3"}),
        ("%61=%C3%A9", {"a": "é"}),
        ("q=is%3Aopen%3Bx&per_page=5", {"q": "is:open;x", "per_page": "5"}),
        ("a=%5B1%5D", {"a": "[1]"}),
    ],
)
def test_query_is_told(method: str, query: str, params: dict[str, object]) -> None:
    assert told(query, method=method) == (params, True)


@pytest.mark.parametrize(
    "query",
    [
        "a=1;b=2",
        "a[]=1",
        "a%5Bb%5D=1",
        "a[b]=1",
        "a.b=1",
        "a%20b=1",
        "+a=1",
        "a%00=1",
        "=1",
        "a=1&A=2",
        "stra%C3%9Fe=1&STRASSE=2",
        "a=%FF",
        "%FF=1",
        "&".join(["a=1"] * 4_001),
    ],
)
def test_query_that_readers_differ_about_is_not_all_told(query: str) -> None:
    _, complete = told(query)
    assert not complete


@pytest.mark.parametrize(
    ("body", "kind", "params"),
    [
        (b'{"a": 1, "b": {"c": [null]}}', JSON, {"a": 1, "b": {"c": [None]}}),
        (b'{"a": 1}', f"{JSON}; charset=utf-8", {"a": 1}),
        (b'{"a": 1}', "application/vnd.git-lfs+json", {"a": 1}),
        (b'{"a": "x&y;z"}', JSON, {"a": "x&y;z"}),
        (b'{"a": 1}', "", {"a": 1}),
        (b' {"a": 1}', FORM, {"a": 1}),
        (b"a=1&b[c]=x+y", FORM, {"a": "1", "b": {"c": "x y"}}),
        (b"a[]=1&a[]=2", FORM.upper(), {"a": ["1", "2"]}),
    ],
)
def test_body_is_told(body: bytes, kind: str, params: dict[str, object]) -> None:
    for method in ("POST", "PATCH", "DELETE"):
        assert told("", body, kind=kind, method=method) == (params, True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (Body.unread(), JSON),
        (Body.oversize(b'{"a": 1}'), JSON),
        (b'{"a": 1, "a": 2}', JSON),
        (b'{"a": 1, "A": 2}', JSON),
        (b'[{"a": 1}]', JSON),
        (b"null", JSON),
        (b'{"a": ', JSON),
        (b'{"a": "\xff"}', JSON),
        (b'{"a": 1}', f"{JSON}; charset=utf-7"),
        (b'{"a": "&b=2&"}', FORM),
        (b'{"a": ";b=2"}', ""),
        (b"a=1&a=2", FORM),
        (b"a=1&A=2", FORM),
        (b"a=1;b=2", FORM),
        (b"a=1", ""),
        (b"a=1", f"{FORM}; charset=utf-16"),
        (b"a=1", JSON),
        (b'{"a": 1}', "text/plain"),
        (b'{"a": 1}', "application/octet-stream"),
        (b"<a>1</a>", "application/xml"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "multipart/form-data"),
    ],
)
def test_body_that_is_not_read_in_one_way_is_said_to_be_missing(
    body: bytes | Body, kind: str
) -> None:
    assert told("q=1", body, kind=kind) == ({"q": "1"}, False)


def test_form_is_left_alone_where_the_service_takes_none() -> None:
    assert told("", b"a=1", kind=FORM, takes_forms=False) == ({}, False)
    assert told("", b'{"a": 1}', kind=FORM, takes_forms=False) == ({"a": 1}, True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_body_of_a_get_is_said_to_be_missing(method: str) -> None:
    assert told("a=1", b'{"b": 2}', method=method) == ({"a": "1"}, False)


def test_compressed_body_is_told() -> None:
    data = gzip.compress(b'{"a": 1}')
    assert told("", data, coding="gzip") == ({"a": 1}, True)
    assert told("", data, coding="compress") == ({}, False)


@pytest.mark.parametrize(
    ("query", "body", "params", "complete"),
    [
        ("a=1&b=2", b'{"c": 3}', {"a": "1", "b": "2", "c": 3}, True),
        ("a=x&b=2", b'{"a": "x"}', {"a": "x", "b": "2"}, True),
        ("a=x&b=2", b'{"a": "y"}', {"b": "2"}, False),
        ("a=1", b'{"a": 1}', {}, False),
        ("a=1&a=1", b'{"a": "1"}', {}, False),
        ("a=1", b'{"A": "1"}', {"a": "1", "A": "1"}, False),
    ],
)
def test_what_query_and_body_dispute_is_left_out(
    query: str, body: bytes, params: dict[str, object], complete: bool
) -> None:
    assert told(query, body) == (params, complete)


@given(
    query=st.dictionaries(st.sampled_from("abcABC"), st.sampled_from(["1", "2", ""])),
    body=st.dictionaries(st.sampled_from("abcABC"), st.sampled_from([1, "1", "2", None])),
)
def test_what_is_all_told_is_what_either_reader_finds(
    query: dict[str, str], body: dict[str, object]
) -> None:
    """Whichever of the two a service prefers, complete params hold the value that it takes."""
    params, complete = told(urlencode(query), json.dumps(body).encode())
    if complete:
        assert params == {**query, **body} == {**body, **query}


@pytest.mark.parametrize("body", [b'{"name": "y"}', b"\x00\x01", Body.unread()])
def test_upload_is_told_by_its_query_alone(body: bytes | Body) -> None:
    action = with_query(ACTION, request("name=x", body))
    assert (action.params, action.params_complete) == ({"name": "x"}, False)
    empty = with_query(ACTION, request("name=x"))
    assert (empty.params, empty.params_complete) == ({"name": "x"}, True)
