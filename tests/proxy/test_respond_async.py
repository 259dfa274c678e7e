"""A client that does not wait for its approval, from the 202 to the one request that leaves."""

from __future__ import annotations

from tameflare_core.approval import ApprovalState
from tests.proxy.running import Client

PATH = "/api/v3/repos/o/r/pulls/1/merge"
STATUS_HOST = "gateway.tameflare.invalid"


def asked(tunnel, origin, *fields: str, path: str = PATH, body: bytes = b"{}"):
    client = tunnel()
    lines = [
        f"PUT {path} HTTP/1.1",
        f"Host: localhost:{origin.port}",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return client.got("PUT")


def state_of(gateway, location: str) -> str | None:
    with Client(gateway) as client:
        assert client.connect(f"{STATUS_HOST}:443").status == 200
        client.start_tls(STATUS_HOST)
        path = location.partition(STATUS_HOST)[2]
        client.send(f"GET {path} HTTP/1.1\r\nHost: {STATUS_HOST}\r\n\r\n".encode())
        got = client.got()
        return got.json["state"] if got.status == 200 else None


def test_approved_request_leaves_once(gateway, origin, tunnel) -> None:
    got = asked(tunnel, origin, "Prefer: respond-async")
    assert got.status == 202
    ticket, location = got.problem["approval_id"], got.headers["location"]
    assert state_of(gateway, location) == "pending"
    assert origin.requests == []
    gateway.humans.answer(gateway.humans.wait_asked(), ApprovalState.APPROVED)
    while (state := state_of(gateway, location)) == "pending":
        pass
    assert state == "approved"
    mine = f"X-TameFlare-Approval: {ticket}"
    other = asked(tunnel, origin, mine, body=b'{"merge_method":"squash"}')
    assert other.status == 403
    assert other.problem["type"].endswith("/approval-not-usable")
    assert origin.requests == []
    assert asked(tunnel, origin, mine).status == 200
    assert asked(tunnel, origin, mine).status == 403
    (arrived,) = origin.requests
    assert arrived.header("x-tameflare-approval") is None
    assert state_of(gateway, location) is None


def test_ticket_may_wait_for_the_answer(gateway, origin, tunnel) -> None:
    ticket = asked(tunnel, origin, "Prefer: respond-async").problem["approval_id"]
    question = gateway.humans.wait_asked()
    gateway.humans.answer(question, ApprovalState.APPROVED)
    assert asked(tunnel, origin, f"X-TameFlare-Approval: {ticket}").status == 200
    assert len(gateway.humans.asked) == 1


def test_denied_request_never_leaves(gateway, origin, tunnel) -> None:
    ticket = asked(tunnel, origin, "Prefer: respond-async").problem["approval_id"]
    gateway.humans.answer(gateway.humans.wait_asked(), ApprovalState.DENIED)
    got = asked(tunnel, origin, f"X-TameFlare-Approval: {ticket}")
    assert got.problem["type"].endswith("/approval-denied")
    assert origin.requests == []


def test_gateway_that_stops_takes_its_questions_along(gateway, origin, tunnel) -> None:
    assert asked(tunnel, origin, "Prefer: respond-async").status == 202
    gateway.humans.wait_asked()
    gateway.stop()
    assert gateway.humans.cancelled == 1


def test_gateways_own_name_is_never_dialled(gateway) -> None:
    with Client(gateway) as client:
        assert client.connect(f"{STATUS_HOST}:443").status == 200
        client.start_tls(STATUS_HOST)
        client.send(f"POST /anything HTTP/1.1\r\nHost: {STATUS_HOST}\r\n\r\n".encode())
        assert client.got("POST").status == 404
