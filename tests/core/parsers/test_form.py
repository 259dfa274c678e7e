"""Forms: one reading, or none."""

from __future__ import annotations

import time
from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.form import FormValue, form_object, parse_form
from tameflare_core.request import Body, OutboundRequest


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a=1&b=2&", {"a": "1", "b": "2"}),
        (b"&&a=1", {"a": "1"}),
        (b"a", {"a": ""}),
        (b"a=", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=x+y%20z%2B", {"a": "x y z+"}),
        (b"a=%C3%A9", {"a": "é"}),
        ("a=é".encode(), {"a": "é"}),
        (b"a=1%262", {"a": "1&2"}),
        (b"a=1%3B2", {"a": "1;2"}),
        (b"a=%5B", {"a": "["}),
        # Decoded once, not twice.
        (b"a=%2525", {"a": "%25"}),
        (b"a[b]=1", {"a": {"b": "1"}}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        (b"a%5bb]=1", {"a": {"b": "1"}}),
        (b"%61[%62]=1", {"a": {"b": "1"}}),
        (b"a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
        (b"a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
        # Two elements, whatever a service makes of their numbers.
        (b"a[0][b]=1&a[00][b]=2", {"a": {"0": {"b": "1"}, "00": {"b": "2"}}}),
        (b"a[]=1", {"a": ["1"]}),
        (b"a[]=1&a[]=1&b=2&a[]=3", {"a": ["1", "1", "3"], "b": "2"}),
        (b"a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        (b"a[My+key!]=1", {"a": {"My key!": "1"}}),
    ],
)
def test_form_has_one_reading(data: bytes, expected: dict[str, FormValue]) -> None:
    assert parse_form(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        # Twice
        b"a=1&a=1",
        b"a=1&a=2",
        b"a=1&%61=2",
        b"a=1&A=2",
        b"a[b]=1&a[b]=2",
        b"a[b]=1&a%5Bb%5D=2",
        b"a[b]=1&a[B]=2",
        "a[s]=1&a[\u017f]=2".encode(),
        # Two kinds at once
        b"a=1&a[b]=2",
        b"a[b]=1&a=2",
        b"a=1&a[]=2",
        b"a[]=1&a=2",
        b"a[]=1&a[0]=2",
        b"a[0]=1&a[]=2",
        b"a[b]=1&a[b][c]=2",
        # Nesting that readers end in different places
        b"a[=1",
        b"a]=1",
        b"a[b=1",
        b"a[b]c=1",
        b"a[b]c[d]=1",
        b"a[[b]]=1",
        b"a[b]]=1",
        b"[a]=1",
        b"[]=1",
        b"a[][b]=1",
        b"a[][]=1",
        # Names that readers rename
        b"=1",
        b"a.b=1",
        b"a+b=1",
        b"+a=1",
        b"a=1& b=2",
        b"a%00=1",
        b"a[b%00]=1",
        b"a[b%0A]=1",
        b"a%5B%255D=1",
        "\uff41=1".encode(),
        # Separators and encodings
        b"a=1;b=2",
        b"a=%",
        b"a=%2",
        b"a=%zz",
        b"%=1",
        b"a=%FF",
        b"a=\xff",
        b"a=%C0%AE",
        b"a=%ED%A0%80",
        b"a=1%00",
        b"a=1\x00",
        "a=1".encode("utf-16"),
    ],
)
def test_form_with_two_readings_is_opaque(data: bytes) -> None:
    with pytest.raises(OpaqueBody):
        parse_form(data)


def test_levels_are_bounded() -> None:
    assert parse_form(b"a" + b"[b]" * 15 + b"=1")
    with pytest.raises(OpaqueBody):
        parse_form(b"a" + b"[b]" * 16 + b"=1")


def test_fields_are_bounded() -> None:
    fields = [b"a%d=1" % number for number in range(4_001)]
    assert len(parse_form(b"&".join(fields[:4_000]))) == 4_000
    for more in (b"&".join(fields), b"&" * 4_000 + b"a=1&b=2"):
        with pytest.raises(OpaqueBody):
            parse_form(more)


@pytest.mark.parametrize(
    "data",
    [
        b"a" + b"[" * 1_000_000,
        b"a" + b"[b]" * 300_000 + b"=1",
        b"&" * 1_000_000,
        b"a=" + b"%41" * 300_000,
        b"&".join(b"a[%d][b][c]=1" % number for number in range(4_000)),
        b"&".join([b"a[]=1"] * 4_000),
    ],
    ids=["open", "deep", "separators", "encoded", "wide", "list"],
)
def test_time_is_linear(data: bytes) -> None:
    """A body of the inspected size takes milliseconds; the bound is wide, for busy machines."""
    started = time.process_time()
    with suppress(OpaqueBody):
        parse_form(data)
    assert time.process_time() - started < 0.5


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(OpaqueBody):
        parse_form(data)


_LEAF = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
_OBJECT = st.dictionaries(st.sampled_from(["a", "b", "c_d", "0", "1"]), _LEAF, min_size=1)


@given(
    st.dictionaries(
        st.sampled_from(["amount", "items", "x"]),
        _LEAF | _OBJECT | st.lists(_LEAF, min_size=1),
    )
)
def test_what_a_client_encodes_is_read_back(document: dict[str, FormValue]) -> None:
    pairs: list[tuple[str, str]] = []
    for key, value in document.items():
        if isinstance(value, str):
            pairs.append((key, value))
        elif isinstance(value, list):
            pairs += [(f"{key}[]", element) for element in value]
        else:
            pairs += [(f"{key}[{inner}]", str(leaf)) for inner, leaf in value.items()]
    assert parse_form(urlencode(pairs).encode()) == document
    raw = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
    assert parse_form(raw.encode()) == document


def request(body: Body) -> OutboundRequest:
    return OutboundRequest.from_url("POST", "https://a.example/", body=body)


def test_form_of_a_request_is_its_body() -> None:
    assert form_object(request(Body.absent())) == {}
    assert form_object(request(Body.complete(b"a[b]=1"))) == {"a": {"b": "1"}}
    for unreadable in (Body.unread(), Body.oversize()):
        with pytest.raises(OpaqueBody):
            form_object(request(unreadable))


def test_form_that_is_long_when_decoded_is_opaque_at_once() -> None:
    started = time.perf_counter()
    with pytest.raises(OpaqueBody):
        parse_form(b"a=" + b"%41" * 2_000_000)
    assert time.perf_counter() - started < 0.1


def test_form_of_nothing_but_encodings_is_opaque_quickly() -> None:
    started = time.process_time()
    with pytest.raises(OpaqueBody):
        parse_form(b"a=" + b"%41" * 349_000)
    assert time.process_time() - started < 0.05
