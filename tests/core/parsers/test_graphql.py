"""GraphQL over HTTP: which root fields could run, and what is opaque because nobody can tell."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import OpaqueBody, RequestRejected
from tameflare_core.parsers.graphql import MAX_DOCUMENT, OperationKind, RootField, read_graphql
from tameflare_core.request import Body, OutboundRequest

URL = "https://api.example/graphql"
JSON = "application/json"


def post(
    body: bytes | Body, content_type: str | None = JSON, *, query: str = ""
) -> OutboundRequest:
    headers = [] if content_type is None else [("Content-Type", content_type)]
    known = body if isinstance(body, Body) else Body.complete(body)
    return OutboundRequest.from_url("POST", URL + query, headers=headers, body=known)


def envelope(document: object, **rest: object) -> bytes:
    return json.dumps({"query": document, **rest}).encode()


def read(document: object, **rest: object) -> tuple[RootField, ...]:
    fields = read_graphql(post(envelope(document, **rest)))
    assert fields is not None
    return fields


def names(document: str, **rest: object) -> list[str]:
    return sorted(f"{field.kind} {field.name}" for field in read(document, **rest))


def arguments(document: str, **rest: object) -> Mapping[str, object]:
    (field,) = read(document, **rest)
    return field.arguments


# Which fields could run


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{a}", ["query a"]),
        ("query{a b}", ["query a", "query b"]),
        ("mutation M{a}", ["mutation a"]),
        ("mutation{b:a}", ["mutation a"]),
        ("mutation{b:a c:a}", ["mutation a", "mutation a"]),
        ("# a comment {\n\ufeff,,mutation,{,a,}", ["mutation a"]),
        ("fragment F on M{a} mutation{...F}", ["mutation a"]),
        ("mutation{...F} fragment F on M{x:a ...G} fragment G on M{b}",
         ["mutation a", "mutation b"]),
        ("mutation{... on M{... @include(if:true){a}}}", ["mutation a"]),
        ("mutation{a @skip(if:true) ...F @include(if:false)} fragment F on M{b}",
         ["mutation a", "mutation b"]),
        ("mutation{...F ...F} fragment F on M{a}", ["mutation a"]),
        ("{a ...F} fragment F on M{b ...F}", ["query a", "query b"]),
        ('{a(text:"mutation{b}")}', ["query a"]),
        ('{a(text:"""mutation{b} \\""" {c}""")}', ["query a"]),
        ("{a{b{c}}}", ["query a"]),
    ],
)  # fmt: skip
def test_every_field_that_could_run_is_found(document: str, expected: list[str]) -> None:
    assert names(document) == expected


TWO = "query A{a} mutation B{b}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A", ["query a"]),
        ("B", ["mutation b"]),
        ("b", ["mutation b", "query a"]),
        ("C", ["mutation b", "query a"]),
        ("", ["mutation b", "query a"]),
        (None, ["mutation b", "query a"]),
    ],
)
def test_operation_name_picks_one_if_it_is_there(name: str | None, expected: list[str]) -> None:
    assert names(TWO, operationName=name) == expected


def test_escaped_letters_are_read() -> None:
    (field,) = read_graphql(post(b'{"qu\\u0065ry": "mut\\u0061tion{a}"}')) or ()
    assert (field.kind, field.name) == (OperationKind.MUTATION, "a")


def test_selection_below_the_root_is_told() -> None:
    (field,) = read("mutation{a{b{c{d} ...F}}} fragment F on T{e{f}} fragment G on T{g}")
    assert field.selected == {"b", "c", "d", "e", "f"}
    assert field.entered == {"c", "e"}


# Arguments


@pytest.mark.parametrize(
    ("document", "variables", "expected"),
    [
        ('{a(x:1 y:"t" z:E n:null b:true f:1.5)}', {},
         {"x": 1, "y": "t", "z": "E", "n": None, "b": True, "f": 1.5}),
        ("{a(x:[1,{y:E}])}", {}, {"x": [1, {"y": "E"}]}),
        ("query($v:T){a(x:$v)}", {"v": {"id": 1}}, {"x": {"id": 1}}),
        ("query($v:T){a(x:$v)}", {}, {}),
        ("query($v:T=E){a(x:{y:$v})}", {}, {"x": {"y": "E"}}),
        ("query($v:T=E){a(x:$v)}", {"v": None}, {"x": None}),
        ("query($v:T=E){a(x:$v)}", {"v": "F"}, {"x": "F"}),
        ("query($v:T){a(x:[$v,1])}", {}, {"x": [None, 1]}),
        ("query($v:T){...F} fragment F on Q{a(x:$v)}", {"v": 1}, {"x": 1}),
        ("{a(x:12345678901234567890123)}", {}, {"x": "12345678901234567890123"}),
    ],
)  # fmt: skip
def test_variables_and_defaults_are_put_in(
    document: str, variables: object, expected: object
) -> None:
    assert arguments(document, variables=variables) == expected


