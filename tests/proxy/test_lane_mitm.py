from __future__ import annotations

import time

import httpx
import pytest

from tameflare_core.approval import ApprovalState
from tameflare_core.body import MAX_INSPECTED
from tameflare_core.request import Body
from tameflare_proxy.lane_mitm import _Connection
from tameflare_proxy.mitm_ends import Http1Server
from tameflare_proxy.mitm_layers import HttpLayer
from tameflare_proxy.mitm_stream import Stream
from tests.proxy.documents import PLAIN
from tests.proxy.h2_client import H2Client
from tests.proxy.origin import Origin, head, plain_head
from tests.proxy.running import CREDENTIAL, TOKEN, Client, RunningGateway, in_thread

READ = "/api/v3/repos/o/r"
MERGE = "/api/v3/repos/o/r/pulls/1/merge"


@pytest.fixture(params=[False, True], ids=["http1", "http2"])
def agent(request: pytest.FixtureRequest, gateway: RunningGateway):
    with httpx.Client(
        proxy=gateway.proxy_url,
        verify=gateway.client_context,
        http2=request.param,
        timeout=10,
    ) as client:
        yield client


def url(origin: Origin, path: str) -> str:
    return f"https://localhost:{origin.port}{path}"


def test_allowed_request_carries_credential(agent, origin, gateway) -> None:
    answer = agent.get(url(origin, READ), headers={"authorization": "Bearer placeholder"})

    assert answer.status_code == 200
    (arrived,) = origin.requests
    assert arrived.header("authorization") == f"Bearer {CREDENTIAL}"
    (record,) = gateway.records.wait()
    assert (record.outcome, record.status) == ("forwarded", 200)


def test_denied_request_sends_nothing(agent, origin, gateway) -> None:
    answer = agent.delete(url(origin, READ))

    assert answer.status_code == 403
    assert answer.json()["action"] == "github.repo.delete"
    assert origin.connections == 0
    (record,) = gateway.records.wait()
    assert (record.outcome, record.status) == ("denied", 403)


@pytest.mark.parametrize(
    ("state", "status", "requests"),
    [(ApprovalState.APPROVED, 200, 1), (ApprovalState.DENIED, 403, 0)],
)
def test_held_request_waits_for_human(agent, origin, gateway, state, status, requests) -> None:
    answer = in_thread(lambda: agent.put(url(origin, MERGE), json={}))
    asked = gateway.humans.wait_asked()
    assert origin.connections == 0
    gateway.humans.answer(asked, state)

    assert answer.result(10).status_code == status
    assert len(origin.requests) == requests


def test_unanswered_hold_times_out(start_gateway, origin) -> None:
    gateway = start_gateway(origin.port, timeout=1)
    with httpx.Client(proxy=gateway.proxy_url, verify=gateway.client_context) as agent:
        answer = agent.put(url(origin, MERGE), json={})

    assert answer.status_code == 408
    assert answer.headers["x-should-retry"] == "false"
    gateway.humans.wait_withdrawn()
    assert origin.connections == 0


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_client_gone_while_held_withdraws_question(tunnel, origin, gateway, protocol) -> None:
    client = tunnel(alpn=protocol)
    if protocol == "h2":
        engine = H2Client(client)
        engine.request("PUT", MERGE, origin)
        asked = gateway.humans.wait_asked()
        engine.reset(1)
    else:
        client.send(head(origin, "PUT", MERGE, "Content-Length: 0"))
        asked = gateway.humans.wait_asked()
        client.close()

    gateway.humans.wait_withdrawn()
    gateway.humans.answer(asked, ApprovalState.APPROVED)
    (record,) = gateway.records.wait()
    assert (record.outcome, record.status) == ("cancelled", None)
    assert origin.connections == 0


