"""Stand-ins for vendors' APIs: real sockets, real TLS, and a memory of the keys they received."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from tameflare_proxy.authority import Authority

__all__ = ["Vendor", "running"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One API.

    Attributes:
        name: whose it stands in for.
        port: where it listens, on 127.0.0.1.
        received: method, path and `Authorization` of each request that arrived.
    """

    name: str
    port: int
    received: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def running(name: str, authority: Authority, folder: Path) -> Iterator[Vendor]:
    """Serve a vendor on a free port until the context ends.

    Args:
        name: whose API it stands in for.
        authority: signs its certificate.
        folder: where the certificate and its key are kept meanwhile.
    """
    leaf = authority.leaf("localhost")
    pem = folder / f"{name}.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(
        leaf.certificate.public_bytes(Encoding.PEM)
        + leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        vendor = Vendor(name, server.server_port)
        server.vendor = vendor  # type: ignore[attr-defined]  # http.server hands handlers the server
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        vendor: Vendor = self.server.vendor  # type: ignore[attr-defined]  # set by `running`
        vendor.received.append((self.command, self.path, self.headers.get("authorization", "")))
        body = json.dumps({"vendor": vendor.name, "ok": True}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815  # http.server looks for these

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Say nothing: what arrived is told by the demo."""
