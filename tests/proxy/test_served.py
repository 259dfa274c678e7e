"""A kill switch on what is under way: cut within a second, and nothing else is."""

from __future__ import annotations

import time

import pytest

from tameflare_core.approval import ApprovalState
from tests.proxy.documents import GENERIC
from tests.proxy.running import Client

WITHIN = 1.0
MERGE = "/api/v3/repos/o/r/pulls/1/merge"
READ = "/api/v3/repos/o/r"


def sent(tunnel, origin, method: str, path: str, *fields: str) -> Client:
    client = tunnel()
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{origin.port}", *fields]
    client.send("\r\n".join(lines).encode() + b"\r\n\r\n")
    return client


def streaming(origin) -> None:
    origin.handle = lambda request: request.send(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )


def silent(origin) -> None:
    origin.handle = lambda request: None


@pytest.mark.parametrize(
    "scope", ["org", "gateway:agent", "connector:github", "action:github.pr.*"]
)
def test_held_request_is_refused(gateway, origin, tunnel, scope) -> None:
    client = sent(tunnel, origin, "PUT", MERGE, "Content-Length: 0")
    asked = gateway.humans.wait_asked()
    since = gateway.kill(scope)
    got = client.got("PUT")
    assert time.monotonic() - since < WITHIN
    assert (got.status, got.headers["x-tameflare-kill-switch"]) == (403, "active")
    assert got.problem["type"].endswith("/approval-killed")
    assert "an incident" in got.problem["detail"]
    gateway.humans.wait_withdrawn()
    # Approving it afterwards is too late.
    gateway.humans.answer(asked, ApprovalState.APPROVED)
    (record,) = gateway.records.wait()
    assert (record.outcome, record.approval_state) == ("killed", ApprovalState.KILLED)
    assert origin.requests == []


def test_held_request_outside_of_the_scope_goes_on(gateway, origin, tunnel) -> None:
    client = sent(tunnel, origin, "PUT", MERGE, "Content-Length: 0")
    asked = gateway.humans.wait_asked()
    gateway.kill("action:github.repo.*")
    gateway.kill("gateway:other")
    time.sleep(0.6)
    gateway.humans.answer(asked, ApprovalState.APPROVED)
    assert client.got("PUT").status == 200


def test_request_that_waits_for_its_answer_is_cut(gateway, origin, tunnel) -> None:
    silent(origin)
    client = sent(tunnel, origin, "GET", READ)
    origin.wait_for_requests(1)
    since = gateway.kill("org")
    assert client.ended()
    assert time.monotonic() - since < WITHIN
    (record,) = gateway.records.wait()
    assert (record.outcome, record.status) == ("killed", None)
    assert "an incident" in (record.error or "")


def test_streaming_answer_is_cut(gateway, origin, tunnel) -> None:
    streaming(origin)
    client = sent(tunnel, origin, "GET", READ)
    data = b""
    while b"hello" not in data:
        data += client.socket.recv(65536)
    since = gateway.kill("connector:github")
    client.rest()
    assert time.monotonic() - since < WITHIN
    assert origin.closed(0, within=WITHIN), "the service is told as well"


def test_streaming_answer_outside_of_the_scope_goes_on(gateway, origin, tunnel) -> None:
    streaming(origin)
    client = sent(tunnel, origin, "GET", READ)
    data = b""
    while b"hello" not in data:
        data += client.socket.recv(65536)
    gateway.kill("action:github.pr.*")
    time.sleep(0.6)
    origin.requests[0].send(b"5\r\nworld\r\n0\r\n\r\n")
    data = b""
    while b"world" not in data:
        data += client.socket.recv(65536)


def test_websocket_is_cut(start_gateway, origin) -> None:
    gateway = start_gateway(origin.port, document=GENERIC)
    origin.handle = lambda request: request.send(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        lines = [
            "GET /chat HTTP/1.1",
            f"Host: localhost:{origin.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        client.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert client.switched()
        since = gateway.kill("org")
        assert client.ended()
        assert time.monotonic() - since < WITHIN


def test_new_request_is_refused_at_once_on_a_connection_that_is_kept(
    gateway, origin, tunnel
) -> None:
    client = sent(tunnel, origin, "GET", READ)
    assert client.got().status == 200
    gateway.kill("action:github.repo.*")
    line = f"GET {READ} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n"
    client.send(line.encode())
    got = client.got()
    assert (got.status, got.headers["x-tameflare-kill-switch"]) == (403, "active")
    assert got.problem["rule"]["kind"] == "kill_switch"


def test_end_of_a_kill_switch_lets_requests_go_on(gateway, origin, tunnel) -> None:
    from tameflare_core.kill_switch import NO_KILL_SWITCHES

    gateway.kill("org")
    assert sent(tunnel, origin, "GET", READ).got().status == 403
    gateway.kill_switches = NO_KILL_SWITCHES
    assert sent(tunnel, origin, "GET", READ).got().status == 200


def test_destination_without_connector_is_refused_as_stopped(gateway) -> None:
    gateway.kill("org")
    with Client(gateway) as client:
        got = client.connect("nobody.example:443")
    assert (got.status, got.headers["x-tameflare-kill-switch"]) == (403, "active")


def test_connection_that_cannot_be_ended_gently_is_closed(gateway) -> None:
    class Stubborn:
        ended = False

        async def kill(self, stopped_by: object) -> None:
            raise RuntimeError("no")

        def end(self) -> None:
            self.ended = True

    first, second = Stubborn(), Stubborn()
    (served,) = gateway.server._gateways
    served.carried |= {first, second}
    since = gateway.kill("org")
    while not (first.ended and second.ended):
        assert time.monotonic() - since < WITHIN
        time.sleep(0.01)
    served.carried -= {first, second}