def test_request_reset_in_its_own_packet_is_never_asked(tunnel, origin, gateway) -> None:
    engine = H2Client(tunnel(alpn="h2"))
    engine.request("PUT", MERGE, origin, flush=False)
    engine.reset(1)

    (record,) = gateway.records.wait()
    assert record.outcome == "cancelled"
    assert gateway.humans.asked == []
    assert origin.connections == 0


def test_client_gone_behind_unread_body_ends_hold(tunnel, origin, gateway) -> None:
    client = tunnel()
    size = 300_000
    client.send(head(origin, "PUT", MERGE, f"Content-Length: {size}") + b"x" * size)
    gateway.humans.wait_asked()
    client.close()

    gateway.humans.wait_withdrawn()
    assert gateway.records.wait()[0].outcome == "cancelled"
    assert origin.connections == 0


def test_held_stream_does_not_block_others(tunnel, origin, gateway) -> None:
    engine = H2Client(tunnel(alpn="h2"))
    engine.request("PUT", MERGE, origin, body=b"x" * (MAX_INSPECTED + 30_000), end=False)
    asked = gateway.humans.wait_asked()
    engine.request("GET", READ, origin)
    assert engine.answer(3)[":status"] == "200"
    gateway.humans.answer(asked, ApprovalState.DENIED)
    assert engine.answer(1)[":status"] == "403"


