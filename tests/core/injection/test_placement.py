from __future__ import annotations

import base64
import traceback
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_core.errors import CredentialError
from tameflare_core.injection.placement import Basic, Header, Placement, Query
from tameflare_core.request import OutboundRequest
from tameflare_core.vault.secret import Secret

SECRET = Secret("ghp_REAL")


def request(*headers: tuple[str, str], url: str = "https://api.github.com/user") -> OutboundRequest:
    return OutboundRequest.from_url("GET", url, headers=headers)


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("placement", "name", "value"),
    [
        (Header(), "authorization", "Bearer ghp_REAL"),
        (Header(prefix="token "), "authorization", "token ghp_REAL"),
        (Header(name="x-api-key", prefix=""), "x-api-key", "ghp_REAL"),
        (Basic(username="x"), "authorization", basic("x:ghp_REAL")),
        (Basic(username=""), "authorization", basic(":ghp_REAL")),
    ],
)
def test_secret_stands_in_its_header_once(placement: Placement, name: str, value: str) -> None:
    filled = placement.fill(request(("Accept", "*/*")), SECRET)
    assert list(filled.headers) == [("accept", "*/*"), (name, value)]


def test_basic_takes_a_whole_pair() -> None:
    filled = Basic().fill(request(), Secret("sk_live:"))
    assert filled.headers.get("authorization") == basic("sk_live:")


def test_basic_pair_keeps_colons_of_the_password() -> None:
    filled = Basic(username="u").fill(request(), Secret("a:b:ü"))
    assert filled.headers.get("authorization") == basic("u:a:b:ü")


CLIENTS_OWN = [
    [("Authorization", "Bearer mine")],
    [("AUTHORIZATION", "Bearer mine"), ("authorization", "Bearer mine too")],
    [("aUtHoRiZaTiOn", "Basic bWluZTptaW5l"), ("Accept", "*/*"), ("Authorization", "mine")],
]


@pytest.mark.parametrize("headers", CLIENTS_OWN)
@pytest.mark.parametrize("placement", [Header(), Header(prefix="token "), Basic(username="x")])
def test_clients_own_header_is_replaced(
    placement: Placement, headers: Sequence[tuple[str, str]]
) -> None:
    filled = placement.fill(request(*headers), SECRET)
    assert len(filled.headers.get_all("authorization")) == 1
    assert "mine" not in str(list(filled.headers))
    assert base64.b64encode(b"mine").decode()[:4] not in str(list(filled.headers))


@pytest.mark.parametrize("headers", CLIENTS_OWN)
@pytest.mark.parametrize("placement", [Header(), Basic(username="x")])
def test_clear_takes_the_clients_own_header(
    placement: Placement, headers: Sequence[tuple[str, str]]
) -> None:
    assert "authorization" not in placement.clear(request(*headers)).headers


@pytest.mark.parametrize("name", ["X_Api_Key", "x-api_key", "X-API-KEY"])
def test_underscore_spelling_of_the_header_goes_too(name: str) -> None:
    placement = Header(name="x-api-key", prefix="")
    filled = placement.fill(request((name, "mine"), ("X-Api-Key", "mine")), SECRET)
    assert list(filled.headers) == [("x-api-key", "ghp_REAL")]


def test_other_headers_stay() -> None:
    kept = request(("X-Api-Key-Id", "7"), ("Cookie", "a=b"))
    assert Header(name="x-api-key", prefix="").clear(kept) == kept


@pytest.mark.parametrize("name", ["X-Api-Key", "host", "connection", "proxy-authorization"])
def test_header_that_is_no_slot_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}`"):
        Header(name=name)


def test_user_name_with_a_colon_is_refused() -> None:
    with pytest.raises(ValueError, match="no colon"):
        Basic(username="a:b")


def query_after(query: str, *, name: str = "api_key", secret: str = "REAL") -> str | None:
    url = f"https://api.example.com/v1?{query}" if query else "https://api.example.com/v1"
    return Query(name=name).fill(request(url=url), Secret(secret)).query


@pytest.mark.parametrize(
    ("query", "after"),
    [
        ("", "api_key=REAL"),
        ("a=1", "a=1&api_key=REAL"),
        ("a=1&a=2&b", "a=1&a=2&b&api_key=REAL"),
        ("api_key=mine", "api_key=REAL"),
        ("api_key=mine&a=1&api_key=mine", "a=1&api_key=REAL"),
        ("API_KEY=mine&Api_Key=mine", "api_key=REAL"),
        ("api%5Fkey=mine&%61pi_key=mine", "api_key=REAL"),
        ("api_key&api_key[]=mine&api_key%5B0%5D=mine", "api_key=REAL"),
        ("api_keys=1&my_api_key=2", "api_keys=1&my_api_key=2&api_key=REAL"),
        ("q=api_key=mine", "q=api_key=mine&api_key=REAL"),
        ("api%255Fkey=kept", "api%255Fkey=kept&api_key=REAL"),
    ],
)
def test_secret_stands_in_the_query_once(query: str, after: str) -> None:
    assert query_after(query) == after


def test_query_secret_is_encoded() -> None:
    assert query_after("", secret="a&b=c d+é/#%") == "api_key=a%26b%3Dc%20d%2B%C3%A9%2F%23%25"


def test_query_name_is_encoded() -> None:
    assert query_after("a=1&k+%26=mine", name="k &") == "a=1&k%20%26=REAL"


def test_bracketed_name_is_its_own_slot() -> None:
    assert query_after("auth[key]=mine&auth[user]=me", name="auth[key]") == (
        "auth[user]=me&auth%5Bkey%5D=REAL"
    )


def test_query_without_the_slot_is_left_alone() -> None:
    for url in ("https://a.example/", "https://a.example/?", "https://a.example/?a&&b=&"):
        assert Query(name="key").clear(request(url=url)) == request(url=url)


def test_cleared_query_can_end_empty() -> None:
    assert Query(name="key").clear(request(url="https://a.example/?key=mine")).query is None


@given(
    st.lists(st.tuples(st.sampled_from(["key", "KEY", "a", "keys"]), st.text("ab&=%[", max_size=3)))
)
def test_filled_query_has_one_value_and_keeps_the_rest(pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={value.replace('%', '%25')}" for name, value in pairs)
    before = request(url=f"https://a.example/?{query}")
    filled = Query(name="key").fill(before, Secret("REAL"))
    assert filled.query_values("key") == ("REAL",)
    assert filled.query_values("KEY") == ()
    for other in ("a", "keys"):
        assert filled.query_values(other) == before.query_values(other)


UNFIT = {
    Header(): ["", "a\nb", "a\r\nX-Evil: 1", "a\x00", "é", "a\udc80", " a", "a ", "a\t", "\x7f"],
    Basic(username="x"): ["", "a\nb", "a\x00", "a\udc80", "\x85"],
    Basic(): ["", "no colon", "a:b\n"],
    Query(name="key"): ["", "a\nb", "a\udc80"],
}


@pytest.mark.parametrize(
    ("placement", "text"), [(place, text) for place, texts in UNFIT.items() for text in texts]
)
def test_unfit_secret_is_refused_unshown(placement: Placement, text: str) -> None:
    secret = Secret(f"{text[:1]}REAL{text[1:]}" if text else "")
    with pytest.raises(CredentialError) as raised:
        placement.fill(request(), secret)
    assert "REAL" not in str(raised.value)
    assert raised.value.__context__ is None
    for frame, _ in traceback.walk_tb(raised.value.__traceback__):
        if frame.f_code.co_filename != __file__:
            assert "REAL" not in repr(frame.f_locals)
