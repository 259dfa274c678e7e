from __future__ import annotations

import socket
from contextlib import suppress

import pytest
import wsproto
import wsproto.events
from wsproto.connection import ConnectionType

from tests.proxy.documents import GENERIC
from tests.proxy.h2_client import H2Client
from tests.proxy.origin import Arrived, head
from tests.proxy.running import CREDENTIAL, Client

ISSUE = "/api/v3/repos/o/r/issues"
READ = "/api/v3/repos/o/r"


def test_chunked_body_arrives_without_trailers(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "POST", ISSUE, "Transfer-Encoding: chunked"))
    for piece in (
        b"1;x=y\r\n{\r\n",
        b"1\r\n",
        b"}\r\n",
        b"0\r\nAuthorization: Bearer stolen\r\n\r\n",
    ):
        client.send(piece)

    assert client.got("POST").status == 200
    (arrived,) = origin.requests
    assert (arrived.body, arrived.trailers) == (b"{}", [])
    assert arrived.header("authorization") == f"Bearer {CREDENTIAL}"


def test_trailers_leave_the_connection_in_step(tunnel, origin) -> None:
    client = tunnel()
    chunked = head(origin, "POST", ISSUE, "Transfer-Encoding: chunked")
    client.send(chunked + b"0\r\nX-A: b\r\n\r\n" + head(origin, "GET", READ))
    assert [client.got("POST").status, client.got().status] == [200, 200]


@pytest.mark.parametrize(
    "body",
    [
        b"FFFFFFFFFFFFFFFFFFFFF1\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1\r\nab\r\n",
        b"1;" + b"x" * 70_000,
        b"0\r\n" + b"X: y\r\n" * 20_000,
        b"1\n{\n0\n\n" + b"x" * 70_000,
    ],
    ids=["overflow", "negative", "hex", "space", "longer", "extension", "trailers", "bare lf"],
)
def test_malformed_chunk_is_rejected(tunnel, origin, body) -> None:
    client = tunnel()
    fields = ["Transfer-Encoding: chunked", "Content-Type: application/json"]
    client.send(head(origin, "PATCH", f"{ISSUE}/1", *fields) + body)

    assert client.got("PATCH").problem["status"] == 400
    assert client.ended()
    assert origin.bytes_received == 0


def test_pipelined_flood_is_held_back(tunnel, origin, gateway) -> None:
    client = tunnel()
    client.send(head(origin, "PUT", f"{READ}/pulls/1/merge", "Content-Length: 0"))
    gateway.humans.wait_asked()
    client.socket.settimeout(1)
    sent = 0
    with suppress(TimeoutError):
        while sent < 64 * 1024 * 1024:
            sent += client.socket.send(b"x" * 65536)
    # What the kernel and the event loop buffer, and no more.
    assert sent < 32 * 1024 * 1024


def test_slow_head_is_read_in_linear_time(tunnel, origin) -> None:
    client = tunnel()
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in head(origin, "GET", READ, "X-Long: " + "a" * 500):
        client.send(bytes([byte]))
    assert client.got().status == 200


def test_empty_line_before_a_request_is_ignored(tunnel, origin) -> None:
    client = tunnel()
    client.send(b"\r\n\r\n" + head(origin, "GET", READ))
    assert client.got().status == 200


def test_http_1_0_client_is_answered_and_closed(tunnel, origin) -> None:
    client = tunnel()
    client.send(head(origin, "GET", READ).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert client.got().status == 200
    assert client.ended()


@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_interim_answers_are_passed_over(tunnel, origin, status) -> None:
    def hint(request: Arrived) -> None:
        request.send(f"HTTP/1.1 {status}\r\nLink: </a>\r\n\r\n".encode())
        request.answer(b"final")

    origin.handle = hint
    client = tunnel()
    for _ in range(2):
        client.send(head(origin, "GET", READ))
        got = client.got()
        assert (got.status, got.interim, got.body) == (200, [], b"final")


def test_response_trailers_are_dropped(tunnel, origin) -> None:
    origin.handle = lambda request: request.send(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\nX-TameFlare-Note: fake\r\n\r\n"
    )
    client = tunnel()
    for _ in range(2):
        client.send(head(origin, "GET", READ))
        assert client.got().body == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Note: " + b"a" * 70_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4, 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-note: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-note: a\r\n b\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: foo\r\n\r\n",
        b"",
    ],
)
def test_unreadable_answer_is_a_502(tunnel, origin, gateway, answer) -> None:
    def respond(request: Arrived) -> None:
        request.send(answer)
        request.socket.close()

    origin.handle = respond
    client = tunnel()
    client.send(head(origin, "GET", READ, "Sec-WebSocket-Version: 13"))

    assert client.got().problem["status"] == 502
    assert gateway.records.wait()[0].outcome == "failed"


