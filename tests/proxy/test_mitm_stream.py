from __future__ import annotations

import gzip
import threading
from pathlib import Path

import httpx
import pytest

from tests.proxy.documents import GENERIC
from tests.proxy.h2_client import H2Client
from tests.proxy.origin import Arrived, head
from tests.proxy.running import CREDENTIAL, Client

READ = "/api/v3/repos/o/r"
ISSUE = f"{READ}/issues/1"
UPLOAD = "/api/v3/repos/o/r/releases/1/assets"
MIB = 1024 * 1024
OPAQUE = "- {{connector: github, action: github.opaque.patch, decision: allow}}"


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_limit_is_opaque(tunnel, origin, chunked) -> None:
    body = b" " * (2 * MIB)
    client = tunnel()
    if chunked:
        client.send(head(origin, "PATCH", ISSUE, "Transfer-Encoding: chunked"))
        client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    else:
        client.send(head(origin, "PATCH", ISSUE, f"Content-Length: {len(body)}"))
        client.send(body)

    problem = client.got("PATCH").problem
    assert (problem["status"], problem["action"]) == (403, "github.opaque.patch")
    assert origin.bytes_received == 0


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_allowed_opaque_body_arrives_whole(start_gateway, origin, chunked, alpn) -> None:
    body = bytes(range(256)) * 8 * 1024
    gateway = start_gateway(origin.port, extra=OPAQUE.replace("{{", "{").replace("}}", "}"))

    def pieces():
        yield body[:MIB]
        yield body[MIB:]

    with httpx.Client(
        proxy=gateway.proxy_url, verify=gateway.client_context, http2=alpn == "h2"
    ) as agent:
        answer = agent.patch(
            f"https://localhost:{origin.port}{ISSUE}",
            content=pieces() if chunked else body,
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 200
    assert origin.requests[0].body == body
    assert origin.requests[0].header("authorization") == f"Bearer {CREDENTIAL}"


def test_compressed_body_is_judged_and_forwarded_as_sent(tunnel, origin) -> None:
    body = gzip.compress(b'{"title": "t"}')
    fields = [f"Content-Length: {len(body)}", "Content-Encoding: gzip"]
    client = tunnel()
    client.send(head(origin, "POST", f"{READ}/issues", *fields) + body)
    assert client.got("POST").status == 200
    assert origin.requests[0].body == body


@pytest.mark.parametrize("collected", [False, True])
def test_h2_body_of_unknown_length_is_framed(start_gateway, origin, collected) -> None:
    gateway = start_gateway(origin.port, document=GENERIC)
    kind = "application/x-www-form-urlencoded" if collected else "application/octet-stream"
    with Client(gateway) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls(alpn="h2")
        engine = H2Client(client)
        smuggled = head(origin, "DELETE", "/x")
        extra = [("content-type", kind)]
        engine.request("POST", "/x", origin, body=smuggled, extra=extra)
        assert engine.answer(1)[":status"] == "200"

    (arrived,) = origin.requests
    assert arrived.body == smuggled
    framed = arrived.header("content-length") if collected else arrived.header("transfer-encoding")
    assert framed == (str(len(smuggled)) if collected else "chunked")


def test_h2_cookies_are_joined_for_http1(start_gateway, origin) -> None:
    with Client(start_gateway(origin.port, document=GENERIC)) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls(alpn="h2")
        engine = H2Client(client)
        engine.request("GET", "/x", origin, extra=[("cookie", "a=1"), ("cookie", "b=2")])
        assert engine.answer(1)[":status"] == "200"
    assert origin.requests[0].header("cookie") == "a=1; b=2"


@pytest.mark.parametrize("http2", [False, True])
def test_events_arrive_one_by_one(gateway, origin, http2) -> None:
    taken = threading.Semaphore(0)

    def stream(request: Arrived) -> None:
        request.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            # Nothing more is sent until the client has what was sent before.
            assert number == 0 or taken.acquire(timeout=10)
            event = b"data: %d\n\n" % number
            request.send(b"%x\r\n%s\r\n" % (len(event), event))
        request.send(b"0\r\n\r\n")

    origin.handle = stream
    with (
        httpx.Client(proxy=gateway.proxy_url, verify=gateway.client_context, http2=http2) as agent,
        agent.stream("GET", f"https://localhost:{origin.port}{READ}") as answer,
    ):
        seen = []
        for chunk in answer.iter_raw():
            seen.append(chunk)
            taken.release()
    assert b"".join(seen) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


@pytest.mark.parametrize("http2", [False, True])
def test_large_upload_is_streamed(gateway, origin, http2) -> None:
    origin.keep = False
    size = 64 * MIB

    def pieces():
        for _ in range(size // MIB):
            yield b"u" * MIB

    with httpx.Client(proxy=gateway.proxy_url, verify=gateway.client_context, http2=http2) as agent:
        agent.get(f"https://localhost:{origin.port}{READ}")
        before = resident()
        answer = agent.post(
            f"https://localhost:{origin.port}{UPLOAD}",
            content=pieces(),
            headers={"content-type": "application/octet-stream"},
            params={"name": "a"},
        )
    assert answer.status_code == 200
    assert origin.requests[-1].size == size
    assert resident() - before < 16 * MIB


@pytest.mark.parametrize("http2", [False, True])
def test_large_download_is_streamed(gateway, origin, http2) -> None:
    size = 64 * MIB

    def send(request: Arrived) -> None:
        request.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        block = b"d" * MIB
        for _ in range(size // MIB):
            request.send(block)

    origin.handle = send
    with httpx.Client(proxy=gateway.proxy_url, verify=gateway.client_context, http2=http2) as agent:
        received = 0
        before = resident()
        with agent.stream("GET", f"https://localhost:{origin.port}{READ}") as answer:
            for chunk in answer.iter_raw():
                received += len(chunk)
    assert received == size
    assert resident() - before < 16 * MIB


def test_slow_h2_reader_holds_the_upstream_back(tunnel, origin) -> None:
    sent = 0
    stuck = threading.Event()

    def send(request: Arrived) -> None:
        nonlocal sent
        request.socket.settimeout(1)
        request.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (256 * MIB))
        try:
            for _ in range(256):
                request.send(b"d" * MIB)
                sent += MIB
        except TimeoutError:
            stuck.set()

    origin.handle = send
    engine = H2Client(tunnel(alpn="h2"))
    before = resident()
    engine.request("GET", READ, origin)

    assert stuck.wait(20)
    assert sent < 32 * MIB
    assert resident() - before < 32 * MIB


def test_slow_h2_reader_of_one_stream_reads_others(tunnel, origin) -> None:
    def send(request: Arrived) -> None:
        request.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (8 * MIB))
        for _ in range(8):
            request.send(b"d" * MIB)

    origin.handle = send
    engine = H2Client(tunnel(alpn="h2"))
    engine.engine.acknowledge_received_data = lambda *_: None  # its windows never open again
    engine.request("GET", READ, origin)
    origin.wait_for_requests(1)
    origin.handle = lambda request: request.answer(b"")
    engine.request("GET", READ, origin)
    assert engine.answer(3)[":status"] == "200"


def test_refused_request_may_still_send_its_body(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "DELETE", READ, f"Content-Length: {4 * MIB}"))
    got = client.got("DELETE")
    assert (got.status, got.headers["connection"]) == (403, "close")
    client.send(b"x" * (4 * MIB))
    assert client.ended()
    assert origin.connections == 0