@pytest.mark.parametrize(("text", "expected"), [('{"v": 1}', {"x": 1}), ("", {})])
def test_variables_may_be_a_text(text: str, expected: object) -> None:
    assert arguments("query($v:T){a(x:$v)}", variables=text) == expected


# What is opaque


@pytest.mark.parametrize(
    "document",
    [
        "",
        "# only a comment",
        "{",
        "{a",
        "mutation{}",
        "a",
        "type T{a:Int}",
        "{a} type T{a:Int}",
        "extend type T{a:Int}",
        "subscription{a}",
        "{a} subscription S{b}",
        "fragment F on T{a}",
        "{...F}",
        "{a{...F}}",
        "fragment F on T{a} fragment F on T{b} mutation{...F}",
        "query A{a} mutation A{b}",
        "{a} {b}",
        "{a(x:1 x:2)}",
        "{a(x:{y:1 y:2})}",
        "query($v:T=1 $v:T=2){a(x:$v)}",
        '{a(x:"y\\\\")}',
        '{a(x:"y\n")}',
        "\x00{a}",
        "{\u0430}",
        "{a(x:\ud800)}",
        "mutation{" + "a " * 201 + "}",
        " ".join(f"query q{i}{{a}}" for i in range(11)),
        "{" + "a{" * 5000 + "a" + "}" * 5001,
        "{a" + " b" * 5000 + "}",
        "{a}" + " " * MAX_DOCUMENT,
        1,
        None,
        ["{a}"],
    ],
    ids=lambda document: str(document)[:40].encode("unicode_escape").decode(),
)
def test_document_that_cannot_be_read_is_opaque(document: object) -> None:
    with pytest.raises(OpaqueBody):
        read(document)


@pytest.mark.parametrize(
    "rest",
    [
        {"operationName": 1},
        {"operationName": ["A"]},
        {"variables": []},
        {"variables": "[]"},
        {"variables": '{"a": 1, "a": 2}'},
        {"variables": "\ud800"},
        {"extensions": {"persistedQuery": {"sha256Hash": "x", "version": 1}}},
        {"extensions": [1]},
        {"id": "x"},
        {"documentId": "x"},
        {"Query": "mutation{b}"},
        {"operation_name": "B"},
        {"operationname": "B"},
    ],
    ids=str,
)
def test_anything_beside_a_document_is_opaque(rest: dict[str, object]) -> None:
    with pytest.raises(OpaqueBody):
        read(TWO, **rest)


@pytest.mark.parametrize("extensions", [None, {}, {"clientLibrary": {"name": "x"}}])
def test_harmless_extensions_change_nothing(extensions: object) -> None:
    assert names("{a}", extensions=extensions) == ["query a"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"mutation{a}",
        b"[]",
        b'[{"query": "{a}"}]',
        b"{}",
        b'{"extensions": {"persistedQuery": {"sha256Hash": "x"}}}',
        b'{"query": "{a}", "query": "mutation{b}"}',
        b'\xef\xbb\xbf{"query": "{a}"}',
        '{"query": "{a}"}'.encode("utf-16"),
        Body.unread(),
        Body.oversize(),
    ],
    ids=str,
)
def test_body_that_holds_no_one_document_is_opaque(body: bytes | Body) -> None:
    with pytest.raises(OpaqueBody):
        read_graphql(post(body))


# Content types


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_json_is_read(content_type: str) -> None:
    assert read_graphql(post(envelope('{a(x:"&;")}'), content_type))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/graphql",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/json; boundary=x",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/graphql-response+json",
    ],
)
def test_other_content_types_are_opaque(content_type: str) -> None:
    with pytest.raises(OpaqueBody):
        read_graphql(post(envelope("{a}"), content_type))


@pytest.mark.parametrize("content_type", [None, "", "application/x-www-form-urlencoded"])
def test_json_sent_as_a_form_is_read_where_no_form_is_in_it(content_type: str | None) -> None:
    """curl calls every body a form unless it is told otherwise."""
    assert read_graphql(post(envelope("{a}"), content_type))
    for separator in "&;":
        hidden = envelope("{a}", variables={"x": f"{separator}query=mutation{{b}}{separator}"})
        with pytest.raises(OpaqueBody, match="as a form"):
            read_graphql(post(hidden, content_type))
    with pytest.raises(OpaqueBody):
        read_graphql(post(b"query=mutation%7Bb%7D", content_type))


# In the query


def get(query: str, method: str = "GET", body: Body | None = None) -> OutboundRequest:
    return OutboundRequest.from_url(method, URL + query, body=body or Body.absent())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_document_in_the_query_is_read(method: str) -> None:
    text = urlencode({"query": TWO, "operationName": "B", "variables": "{}"})
    (field,) = read_graphql(get(f"?{text}", method)) or ()
    assert (field.kind, field.name) == (OperationKind.MUTATION, "b")


@pytest.mark.parametrize("query", ["", "?"])
def test_get_may_name_no_document(query: str) -> None:
    assert read_graphql(get(query)) is None


