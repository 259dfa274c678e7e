from __future__ import annotations

import pytest

from tameflare_core.injection.forwarding import forwardable
from tameflare_core.injection.placement import Header
from tameflare_core.request import OutboundRequest
from tameflare_core.vault.secret import Secret


def request(*headers: tuple[str, str], method: str = "GET") -> OutboundRequest:
    return OutboundRequest.from_url(method, "https://api.github.com/user", headers=headers)


def forwarded(*headers: tuple[str, str], method: str = "GET") -> list[tuple[str, str]]:
    return list(forwardable(request(*headers, method=method)).headers)


def test_ordinary_request_is_the_same_object() -> None:
    plain = request(("Accept", "*/*"), ("Authorization", "x"), ("Transfer-Encoding", "chunked"))
    assert forwardable(plain) is plain


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "PROXY-AUTHENTICATE",
        "Proxy-Anything",
        "TE",
        "Trailer",
        "Expect",
        "Upgrade",
        "HTTP2-Settings",
        "X-TameFlare-Approval",
        "x-tameflare-request-id",
    ],
)
def test_field_for_this_hop_never_passes(name: str) -> None:
    assert forwarded((name, "x"), ("Accept", "*/*"), (name.lower(), "y")) == [("accept", "*/*")]


def test_fields_named_by_connection_go() -> None:
    assert forwarded(
        ("Connection", "close, X-Hop"),
        ("connection", "x-other"),
        ("X-Hop", "1"),
        ("X-Other", "2"),
        ("Accept", "*/*"),
    ) == [("accept", "*/*")]


@pytest.mark.parametrize(
    "listed", ["authorization", "Authorization", "close , AUTHORIZATION", "x,authorization,"]
)
def test_connection_cannot_take_the_credential_away(listed: str) -> None:
    asked = request(("Connection", listed), ("Authorization", "Bearer mine"))
    filled = Header().fill(forwardable(asked), Secret("REAL"))
    assert list(filled.headers) == [("authorization", "Bearer REAL")]


@pytest.mark.parametrize("framing", [("Content-Length", "5"), ("Transfer-Encoding", "chunked")])
def test_connection_cannot_take_the_framing_away(framing: tuple[str, str]) -> None:
    name, value = framing
    kept = forwarded(("Connection", f"close, {name}"), framing, method="POST")
    assert kept == [(name.lower(), value)]


@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, Upgrade"])
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
def test_websocket_handshake_is_kept(connection: str, upgrade: str) -> None:
    fields = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")]
    assert forwarded(("Connection", connection), ("Upgrade", upgrade), *fields) == [
        *fields,
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
    ]


@pytest.mark.parametrize(
    ("connection", "upgrade"),
    [
        ("Upgrade, HTTP2-Settings", "h2c"),
        ("Upgrade", "websocket, h2c"),
        ("Upgrade", "h2c, websocket"),
        ("Upgrade", "TLS/1.0"),
        ("Upgrade", "foo"),
        ("close", "websocket"),
    ],
)
def test_any_other_upgrade_is_removed(connection: str, upgrade: str) -> None:
    asked = [("Connection", connection), ("Upgrade", upgrade), ("HTTP2-Settings", "AAMAAABk")]
    assert forwarded(*asked, ("Accept", "*/*")) == [("accept", "*/*")]


def test_second_upgrade_field_spoils_the_handshake() -> None:
    asked = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Upgrade", "h2c")]
    assert forwarded(*asked) == []


def test_only_a_get_opens_a_websocket() -> None:
    assert forwarded(("Connection", "Upgrade"), ("Upgrade", "websocket"), method="POST") == []


def test_gateway_token_goes_even_beside_a_websocket() -> None:
    asked = [("Connection", "Upgrade, Proxy-Authorization"), ("Upgrade", "websocket")]
    names = [name for name, _ in forwarded(*asked, ("Proxy-Authorization", "Basic Z3d0aw=="))]
    assert names == ["connection", "upgrade"]
