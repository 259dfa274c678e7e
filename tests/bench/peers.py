"""The processes of the gateway's benchmark: `python -m tests.bench.peers ROLE FOLDER ARGUMENT…`.

A server prints its port when it is ready and runs until its input ends. `load` prints the number of
requests that were answered in a number of seconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import uvloop

CONNECTIONS = 16
TOKEN = "gwtk_benchmark"
BODY = b'{"id": 1, "full_name": "o/r", "private": false, "default_branch": "main"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


async def until_told(port: int) -> None:
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            self._received = self._received[end + 4 :]
            self._transport.write(ANSWER)


async def origin(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    context.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0, ssl=context)
    await until_told(server.sockets[0].getsockname()[1])


async def gateway(folder: Path, port: str) -> None:
    from tameflare_core.approvals import AsyncNobodyToAsk
    from tameflare_core.plugins import load_plugins
    from tameflare_core.testing import gateway_from
    from tameflare_core.traffic_log import TrafficLog
    from tameflare_proxy.authority import Authority
    from tameflare_proxy.one_gateway import OneGateway
    from tameflare_proxy.server import GatewayServer

    document = f"""
        version: 1
        gateway: benchmark
        connectors:
          - {{type: github, base_url: "https://localhost:{port}/api/v3", credential: "file:key",
             allow_private_network: true, ca_file: "{folder / "vendor" / "ca.pem"}"}}
        permissions:
          - {{connector: github, action: "github.*", access: read, decision: allow}}
          - {{connector: github, action: "github.*", decision: deny}}
    """
    server = GatewayServer(
        gateways=lambda spawn: OneGateway(
            gateway=gateway_from(document, folder=folder),
            plugins=load_plugins(entry_points=False),
            token=TOKEN,
            approver=AsyncNobodyToAsk(),
            recorder=TrafficLog(folder / "traffic.jsonl"),
            spawn=spawn,
        ),
        authority=Authority.load_or_create(folder / "authority"),
    )
    async with server:
        await until_told(server.port)


async def bare(folder: Path) -> None:
    from mitmproxy.addons.next_layer import NextLayer
    from mitmproxy.addons.proxyserver import Proxyserver
    from mitmproxy.addons.tlsconfig import TlsConfig
    from mitmproxy.master import Master
    from mitmproxy.options import Options
    from mitmproxy.proxy.layers.modes import HttpProxy
    from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
    from mitmproxy.proxy.mode_specs import ProxyMode

    options = Options()
    master = Master(options, asyncio.get_running_loop())
    master.addons.add(Proxyserver(), NextLayer(), TlsConfig())
    options.update(
        confdir=str(folder / "mitmproxy"),
        connection_strategy="lazy",
        upstream_cert=False,
        ssl_verify_upstream_trusted_ca=str(folder / "vendor" / "ca.pem"),
        server=False,
    )
    mode = ProxyMode.parse("regular")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = ProxyConnectionHandler(master, reader, writer, options, mode)
        handler.layer = HttpProxy(handler.layer.context)
        await handler.handle_client()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    await until_told(server.sockets[0].getsockname()[1])


async def load(folder: Path, proxy: str, port: str, authority: str, seconds: str) -> None:
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # mitmproxy's authority does not pass
    target = f"localhost:{port}"
    request = (
        f"GET /api/v3/repos/o/r HTTP/1.1\r\nHost: {target}\r\nAccept: application/json\r\n"
        "User-Agent: benchmark\r\nAuthorization: Bearer placeholder\r\n\r\n"
    ).encode()
    opened = threading.Barrier(CONNECTIONS, timeout=30)

    def one() -> int:
        plain = socket.create_connection(("127.0.0.1", int(proxy)))
        plain.settimeout(30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.sendall(
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
            f"Proxy-Authorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        assert b" 200 " in plain.recv(1000)
        answered = -1  # the first one opens the upstream connection
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            end = 0.0
            while answered < 0 or time.perf_counter() < end:
                connection.sendall(request)
                received = b""
                while len(received) < len(ANSWER):
                    received += connection.recv(65536)
                assert received == ANSWER
                answered += 1
                if not answered:
                    opened.wait()
                    end = time.perf_counter() + float(seconds)
        return answered

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        print(sum(threads.map(lambda _: one(), range(CONNECTIONS))), flush=True)


if __name__ == "__main__":
    roles = {"origin": origin, "gateway": gateway, "bare": bare, "load": load}
    uvloop.run(roles[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
