from __future__ import annotations

import base64
import socket

import pytest

from tests.proxy.origin import head
from tests.proxy.running import TOKEN, Client

READ = "/api/v3/repos/o/r"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN}",
        basic(f"{TOKEN}:"),
        basic(TOKEN),
        basic(f"{TOKEN}:ignored"),
    ],
)
def test_known_token_is_served(gateway, origin, authorization) -> None:
    with Client(gateway) as client:
        fields = [f"Proxy-Authorization: {authorization}"]
        got = client.connect(f"localhost:{origin.port}", *fields, token=None)
        assert got.status == 200
        assert "x-tameflare-request-id" not in got.headers


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer gwtk_other",
        f"Bearer {TOKEN}x",
        f"Digest {TOKEN}",
        TOKEN,
        "Basic !!!",
        "Basic /w==",
        basic(f":{TOKEN}"),
        basic(f"x{TOKEN}:"),
    ],
)
def test_other_token_is_refused(gateway, origin, authorization) -> None:
    with Client(gateway) as client:
        fields = [] if authorization is None else [f"Proxy-Authorization: {authorization}"]
        got = client.connect(f"localhost:{origin.port}", *fields, token=None)
        assert got.problem["type"].endswith("/token-required")
        assert got.status == 407
        assert got.headers["proxy-authenticate"] == 'Basic realm="tameflare"'
        assert client.ended()
    assert origin.connections == 0
    assert gateway.records.all == []


@pytest.mark.parametrize(
    "target",
    [
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:443x",
        "localhost:+443",
        "localhost:443:443",
        "user@localhost:443",
        "localhost%00.github.com:443",
        "[localhost]:443",
        "[::1",
        "[::1]",
        "[fe80::1%25eth0]:80",
        "127.1:443",
        "2130706433:443",
        "0x7f000001:443",
        "localhost..:443",
        "http://localhost:443",
        "/",
        "*",
    ],
)
def test_ambiguous_target_is_rejected(gateway, origin, target) -> None:
    with Client(gateway) as client:
        authorized = f"Proxy-Authorization: Bearer {TOKEN}"
        client.send(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n{authorized}\r\n\r\n".encode())
        assert client.got("GET").problem["status"] == 400
        assert client.ended()


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT localhost:443\r\nX: y HTTP/1.1\r\nHost: localhost:443\r\n",
        b"CONNECT localhost:443\0 HTTP/1.1\r\nHost: localhost:443\r\n",
        b"CONNECT evil.example\0localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: evil.example:443\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nContent-Length: 4\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\n",
        b"CONNECT localhost:443 HTTP/2.0\r\nHost: localhost:443\r\n",
    ],
)
def test_malformed_connect_is_rejected(gateway, head) -> None:
    with Client(gateway) as client:
        client.send(head + f"Proxy-Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert client.got().problem["status"] == 400
        assert client.ended()


@pytest.mark.parametrize(
    "target",
    [
        "evil.example:443",
        "[::1]:443",
        "[::ffff:169.254.169.254]:80",
        "169.254.169.254:80",
        "localhost.evil.example:443",
        "localhost:22",
        "mitm.it:80",
    ],
)
def test_destination_without_connector_is_denied_and_recorded(gateway, target) -> None:
    with Client(gateway) as client:
        problem = client.connect(target).problem
        assert (problem["status"], problem["rule"]["kind"]) == (403, "no_connector")
        assert client.ended()
    (record,) = gateway.records.wait()
    assert (record.id, record.outcome, record.status) == (problem["request_id"], "denied", 403)


@pytest.mark.parametrize("spelling", ["LOCALHOST", "localhost.", "LocalHost."])
def test_other_spelling_is_the_same_host(gateway, origin, spelling) -> None:
    with Client(gateway) as client:
        assert client.connect(f"{spelling}:{origin.port}").status == 200
        client.start_tls()
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200


@pytest.mark.parametrize(
    "banner",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0\0\0\x10raw bytes",
        b"EHLO mail.example\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"x" * 100_000,
        b"\x16junk" + b"\0" * 100,
        b"{}",
    ],
)
def test_other_protocol_in_tunnel_is_closed(gateway, origin, banner) -> None:
    with Client(gateway) as client:
        assert client.connect(f"localhost:{origin.port}").status == 200
        client.send(banner)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest()[:12] in {b"", b"HTTP/1.1 400"}
    assert origin.connections == 0


def test_nested_connect_is_rejected(gateway, origin) -> None:
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        authorized = f"Proxy-Authorization: Bearer {TOKEN}"
        client.send(
            f"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n{authorized}\r\n\r\n".encode()
        )
        assert client.got().problem["status"] == 400
        assert client.ended()
    assert origin.connections == 0


@pytest.mark.parametrize("target", ["/", "/api/gateway/config", "*", "https://localhost/"])
def test_request_to_the_proxy_itself_is_rejected(gateway, target) -> None:
    with Client(gateway) as client:
        authorized = f"Proxy-Authorization: Bearer {TOKEN}"
        client.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n{authorized}\r\n\r\n".encode())
        assert client.got().problem["status"] == 400
        assert client.ended()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "[::ffff:127.0.0.1]"])
def test_gateway_is_not_reachable_through_itself(gateway, host) -> None:
    with Client(gateway) as client:
        assert client.connect(f"{host}:{gateway.port}").status == 403


def test_head_may_come_in_pieces_with_the_tunnel_behind_it(gateway, origin) -> None:
    with Client(gateway) as client:
        target = f"localhost:{origin.port}"
        data = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode()
        client.send(data[:20])
        client.send(data[20:])
        client.send(f"Proxy-Authorization: Bearer {TOKEN}\r\n\r\n".encode() + b"GET ")
        assert client.got("CONNECT").status == 200


def test_client_that_says_nothing_is_let_go(gateway) -> None:
    with Client(gateway) as client:
        client.socket.shutdown(socket.SHUT_WR)
        assert client.ended()
