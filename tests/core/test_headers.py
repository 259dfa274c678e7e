"""Header fields: what is malformed is refused, and values stay out of sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import RequestRejected
from tameflare_core.headers import Headers

TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)


@given(st.lists(st.tuples(TOKEN, VALUE)))
def test_order_and_repetition_are_kept(pairs: list[tuple[str, str]]) -> None:
    headers = Headers(pairs)
    assert list(headers) == [(name.lower(), value.strip(" ")) for name, value in pairs]
    assert len(headers) == len(pairs)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Transfer-Encoding ",
        " Host",
        "A:B",
        "A\tB",
        "A\r\nB",
        "A\x00",
        "Ünïcode",
        "coo\u212aie",
        "(a)",
    ],
)
def test_malformed_name_is_rejected(name: str) -> None:
    with pytest.raises(RequestRejected, match="malformed header name"):
        Headers([(name, "x")])


@pytest.mark.parametrize(
    "value", ["a\r\nb", "a\nb", "a\rb", "a\x00b", "a\x0bb", "a\x7fb", "a\u0100b"]
)
def test_control_character_in_a_value_is_rejected(value: str) -> None:
    with pytest.raises(RequestRejected, match="control character in header `x`"):
        Headers([("X", value)])


def test_rejected_value_is_not_repeated() -> None:
    with pytest.raises(RequestRejected) as refused:
        Headers([("Authorization", "Bearer ghp_secret\r\nX: y")])
    assert "ghp_secret" not in str(refused.value)


def test_repr_holds_names_only() -> None:
    assert repr(Headers([("Authorization", "Bearer ghp_secret")])) == "Headers(['authorization'])"


def test_get_joins_what_is_repeated() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
    assert headers.get("a") == "1, 3"
    assert headers.get_all("a") == ("1", "3")
    assert headers.get("c") == ""
    assert headers.get("c", "d") == "d"
    assert "b" in headers
    assert "B" not in headers


def test_replacing_leaves_one_field_at_the_end() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")]).replacing("a", "4")
    assert list(headers) == [("b", "2"), ("a", "4")]


def test_replacing_refuses_a_line_break() -> None:
    with pytest.raises(RequestRejected):
        Headers().replacing("a", "1\r\nb: 2")


def test_without_drops_every_field_of_the_name() -> None:
    assert list(Headers([("A", "1"), ("B", "2"), ("a", "3")]).without("a")) == [("b", "2")]


def test_equal_fields_are_equal_headers() -> None:
    assert Headers([("A", "1")]) == Headers([("a", "1 ")])
    assert hash(Headers([("A", "1")])) == hash(Headers([("a", "1")]))
    assert Headers([("A", "1")]) != Headers([("A", "2")])