@pytest.mark.parametrize(
    "query",
    [
        "?query=%7Ba%7D&query=mutation%7Bb%7D",
        "?query=%7Ba%7D&Query=mutation%7Bb%7D",
        "?query=%7Ba%7D;query=mutation%7Bb%7D",
        "?query=%7Ba%7D&query[]=mutation%7Bb%7D",
        "?query=%7Ba%7D&extensions=%7B%7D",
        "?query=%7Ba%7D&x",
        "?query=%FF",
        "?id=x",
        "?query=%7Ba%7D&variables=&operationName=&x=1",
    ],
)
def test_query_that_can_be_read_in_two_ways_is_rejected(query: str) -> None:
    with pytest.raises(RequestRejected):
        read_graphql(get(query))


def test_document_in_two_places_is_refused() -> None:
    body = Body.complete(envelope("mutation{b}"))
    with pytest.raises(RequestRejected):
        read_graphql(post(body, query="?query=%7Ba%7D"))
    for known in (body, Body.unread()):
        with pytest.raises(OpaqueBody):
            read_graphql(get("?query=%7Ba%7D", body=known))


@pytest.mark.parametrize("query", ["?operationName=A", "?variables=%7B%7D"])
def test_query_without_a_document_is_opaque(query: str) -> None:
    with pytest.raises(OpaqueBody):
        read_graphql(get(query))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_opaque(method: str) -> None:
    with pytest.raises(OpaqueBody):
        read_graphql(get("?query=%7Ba%7D", method))


# Bounds

_SPREADS = " ".join(f"fragment f{i} on T{{...f{i + 1} ...f{i + 1}}}" for i in range(400))
_LARGE = {
    "braces": envelope("{" * MAX_DOCUMENT),
    "megabyte": envelope("{" * 1_000_000),
    "nested fields": envelope("{a" * (MAX_DOCUMENT // 2)),
    "nested values": envelope("{a(b:" + "[" * 100_000),
    "aliases": envelope("{" + " ".join(f"a{i}:b" for i in range(16_000)) + "}"),
    "spreads": envelope("{...f0} " + _SPREADS + " fragment f400 on T{a}"),
    "spreads in operations": envelope(
        " ".join(f"query q{i}{{...f0}}" for i in range(10)) + _SPREADS + " fragment f400 on T{a}"
    ),
    "string": envelope('{a(b:"' + "x" * (MAX_DOCUMENT - 20) + '")}'),
    "escapes": envelope('{a(b:"' + "\\u0041" * (MAX_DOCUMENT // 6 - 20) + '")}'),
    "block": envelope('{a(b:"""' + "x\n" * (MAX_DOCUMENT // 2 - 20) + '""")}'),
    "comments": envelope("#\n" * (MAX_DOCUMENT // 2 - 20) + "{a}"),
    "lines before an error": envelope("\n" * (MAX_DOCUMENT - 20) + "$"),
    "nested variables": b'{"query": "{a}", "variables": ' + b"[" * 1_000_000,
    "one variable everywhere": envelope(
        "query($v:T){" + " ".join(f"a{i}:b(c:$v)" for i in range(200)) + "}",
        variables={"v": "x" * 900_000},
    ),
    "one default everywhere": envelope(
        'query($v:T="' + "x" * 50_000 + '"){' + "a(c:[" + "$v " * 2_000 + "])}"
    ),
}


@pytest.mark.parametrize("body", _LARGE.values(), ids=_LARGE.keys())
def test_no_input_takes_long(body: bytes) -> None:
    request = post(body)
    read("{a}")  # The parser is imported on first use.
    spent = []
    for _ in range(3):
        start = time.thread_time()
        with contextlib.suppress(OpaqueBody):
            read_graphql(request)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.05


def test_unfolding_is_bounded() -> None:
    for body in (_LARGE["one variable everywhere"], _LARGE["one default everywhere"]):
        with pytest.raises(OpaqueBody, match="too many places"):
            read_graphql(post(body))


_PIECES = st.lists(
    st.sampled_from(
        ["query", "mutation", "fragment", "on", "F", "a", "b", "{", "}", "(", ")", ":", "$v", "...",
         "@skip", "=", "[", "]", "1", '"x"', '"""', "#", "\n", "null", "\ud800", "\\", "!", "...F"]
    ),
    max_size=40,
).map(" ".join)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.text() | _PIECES, _VALUES, st.none() | st.text(max_size=3))
def test_any_document_is_read_or_refused(document: str, variables: object, name: object) -> None:
    body = envelope(document, variables=variables, operationName=name)
    try:
        fields = read_graphql(post(body))
    except (OpaqueBody, RequestRejected):
        return
    assert fields


@given(st.binary() | _VALUES.map(lambda value: json.dumps(value).encode()), st.text(max_size=5))
def test_any_body_is_read_or_refused(body: bytes, query: str) -> None:
    for request in (post(body), post(body, None), get("?" + urlencode({"query": query}))):
        try:
            read_graphql(request)
        except (OpaqueBody, RequestRejected):
            continue