def test_upstream_cannot_speak_for_us(tunnel, origin) -> None:
    origin.handle = lambda request: request.answer(
        b"ok",
        'Alt-Svc: h3=":443"',
        "X-TameFlare-Request-Id: fake",
        "X-TameFlare-Kill-Switch: active",
        "Proxy-Authenticate: Basic",
        "Upgrade: h2c",
        "Keep-Alive: timeout=5",
    )
    client = tunnel()
    client.send(head(origin, "GET", READ))
    assert set(client.got().headers) == {"content-length"}


def test_h2_upstream_cannot_speak_for_us(start_origin, start_gateway) -> None:
    origin = start_origin(h2=True)
    with Client(start_gateway(origin.port, document=GENERIC)) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls(alpn="h2")
        engine = H2Client(client)
        engine.request("POST", "/x", origin, body=b"x" * 200_000)
        assert engine.answer(1) == {":status": "200"}
        assert engine.bodies[1] == b"over h2"
        assert engine.trailers[1] == {"grpc-status": "0"}
    assert origin.requests[0].body == b"x" * 200_000


# -- switching protocols -------------------------------------------------------------------------


HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions: permessage-deflate",
)


def accept_websocket(request: Arrived) -> None:
    request.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    server = wsproto.connection.Connection(ConnectionType.SERVER)
    while data := request.socket.recv(65536):
        server.receive_data(data)
        for event in server.events():
            if isinstance(event, wsproto.events.Message):
                request.send(server.send(event))
            elif isinstance(event, wsproto.events.Ping | wsproto.events.CloseConnection):
                request.send(server.send(event.response()))


@pytest.fixture
def websocket(start_origin, start_gateway):
    origin = start_origin()
    origin.handle = accept_websocket
    with Client(start_gateway(origin.port, document=GENERIC)) as client:
        client.connect(f"localhost:{origin.port}")
        client.start_tls()
        yield origin, client


def test_allowed_websocket_passes_frames(websocket) -> None:
    origin, client = websocket
    client.send(head(origin, "GET", "/ws", *HANDSHAKE))
    assert client.switched()
    frames = wsproto.connection.Connection(ConnectionType.CLIENT)
    text = "ü" * 300_000
    client.send(frames.send(wsproto.events.TextMessage(text[:10], message_finished=False)))
    client.send(frames.send(wsproto.events.TextMessage(text[10:])))
    client.send(frames.send(wsproto.events.Ping(b"1")))
    client.send(frames.send(wsproto.events.BytesMessage(b"\0\xff")))
    seen = ""
    kinds = set()
    while wsproto.events.BytesMessage not in kinds:
        frames.receive_data(client.socket.recv(65536))
        for event in frames.events():
            kinds.add(type(event))
            if isinstance(event, wsproto.events.TextMessage):
                seen += event.data
    assert seen == text
    assert wsproto.events.Pong in kinds
    client.send(frames.send(wsproto.events.CloseConnection(1000)))
    assert frames.receive_data(client.rest()) is None
    assert [event.code for event in frames.events()] == [1000]
    names = [name for name, _ in origin.requests[0].headers]
    assert "sec-websocket-extensions" not in names


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81\x02hi",  # not masked
        b"\xc1\x82\0\0\0\0hi",  # compressed, which was not agreed on
        b"\x80\x82\0\0\0\0hi",  # continues nothing
        b"\x83\x80\0\0\0\0",  # unknown opcode
        b"\x89\xfe\x01\x00\0\0\0\0" + b"x" * 256,  # a ping that long is none
    ],
)
def test_malformed_frame_ends_websocket(websocket, frame) -> None:
    origin, client = websocket
    client.send(head(origin, "GET", "/ws", *HANDSHAKE))
    assert client.switched()
    client.send(frame)
    assert client.rest()[:1] in {b"", b"\x88"}


def test_denied_websocket_is_not_switched(websocket) -> None:
    origin, client = websocket
    client.send(head(origin, "DELETE", "/ws", *HANDSHAKE))
    assert client.got("DELETE").status == 403
    assert origin.connections == 0


@pytest.mark.parametrize("protocol", ["h2c", "foo", "websocket, h2c", "TLS/1.0"])
def test_other_upgrade_is_removed(tunnel, origin, protocol) -> None:
    client = tunnel()
    fields = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMA"]
    client.send(head(origin, "GET", READ, *fields))
    assert client.got().status == 200
    names = {name for name, _ in origin.requests[0].headers}
    assert names == {"host", "authorization"}
