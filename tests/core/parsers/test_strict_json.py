"""JSON that every reader reads alike."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.strict_json import json_object, parse_json
from tameflare_core.request import Body, OutboundRequest

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=10,
)


@given(VALUES)
def test_plain_document_is_read(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_escaped_key_is_read_as_its_text() -> None:
    assert parse_json(rb'{"qu\u0065ry": 1}') == {"query": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"state=closed",
        b"{",
        b"{} {}",
        b"{}x",
        b'{"a": 1,}',
        b"{'a': 1}",
        b"{a: 1}",
        b'{"a": 1} // comment',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\n"}',
        b'{"a": 1, "a": 2}',
        rb'{"a": 1, "\u0061": 2}',
        b'{"a": 1, "A": 2}',
        b'{"x": {"state": 1, "\xc5\xbftate": 2}}',
        b'[{"a": 1, "a": 1}]',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"01",
        b"+1",
        b".5",
        b"1" * 5000,
    ],
)
def test_what_reads_in_two_ways_is_opaque(data: bytes) -> None:
    with pytest.raises(OpaqueBody):
        parse_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 500_000,
        b"[" * 500_000 + b"]" * 500_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    ],
)
def test_deep_document_is_opaque_at_once(data: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(OpaqueBody):
        parse_json(data)
    assert time.perf_counter() - started < 0.5


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_opaque(data: bytes) -> None:
    try:
        document = parse_json(data)
    except OpaqueBody:
        return
    assert document == json.loads(data)


@pytest.mark.parametrize(
    "kind", ["", "application/json", 'x/y; a=b; charset="UTF-8"', "x/y;charset=iso-8859-1"]
)
def test_body_in_an_encoding_like_utf_8_is_read(kind: str) -> None:
    assert json_object(request(kind)) == {"a": 1}


@pytest.mark.parametrize(
    "kind",
    [
        "utf-7",
        "utf-16",
        "",
        "utf-8; charset=utf-7",
        "utf-7; charset=utf-8",
        "utf-8; Charset*=utf-7",
    ],
)
def test_body_in_another_encoding_is_opaque(kind: str) -> None:
    with pytest.raises(OpaqueBody):
        json_object(request(f"application/json; charset={kind}"))


def request(kind: str) -> OutboundRequest:
    return OutboundRequest.from_url(
        "POST",
        "https://a.example/",
        headers=[("Content-Type", kind)],
        body=Body.complete(b'{"a": 1}'),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b'{"a":1},' * 60_000 + b"{}]",
        b"[" + b"1," * 600_000 + b"1]",
        b"[" + b"[]," * 300_000 + b"[]]",
    ],
    ids=["objects", "numbers", "lists"],
)
def test_document_of_too_many_parts_is_opaque(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(OpaqueBody, match="too many parts"):
        parse_json(data)
    assert time.process_time() - started < 0.05


def test_long_texts_are_no_parts() -> None:
    program = "if (a) { b(c, d[0]); }\n" * 20_000
    assert parse_json(json.dumps({"prompt": program}).encode()) == {"prompt": program}