@pytest.mark.parametrize("chunked", [True, False])
def test_beginning_of_a_large_body_is_handed_over(tunnel, origin, gateway, chunked: bool) -> None:
    body = bytes(range(256)) * (MAX_INSPECTED // 256) + b"the rest"
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    client = tunnel()
    client.send(head(origin, "PUT", MERGE, framing) + sent)
    asked = gateway.humans.wait_asked()
    assert asked.request.body == Body.oversize(body[:MAX_INSPECTED])
    gateway.humans.answer(asked, ApprovalState.APPROVED)
    assert client.got("PUT").status == 200
    assert origin.requests[0].body == body


def test_pipelined_request_is_judged_separately(tunnel, origin, gateway) -> None:
    client = tunnel()
    client.send(head(origin, "GET", READ) + head(origin, "DELETE", READ))

    assert client.got().status == 200
    assert client.got("DELETE").status == 403
    assert [request.method for request in origin.requests] == ["GET"]
    assert [record.outcome for record in gateway.records.wait(2)] == ["forwarded", "denied"]


def test_request_behind_a_body_is_judged_separately(tunnel, origin) -> None:
    client = tunnel()
    body = b"{}" + head(origin, "DELETE", READ)
    client.send(head(origin, "POST", "/api/v3/repos/o/r/issues", "Content-Length: 2") + body)

    assert client.got("POST").status == 200
    assert client.got("DELETE").status == 403
    assert [request.body for request in origin.requests] == [b"{}"]


@pytest.mark.parametrize(
    "lines",
    [
        ["GET {path} HTTP/1.1", "Host: evil.example"],
        ["GET {path} HTTP/1.1", "Host: localhost:1"],
        ["GET {path} HTTP/1.1", "Host: localhost:{port}", "Host: localhost:{port}"],
        ["GET {path} HTTP/1.1", "Host: localhost:{port}:80"],
        ["GET {path} HTTP/1.1", "Host: user@localhost:{port}"],
        ["GET {path} HTTP/1.1", "Host:"],
        ["GET {path} HTTP/1.1"],
        ["GET https://evil.example{path} HTTP/1.1", "Host: localhost:{port}"],
        ["GET https://localhost:{port}{path} HTTP/1.1", "Host: localhost:{port}"],
        ["CONNECT localhost:{port} HTTP/1.1", "Host: localhost:{port}"],
        ["OPTIONS * HTTP/1.1", "Host: localhost:{port}"],
        ["get {path} HTTP/1.1", "Host: localhost:{port}"],
        ["GET {path} HTTP/1.1", "Host: localhost:{port}", "X-Original-URL: /api/v3/user"],
        ["GET {path} HTTP/1.1", "Host: localhost:{port}", "Content-Length: 4, 4"],
        ["GET {path} HTTP/1.1", "Host: localhost:{port}", "Transfer-Encoding: xchunked"],
        ["GET {path}/%2e%2e/x HTTP/1.1", "Host: localhost:{port}"],
    ],
)
def test_ambiguous_request_in_tunnel_is_rejected(tunnel, origin, lines) -> None:
    client = tunnel()
    text = "\r\n".join(lines).format(path=READ, port=origin.port)
    client.send(text.encode() + b"\r\n\r\n")

    assert client.got().problem["status"] == 400
    assert client.ended()
    assert origin.connections == 0


@pytest.mark.parametrize(
    "changed",
    [
        {":authority": "evil.example"},
        {":authority": None, "host": "evil.example"},
        {":path": "https://evil.example/"},
        {":method": "get"},
        {"x-rewrite-url": "/api/v3/user"},
        {"content-length": "4"},
    ],
)
def test_ambiguous_stream_is_rejected(tunnel, origin, gateway, changed) -> None:
    engine = H2Client(tunnel(alpn="h2"))
    engine.request("GET", READ, origin, changed=changed)

    assert engine.answer(1)[":status"] == "400"
    assert gateway.records.wait()[0].outcome == "rejected"
    assert origin.connections == 0


@pytest.mark.parametrize("rest", [{}, {":scheme": None, ":path": None}], ids=["whole", "bare"])
def test_connect_in_a_stream_goes_nowhere(tunnel, origin, rest) -> None:
    engine = H2Client(tunnel(alpn="h2"))
    engine.request("GET", READ, origin, changed={":method": "CONNECT", **rest})

    # Versions of h2 differ in whether they take it for malformed, which ends the connection.
    assert engine.failed(1) or engine.answer(1)[":status"] == "400"
    assert origin.connections == 0


def test_last_answer_outlives_what_the_client_still_sends(tunnel, origin) -> None:
    client = tunnel()
    client.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    # Sent to a connection that is closed already, each of these would be answered with a reset.
    for _ in range(3):
        time.sleep(0.05)
        client.send(b"x" * 1000)

    assert client.got().problem["status"] == 400


@pytest.mark.parametrize(
    "extra",
    [
        [(":authority", "evil.example")],
        [("host", "evil.example")],
        [("transfer-encoding", "chunked")],
        [("x-note", "a\r\nhost: evil.example")],
        [("X-Upper", "a")],
        [("connection", "close")],
    ],
)
def test_malformed_stream_ends_its_connection(tunnel, origin, extra) -> None:
    engine = H2Client(tunnel(alpn="h2"))
    engine.request("GET", READ, origin, extra=extra)

    assert engine.failed(1)
    assert origin.connections == 0


def test_other_server_name_ends_connection(gateway, origin) -> None:
    with Client(gateway) as client:
        assert client.connect(f"localhost:{origin.port}").status == 200
        with pytest.raises(OSError, match=r".*"):
            client.start_tls("evil.example", verify=False)
    assert origin.connections == 0


def test_absent_server_name_dials_the_tunnel_target(gateway, origin) -> None:
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls(None)
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200


def test_plain_http_never_gets_the_credential(start_gateway, start_origin) -> None:
    plain = start_origin(tls=False)
    gateway = start_gateway(plain.port)
    authorized = f"Proxy-Authorization: Bearer {TOKEN}"
    with Client(gateway) as client:
        client.connect(f"localhost:{plain.port}")
        client.send(head(plain, "GET", READ))
        assert client.got().problem["rule"]["kind"] == "no_connector"
    with Client(gateway) as client:
        client.send(plain_head(plain, "GET", READ, authorized))
        assert client.got().problem["rule"]["kind"] == "no_connector"
    assert plain.connections == 0


def test_second_plain_request_needs_its_token(start_gateway, start_origin) -> None:
    plain = start_origin(tls=False)
    gateway = start_gateway(plain.port, document=PLAIN)
    authorized = f"Proxy-Authorization: Bearer {TOKEN}"
    with Client(gateway) as client:
        client.send(plain_head(plain, "GET", "/1", authorized))
        assert client.got().status == 200
        client.send(plain_head(plain, "GET", "/2"))
        refused = client.got()
        assert (refused.status, refused.headers["proxy-authenticate"][:5]) == (407, "Basic")
        client.send(plain_head(plain, "GET", "/3", "Proxy-Authorization: Bearer gwtk_other"))
        assert client.got().status == 407
        client.send(plain_head(plain, "GET", "/4", authorized))
        assert client.got().status == 200

    assert [request.target for request in plain.requests] == ["/1", "/4"]


def test_plain_request_with_other_host_is_rejected(start_gateway, start_origin) -> None:
    plain = start_origin(tls=False)
    gateway = start_gateway(plain.port, document=PLAIN)
    lines = f"GET http://localhost:{plain.port}/ HTTP/1.1\r\nHost: evil.example\r\n"
    with Client(gateway) as client:
        client.send(f"{lines}Proxy-Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert client.got().status == 400
    assert plain.connections == 0


def test_token_never_reaches_upstream(start_gateway, start_origin) -> None:
    plain = start_origin(tls=False)
    gateway = start_gateway(plain.port, document=PLAIN)
    with Client(gateway) as client:
        for name in ("Proxy-Authorization", "proxy-authorization", "PROXY-AUTHORIZATION"):
            client.send(
                plain_head(
                    plain,
                    "GET",
                    "/",
                    f"{name}: Bearer {TOKEN}",
                    "Connection: keep-alive, proxy-authorization",
                    "Proxy-Connection: keep-alive",
                    "X-TameFlare-Approval: apv_1",
                )
            )
            assert client.got().status == 200

    for request in plain.requests:
        names = {name for name, _ in request.headers}
        assert names == {"host"}
        assert TOKEN not in str(request.headers)


def test_inner_proxy_authorization_never_reaches_upstream(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "GET", READ, f"Proxy-Authorization: Bearer {TOKEN}"))
    assert client.got().status == 200
    assert TOKEN not in str(origin.requests[0].headers)


def test_denied_expectation_gets_no_continue(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "DELETE", READ, "Content-Length: 5", "Expect: 100-continue"))
    got = client.got("DELETE")

    assert (got.status, got.interim) == (403, [])
    assert got.headers["connection"] == "close"
    assert origin.connections == 0


