"""A stand-in for an upstream: real sockets, real TLS, and a memory of what it received."""

from __future__ import annotations

import datetime
import io
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL_NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of a header; None when there is none."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None


@dataclass(frozen=True)
class Reply:
    """What the stand-in answers; chunks are sent one by one, as an iterable gives them."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | Iterable[bytes] = b""


def wait_until(happened: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.001)


def as_json(document: object, *, status: int = 200) -> Reply:
    """A JSON answer."""
    headers = [("content-type", "application/json")]
    return Reply(status, headers, json.dumps(document).encode())


def redirect(location: str, *, status: int = 302) -> Reply:
    """A redirect."""
    return Reply(status, [("location", location)])


def events(*data: str) -> Reply:
    """Server-sent events, one chunk each."""
    return event_stream(f"data: {text}\n\n".encode() for text in data)


def event_stream(chunks: Iterable[bytes]) -> Reply:
    """Server-sent events from an iterable, which may block until the test lets it go on."""
    return Reply(200, [("content-type", "text/event-stream")], chunks)


def echo(request: Received) -> Reply:
    """Everything about the request, as JSON: the answer to whatever has no other."""
    return as_json(
        {
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body.decode("utf-8", errors="replace"),
        }
    )


class Authority:
    """A certificate authority for one test run, with all that strict verifiers ask for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._certificate = self._sign(
            self._name,
            self._key.public_key(),
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_key_usage(signs_certificates=True), True),
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, names: Sequence[str] = LOCAL_NAMES) -> ssl.SSLContext:
        """TLS for a server that is called by any of `names`."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]),
            key.public_key(),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        )
        path = self.folder / f"{leaf.serial_number:x}.pem"
        path.write_bytes(
            leaf.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *extensions: tuple[x509.ExtensionType, bool],
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Standin:
    """An HTTPS server on 127.0.0.1 that answers what it is told and remembers what it got.

    Attributes:
        port: where it listens.
        ca_file: the trust anchor of its certificate, PEM.
        requests: what arrived, oldest first.
        connections: how many connections were accepted.
        bytes_received: application bytes that arrived, over all connections.
    """

    context: ssl.SSLContext | None
    ca_file: Path
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    bytes_received: int = 0
    _answers: dict[tuple[str, str], Callable[[Received], Reply]] = field(default_factory=dict)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, reply: Reply | Callable[[Received], Reply]) -> None:
        """Answer `method` on `path` (without query) with `reply`; everything else is echoed."""
        self._answers[method, path] = reply if callable(reply) else lambda _: reply

    @property
    def url(self) -> str:
        """Its base URL, by name."""
        return f"{'http' if self.context is None else 'https'}://localhost:{self.port}"

    @property
    def connected(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._open)

    @property
    def last(self) -> Received:
        """The request that arrived last."""
        return self.requests[-1]

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self.port = self._server.server_port
        # The default poll of half a second would be added to every test.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        # Handlers wait for the next request of a kept connection; this wakes them.
        with self._lock:
            for connection in self._open:
                _shut(connection)
        self._server.server_close()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        # Not the SSL object's own method: that one changes a state that the handler is using.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for them
    request_queue_size = 128

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.standin.context is not None:
            # The handshake happens with the first read, in the connection's own thread.
            connection = self.standin.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self.standin._lock:
            self.standin.connections += 1
            self.standin._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self.standin._lock:
            self.standin._open.discard(request)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or that trusts another authority, is part of many tests."""


class _Counting(io.RawIOBase):
    def __init__(self, connection: socket.socket, standin: Standin) -> None:
        self._connection = connection
        self._standin = standin

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._connection.recv_into(buffer)
        with self._standin._lock:
            self._standin.bytes_received += count
        return count


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Counting(self.connection, self.server.standin))

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def _serve(self) -> None:
        standin = self.server.standin
        received = Received(self.command, self.path, list(self.headers.items()), self._body())
        with standin._lock:
            standin.requests.append(received)
        path = received.target.partition("?")[0]
        reply = standin._answers.get((received.method, path), echo)(received)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if isinstance(reply.body, bytes):
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in reply.body:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _serve  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *args: Any) -> None:
        """Not on the terminal of the tests."""
