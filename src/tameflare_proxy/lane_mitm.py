"""The universal lane: mitmproxy's protocol engine, driven by the enforcement point.

mitmproxy's layers read and write HTTP/1, HTTP/2, TLS and WebSocket; everything around them is ours:
who connects, what is dialled, which certificates are shown and trusted, and what happens to a
request. None of mitmproxy's addons run. What touches its inner names is here, in `mitm_layers`,
`mitm_stream` and `mitm_ends`.

Three rules of its engine shape the code. A hook may pause one stream while the others go on. A
request whose `stream` is set is forwarded as it comes; otherwise its body is collected first. And
an exception in a hook is logged and the flow goes on regardless, so each of ours ends in a refusal
(`_Connection.handle_hook`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.net.http import http1
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, server
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.tls import TlsData

from tameflare_core.canonical import canonical_host
from tameflare_core.commands import Forward, ReadBody
from tameflare_core.decision import Verdict
from tameflare_core.errors import RequestRejected, UpstreamError
from tameflare_core.kill_switch import KillSwitch
from tameflare_core.request import Body
from tameflare_proxy import flow_adapter
from tameflare_proxy.authentication import token_required
from tameflare_proxy.dial import Dialler
from tameflare_proxy.exchange import Exchange
from tameflare_proxy.gate import GatedReader, KeptOpenWriter
from tameflare_proxy.mitm_layers import client_layers
from tameflare_proxy.mitm_stream import BodyTooLargeHook, Stream, stream_of
from tameflare_proxy.served import ServedGateway
from tameflare_proxy.tls import ClientTls, upstream_connection
from tameflare_proxy.tunnel import Tunnel

__all__ = ["UniversalLane"]

_logger = logging.getLogger(__name__)

# What the layers read of mitmproxy's options. A plain namespace: no option store, no global state.
_OPTIONS = cast(
    "Options",
    SimpleNamespace(
        http2_ping_keepalive=58,
        normalize_outbound_headers=True,
        proxy_debug=False,
        store_streamed_bodies=False,
        tcp_timeout=3600,
        validate_inbound_headers=True,
    ),
)
_MODE = ProxyMode.parse("regular")


class UniversalLane:
    """Carries client connections.

    Args:
        client_tls: the certificates shown to clients.
        dial: opens upstream connections.
        first_request_seconds: until a connection has to have made its first request.
    """

    def __init__(
        self, client_tls: ClientTls, dial: Dialler, *, first_request_seconds: float
    ) -> None:
        self.client_tls = client_tls
        self.dial = dial
        self._first_request_seconds = first_request_seconds

    async def carry(
        self,
        served: ServedGateway,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        received: bytes,
        tunnel: Tunnel | None,
        authenticate: Callable[[str | None], bool],
    ) -> None:
        """Carry one client connection to its end.

        Args:
            served: whose connection it is.
            reader: the client's stream.
            writer: the same.
            received: what was read of it already.
            tunnel: what CONNECT asked for; None for plain proxy requests.
            authenticate: whether a `Proxy-Authorization` value is this gateway's; asked for each
                plain proxy request.
        """
        gate = GatedReader(reader, writer, received)
        connection = _Connection(self, served, gate, writer, tunnel, authenticate)
        serving = asyncio.create_task(connection.handle_client())
        # Before that, a client can be slow in ways that nothing else bounds, as in its handshake.
        deadline = asyncio.get_running_loop().call_later(
            self._first_request_seconds, connection.end_unless_used
        )
        served.carried.add(connection)
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # The engine leaves its tasks behind when it is cancelled; this lets it end them.
            connection.end()
            await serving
            raise
        finally:
            served.carried.discard(connection)
            deadline.cancel()
            await connection.abandon()


class _Connection(server.LiveConnectionHandler):
    """One client connection: mitmproxy's driver with our hooks, dialler and certificates."""

    def __init__(
        self,
        lane: UniversalLane,
        served: ServedGateway,
        gate: GatedReader,
        writer: asyncio.StreamWriter,
        tunnel: Tunnel | None,
        authenticate: Callable[[str | None], bool],
    ) -> None:
        kept_open = cast("asyncio.StreamWriter", KeptOpenWriter(writer))
        super().__init__(cast("asyncio.StreamReader", gate), kept_open, _OPTIONS, _MODE)
        self._lane = lane
        self._served = served
        self._gate = gate
        self._tunnel = tunnel
        self._authenticate = authenticate
        self._exchanges: set[Exchange] = set()
        self._used = False
        self._broken = False
        self._moved = asyncio.Event()
        address = tunnel.address if tunnel is not None else None
        tls = tunnel is not None and tunnel.tls
        self.layer, self._http = client_layers(self.layer.context, address, gate, tls=tls)

    def end(self) -> None:
        """Close the connection now."""
        self._gate.end()
        io = self.transports.get(self.client)
        if io is not None and io.handler is not None:
            io.handler.cancel("ended")

    def end_unless_used(self) -> None:
        """Close the connection if no request has come yet."""
        if not self._used:
            self.end()

    async def kill(self, stopped_by: Callable[[Verdict], KillSwitch | None]) -> None:
        """End the connection if something is under way on it that a kill switch stops."""
        ended = False
        for exchange in tuple(self._exchanges):
            command = exchange.command
            switch = stopped_by(command.verdict) if isinstance(command, Forward) else None
            if switch is not None:
                ended = True
                await exchange.kill(switch)
        # What has been answered may still be streaming, or be a WebSocket.
        streams = tuple(self._http.streams.values())
        if ended or any(_is_stopped(stream, stopped_by) for stream in streams):
            self.end()

    async def abandon(self) -> None:
        """End what is still under way, so that every request has its record."""
        for exchange in tuple(self._exchanges):
            await exchange.abandon()

    # -- what mitmproxy's driver calls -----------------------------------------------------------

    async def handle_hook(self, hook: commands.StartHook) -> None:
        react = self.reactions.get(hook.name)
        if react is None:
            return
        with self.timeout_watchdog.disarm():
            try:
                await react(self, *hook.args())
            except Exception as error:  # noqa: BLE001
                # INVARIANT: a hook that fails refuses; mitmproxy by itself would go on.
                _logger.error("hook %s failed: %s", hook.name, type(error).__name__)
                await self._refuse(hook, error)

    async def _refuse(self, hook: commands.StartHook, error: Exception) -> None:
        (subject,) = hook.args()
        if isinstance(subject, TlsData):
            subject.ssl_conn = None
        elif hook.name == "responseheaders":
            self._break()
        else:
            subject.request.stream = False
            flow_adapter.answer(subject, await stream_of(subject).give_up(error))

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        # Its messages quote what clients and upstreams sent, so none is kept.
        if exc_info:
            _logger.error("protocol engine failed; connection closed")
            self._break()

    def _break(self) -> None:
        # INVARIANT: what a crashed layer would do next is unknown, so it gets nothing any more.
        self._broken = True
        self.end()

    async def server_event(self, event: events.Event) -> None:
        if not self._broken:
            await super().server_event(event)
            if self.client.alpn == b"h2":
                self._moved.set()
                self._moved.clear()

    async def drain_writers(self) -> None:
        await super().drain_writers()  # type: ignore[no-untyped-call]  # the engine has no types here
        # Sockets push back by themselves; the windows of HTTP/2 streams only its layer knows.
        while self.client.alpn == b"h2" and self._waits_for_window():
            await self._moved.wait()

    def _waits_for_window(self) -> bool:
        reader = asyncio.current_task()
        for connection, io in self.transports.items():
            if io.handler is reader and connection is not self.client:
                return self._http.holds_for_client(connection)
        # Were both sides to wait for each other, neither would see the other's window open.
        return self._http.holds_for_upstreams() and not self._http.holds_for_client(None)

    async def open_connection(self, command: commands.OpenConnection) -> None:
        upstream = command.connection
        try:
            reader, writer = await self._dial(upstream)
        except Exception as error:  # noqa: BLE001
            known = isinstance(error, UpstreamError)
            upstream.error = str(error) if known else "`dial` failed"
            await self.server_event(events.OpenConnectionCompleted(command, upstream.error))
            return
        upstream.timestamp_start = upstream.timestamp_tcp_setup = time.time()
        upstream.state = ConnectionState.OPEN
        upstream.peername = writer.get_extra_info("peername")
        upstream.sockname = writer.get_extra_info("sockname")
        self.transports[upstream] = server.ConnectionIO(
            handler=asyncio.current_task(), reader=reader, writer=writer
        )
        await self.server_event(events.OpenConnectionCompleted(command, None))
        await self.handle_connection(upstream)

    async def _dial(self, upstream: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert upstream.address is not None
        host, port = upstream.address[0], upstream.address[1]
        bound = self._served.point().connector_for(*_origin(upstream))
        allow_private = bound is not None and bound.allow_private_network
        return await self._lane.dial(host, port, allow_private=allow_private)

    # -- our hooks -------------------------------------------------------------------------------

    async def _tls_start_client(self, data: TlsData) -> None:
        assert self._tunnel is not None
        sni = data.context.client.sni
        if sni is not None and canonical_host(sni) != self._tunnel.host:
            raise RequestRejected("the TLS server name is not that of the tunnel")
        data.ssl_conn = self._lane.client_tls.connection(self._tunnel.host)

    async def _tls_start_server(self, data: TlsData) -> None:
        upstream = cast("Server", data.conn)
        assert upstream.address is not None
        bound = self._served.point().connector_for(*_origin(upstream))
        # An HTTP/1 client is never bridged to HTTP/2; an HTTP/2 one may end on HTTP/1.
        offered = [b"h2", b"http/1.1"] if data.context.client.alpn == b"h2" else [b"http/1.1"]
        host = upstream.sni = upstream.address[0]
        data.ssl_conn = upstream_connection(host, bound.ca_file if bound else None, offered)

    async def _request_headers(self, flow: http.HTTPFlow) -> None:
        self._used = True
        stream = stream_of(flow)
        if not self._authenticate(flow.request.headers.get("proxy-authorization")):
            flow_adapter.answer(flow, token_required(self._served.surroundings.new_id()))
            return
        stream.closes = http1.connection_close(flow.request.http_version, flow.request.headers)
        stream.exchange = exchange = Exchange(self._served, lambda: stream.read())
        self._exchanges.add(exchange)
        if stream.gone:
            exchange.client_gone()
        await exchange.start()
        self._follow(stream, exchange)

    async def _request(self, flow: http.HTTPFlow) -> None:
        stream = stream_of(flow)
        exchange = stream.exchange
        if exchange is not None and isinstance(exchange.command, ReadBody):
            stream.collected = flow.request.data.content or b""
            await exchange.resume(Body.complete(stream.collected))
            self._follow(stream, exchange)
        # Trailers come after the verdict; nobody has judged them.
        flow.request.trailers = None

    async def _body_too_large(self, flow: http.HTTPFlow) -> None:
        stream = stream_of(flow)
        assert stream.exchange is not None
        await stream.exchange.resume(Body.oversize(stream.head))
        self._follow(stream, stream.exchange)

    async def _response_headers(self, flow: http.HTTPFlow) -> None:
        stream = stream_of(flow)
        exchange = stream.exchange
        if exchange is None or not isinstance(exchange.command, Forward):
            return
        assert flow.response is not None
        flow_adapter.strip_response(flow.response)
        flow.response.stream = True
        if stream.closes and not flow.request.is_http2:
            flow.response.headers["connection"] = "close"
        await exchange.resume(flow.response.status_code)
        self._exchanges.discard(exchange)

    async def _error(self, flow: http.HTTPFlow) -> None:
        exchange = stream_of(flow).exchange
        if exchange is None or exchange.command is None:
            return
        if exchange.gone:
            await exchange.abandon()
        else:
            message = flow.error.msg if flow.error else ""
            await exchange.fail(UpstreamError(_worded(message)))
        self._follow(stream_of(flow), exchange)

    def _follow(self, stream: Stream, exchange: Exchange) -> None:
        """Make the flow do what the exchange has come to."""
        flow = stream.flow
        if isinstance(exchange.command, Forward):
            expects = flow.request.headers.get("expect", "").lower() == "100-continue"
            flow_adapter.apply(flow, exchange.command.request)
            stream.verdict = exchange.command.verdict
            flow.request.stream = stream.has_body and stream.collected is None
            if expects and flow.request.stream:
                # The engine answers this with 100 and takes it out.
                flow.request.headers["expect"] = "100-continue"
        elif exchange.command is None:
            self._exchanges.discard(exchange)
            flow.request.stream = False
            flow.request.headers.pop("expect", None)
            if exchange.refusal is not None:
                flow_adapter.answer(flow, exchange.refusal)

    reactions: ClassVar[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
        "tls_start_client": _tls_start_client,
        "tls_start_server": _tls_start_server,
        "requestheaders": _request_headers,
        "request": _request,
        BodyTooLargeHook.name: _body_too_large,
        "responseheaders": _response_headers,
        "error": _error,
    }


def _is_stopped(stream: object, stopped_by: Callable[[Verdict], KillSwitch | None]) -> bool:
    verdict = stream.verdict if isinstance(stream, Stream) else None
    return verdict is not None and stopped_by(verdict) is not None


def _origin(upstream: Server) -> tuple[str, str, int]:
    assert upstream.address is not None
    host, port = upstream.address[0], upstream.address[1]
    return "https" if upstream.tls else "http", f"[{host}]" if ":" in host else host, port


def _worded(message: str) -> str:
    # Ours start with a backtick; of the engine's, only these quote nothing that was sent.
    if message.startswith(("`", "Certificate verify failed")):
        return message[:1].lower() + message[1:]
    if message == "server closed connection":
        return "the upstream closed the connection without an answer"
    return "the upstream's answer could not be read"