def test_allowed_expectation_is_continued(tunnel, origin) -> None:
    client = tunnel()
    path = "/api/v3/repos/o/r/issues"
    client.send(head(origin, "POST", path, "Content-Length: 5", "Expect: 100-continue"))
    assert client.socket.recv(100).startswith(b"HTTP/1.1 100")
    client.send(b"12345")

    assert client.got("POST").status == 200
    assert origin.requests[0].body == b"12345"
    assert origin.requests[0].header("expect") is None


def test_head_refusal_keeps_connection_in_step(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "HEAD", "/api/v3/..%2f"))
    assert client.got("HEAD").status == 400


def test_head_denial_has_no_body_and_keeps_alive(start_gateway, start_origin) -> None:
    plain = start_origin(tls=False)
    gateway = start_gateway(plain.port, document=PLAIN.replace("http.*", "http.post"))
    authorized = f"Proxy-Authorization: Bearer {TOKEN}"
    with Client(gateway) as client:
        client.send(plain_head(plain, "HEAD", "/", authorized))
        refused = client.got("HEAD")
        assert (refused.status, refused.body) == (403, b"")
        client.send(plain_head(plain, "POST", "/", authorized, "Content-Length: 0"))
        assert client.got("POST").status == 200


def test_kept_connection_carries_a_thousand_requests(tunnel, origin, gateway) -> None:
    client = tunnel()
    for _ in range(1000):
        client.send(head(origin, "GET", READ))
        assert client.got().status == 200

    assert len(origin.requests) == 1000
    assert origin.connections == 1
    assert len(gateway.records.wait(1000)) == 1000