def test_refused_h2_stream_leaves_others_alone(tunnel, origin) -> None:
    engine = H2Client(tunnel(alpn="h2"))
    engine.request("DELETE", READ, origin, body=b"x" * 200_000)
    engine.request("GET", READ, origin)
    assert engine.answer(1)[":status"] == "403"
    assert engine.answer(3)[":status"] == "200"


def test_client_gone_mid_answer_closes_upstream(tunnel, origin, gateway) -> None:
    closed = threading.Event()

    def send(request: Arrived) -> None:
        request.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        if request.socket.recv(1) == b"":
            closed.set()

    origin.handle = send
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert b"200 OK" in client.socket.recv(1000)
    client.close()
    assert closed.wait(10)
    assert gateway.records.wait()[0].outcome == "forwarded"


def test_client_gone_before_the_answer_is_recorded(tunnel, origin, gateway) -> None:
    closed = threading.Event()

    def wait(request: Arrived) -> None:
        if request.socket.recv(1) == b"":
            closed.set()

    origin.handle = wait
    client = tunnel()
    client.send(head(origin, "GET", READ))
    origin.wait_for_requests(1)
    client.close()
    assert closed.wait(10)
    (record,) = gateway.records.wait()
    assert (record.outcome, record.status) == ("abandoned", None)
