"""An upstream that speaks at the level of bytes: HTTP/1.1 or HTTP/2, over TLS or not."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events
import h11
from cryptography.hazmat.primitives import serialization

from tameflare_proxy.authority import Authority

DEADLINE = 10


class Vendor:
    """A certificate authority of an upstream."""

    def __init__(self, folder: Path, now: Callable[[], datetime] | None = None) -> None:
        self._folder = folder
        own = {} if now is None else {"now": now}
        self._authority = Authority.load_or_create(folder, **own)

    @property
    def ca_file(self) -> Path:
        return self._authority.certificate_path

    def context(self, host: str = "localhost", *, h2: bool = False) -> ssl.SSLContext:
        """TLS for a server called `host`."""
        leaf = self._authority.leaf(host)
        path = self._folder / f"{leaf.certificate.serial_number:x}.pem"
        path.write_bytes(
            leaf.certificate.public_bytes(serialization.Encoding.PEM)
            + leaf.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["h2"] if h2 else ["http/1.1"])
        return context


@dataclass
class Arrived:
    """One request at the origin, with its connection."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    socket: socket.socket
    body: bytes = b""
    size: int = 0
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = b"ok", *fields: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def echo(request: Arrived) -> None:
    """Answer with what arrived, as JSON."""
    document = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": request.body.decode("latin-1"),
    }
    body = json.dumps(document).encode()
    request.answer(b"" if request.method == "HEAD" else body, "content-type: application/json")


class Origin:
    """Accepts connections on 127.0.0.1, one thread each.

    Attributes:
        handle: answers a request that has arrived whole.
        requests: what arrived, oldest first.
        bytes_received: application bytes, over all connections.
        connections: how many were accepted.
        keep: whether bodies are kept, or only counted.
    """

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._context = context
        self.port = port
        self.handle: Callable[[Arrived], None] = echo
        self.requests: list[Arrived] = []
        self.bytes_received = 0
        self.connections = 0
        self.keep = True
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = int(self._listening.getsockname()[1])
        self._threads.append(threading.Thread(target=self._accept))
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()

    def wait_for_requests(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, DEADLINE)

    def wait_for_connections(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.connections >= count, DEADLINE)

    def closed(self, index: int, *, within: float) -> bool:
        """Whether the peer closes the connection of a request that has arrived, within seconds."""
        connection = self.requests[index].socket
        try:
            # Its thread may have seen the end first, and closed it.
            connection.settimeout(within)
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            with self._changed:
                self.connections += 1
                self._open.append(connection)
                self._threads.append(thread)
                self._changed.notify_all()
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                with self._changed:
                    self._open.append(connection)
                if connection.selected_alpn_protocol() == "h2":
                    self._serve_h2(connection)
                    return
            self._serve_http1(connection)
        except (OSError, h11.ProtocolError):
            pass  # clients that go away, or trust another authority, are part of many tests
        finally:
            with suppress(OSError):
                connection.close()

    def _received(self, data: bytes) -> bytes:
        with self._changed:
            self.bytes_received += len(data)
            self._changed.notify_all()
        return data

    def _arrived(self, request: Arrived) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def _serve_http1(self, connection: socket.socket) -> None:
        engine = h11.Connection(h11.SERVER)
        while True:
            request: Arrived | None = None
            for event in self._events(engine, connection):
                match event:
                    case h11.Request():
                        headers = [(n.decode(), v.decode("latin-1")) for n, v in event.headers]
                        request = Arrived(
                            event.method.decode(), event.target.decode(), headers, connection
                        )
                    case h11.Data():
                        assert request is not None
                        request.size += len(event.data)
                        if self.keep:
                            request.body += bytes(event.data)
                    case h11.EndOfMessage():
                        assert request is not None
                        request.trailers = [(n.decode(), v.decode()) for n, v in event.headers]
            if request is None:
                return
            self._arrived(request)
            self.handle(request)
            # The answer went around h11, which is told only that there was one.
            engine.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            engine.send(h11.EndOfMessage())
            if engine.our_state is not h11.DONE:
                return
            engine.start_next_cycle()

    def _events(self, engine: h11.Connection, connection: socket.socket) -> Iterator[h11.Event]:
        while True:
            event = engine.next_event()
            if event is h11.NEED_DATA:
                engine.receive_data(self._received(connection.recv(65536)))
                continue
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return
            yield event
            if isinstance(event, h11.EndOfMessage):
                return

    def _serve_h2(self, connection: socket.socket) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        engine = h2.connection.H2Connection(config)
        engine.initiate_connection()
        connection.sendall(engine.data_to_send())
        arriving: dict[int, Arrived] = {}
        while data := self._received(connection.recv(65536)):
            for event in engine.receive_data(data):
                match event:
                    case h2.events.RequestReceived():
                        headers = [(str(n), str(v)) for n, v in event.headers]
                        pseudo = dict(pair for pair in headers if pair[0].startswith(":"))
                        arriving[event.stream_id] = Arrived(
                            pseudo[":method"], pseudo[":path"], headers, connection
                        )
                    case h2.events.DataReceived():
                        arriving[event.stream_id].body += event.data
                        engine.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                    case h2.events.TrailersReceived():
                        arriving[event.stream_id].trailers = list(event.headers)
                    case h2.events.StreamEnded():
                        request = arriving.pop(event.stream_id)
                        self._arrived(request)
                        engine.send_headers(
                            event.stream_id,
                            [(":status", "200"), ("x-tameflare-request-id", "fake")],
                        )
                        engine.send_data(event.stream_id, b"over h2")
                        engine.send_headers(
                            event.stream_id,
                            [("x-tameflare-note", "fake"), ("grpc-status", "0")],
                            end_stream=True,
                        )
            connection.sendall(engine.data_to_send())


def head(origin: Origin, method: str, path: str, *fields: str) -> bytes:
    """The head of a request for `origin`."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{origin.port}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def plain_head(origin: Origin, method: str, path: str, *fields: str) -> bytes:
    """The same as a plain proxy request."""
    return head(origin, method, f"http://localhost:{origin.port}{path}", *fields)