def test_closing_client_is_closed(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "GET", READ, "Connection: close"))
    got = client.got()
    assert (got.status, got.headers["connection"]) == (200, "close")
    assert client.ended()


def test_full_disk_refuses(tunnel, origin, gateway) -> None:
    gateway.records.failing = True
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert client.got().status == 403
    assert origin.connections == 0


# -- what goes wrong inside ----------------------------------------------------------------------


class Fault(Exception):
    pass


async def fail(*_: object, **__: object) -> None:
    raise Fault("`secret`")


HOOKS = {
    "tls_start_client": "closed",
    "tls_start_server": 502,
    "requestheaders": 403,
    "request": 403,
    "tameflare_body_too_large": 403,
    "responseheaders": "closed",
    "error": 403,
}


@pytest.mark.parametrize("name", sorted(_Connection.reactions))
def test_failing_hook_refuses(tunnel, origin, gateway, monkeypatch, name, caplog) -> None:
    monkeypatch.setitem(_Connection.reactions, name, fail)
    expected = HOOKS[name]
    if name == "error":
        origin.handle = lambda request: request.socket.close()
    body = b'{"state": "closed"}'
    fields = [f"Content-Length: {len(body)}"]
    if name == "tameflare_body_too_large":
        body, fields = (
            b"%x\r\n%s\r\n0\r\n\r\n" % (1 << 21, b"x" * (1 << 21)),
            ["Transfer-Encoding: chunked"],
        )
    method = "GET" if name in {"tls_start_server", "responseheaders", "error"} else "PATCH"
    if method == "GET":
        body, fields = b"", []
    if name == "tls_start_client":
        with pytest.raises(OSError, match=r".*"):
            tunnel()
        assert origin.connections == 0
        return
    client = tunnel()
    path = f"{READ}/issues/1" if method == "PATCH" else READ
    client.send(head(origin, method, path, *fields) + body)
    if expected == "closed":
        assert client.ended()
    else:
        assert client.got(method).problem["status"] == expected
    if name not in {"responseheaders", "error"}:
        assert origin.bytes_received == 0
    assert "secret" not in caplog.text
    if name != "tls_start_server":
        assert f"hook {name} failed: Fault" in caplog.text


def test_undecided_request_goes_nowhere(tunnel, origin, monkeypatch) -> None:
    async def forget(*_: object) -> None:
        """A hook that never asks the enforcement point."""

    monkeypatch.setitem(_Connection.reactions, "requestheaders", forget)
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert client.ended()
    assert origin.connections == 0


def test_request_lost_in_a_crash_is_recorded(tunnel, origin, gateway, monkeypatch) -> None:
    monkeypatch.setattr(HttpLayer, "get_connection", lambda *_: 1 / 0)
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert client.ended()
    assert gateway.records.wait()[0].outcome == "abandoned"


def test_failing_dialler_refuses(tunnel, origin, monkeypatch) -> None:
    monkeypatch.setattr("tameflare_proxy.dial.permitted", lambda *_, **__: 1 / 0)
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert client.got().problem["detail"] == "`dial` failed"
    assert origin.connections == 0


@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (HttpLayer, "make_stream"),
        (HttpLayer, "get_connection"),
        (HttpLayer, "_handle_event"),
        (Stream, "make_server_connection"),
        (Stream, "state_wait_for_request_headers"),
        (Http1Server, "read_headers"),
        (Http1Server, "send"),
    ],
)
def test_crashing_layer_closes_connection(tunnel, origin, monkeypatch, owner, method) -> None:
    def crash(*_: object, **__: object) -> None:
        raise Fault

    monkeypatch.setattr(owner, method, crash)
    try:
        client = tunnel()
        client.send(head(origin, "GET", READ))
        assert client.ended()
    except OSError:
        pass  # the handshake did not end either
    assert method == "send" or origin.bytes_received == 0
