"""The universal lane: mitmproxy's protocol engine, driven by the enforcement point.

mitmproxy's layers read and write HTTP/1, HTTP/2, TLS and WebSocket; everything around them is ours:
who connects, what is dialled, which certificates are shown and trusted, and what happens to a request.
None of mitmproxy's addons run. All that touches its inner names is in this module.

Three rules of its engine shape the code. A hook may pause one stream while the others go on. A request
whose `stream` is set is forwarded as it comes; otherwise its body is collected first. And an exception
in a hook is logged and the flow goes on regardless, so each of ours ends in a refusal (`_guarded`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol, cast

from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.net.http import http1
from mitmproxy.net.http.validate import validate_headers
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer, server
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import DropStream, HttpLayer, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http import _events as http_events
from mitmproxy.proxy.layers.http import _hooks as http_hooks
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.tls import ClientTLSLayer
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.tls import TlsData

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.canonical import canonical_host
from tameflare_core.enforcement import Forward, ReadBody
from tameflare_core.errors import RequestRejected, UpstreamError
from tameflare_core.refusals import internal_error, rejected
from tameflare_core.request import Body, OutboundRequest
from tameflare_core.surroundings import Surroundings
from tameflare_proxy import flow_adapter
from tameflare_proxy.authentication import token_required
from tameflare_proxy.exchange import Exchange
from tameflare_proxy.http1 import head_end, parse_head, render
from tameflare_proxy.served import ServedGateway
from tameflare_proxy.tls import ClientTls, upstream_connection

__all__ = ["Dialler", "Tunnel", "UniversalLane"]

_logger = logging.getLogger(__name__)

# What the layers read of mitmproxy's options. A plain namespace: no option store, no global state.
_OPTIONS = cast(
    "Options",
    SimpleNamespace(
        connection_strategy="lazy",
        http2_ping_keepalive=58,
        normalize_outbound_headers=True,
        proxy_debug=False,
        rawtcp=False,
        store_streamed_bodies=False,
        tcp_timeout=3600,
        validate_inbound_headers=True,
        websocket=True,
        keep_host_header=False,
    ),
)
_MODE = ProxyMode.parse("regular")

_STREAM = "tameflare.stream"

_MAX_QUEUED = 64 * 1024
"""Bytes of a body that are taken in while its request waits for a human or a connection."""

type _Commands[Result] = layer.CommandGenerator[Result]


class Dialler(Protocol):
    """Opens a connection to an upstream whose addresses have been checked."""

    async def __call__(
        self, host: str, port: int, *, allow_private: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; raise `UpstreamError` when that is refused or fails."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What a client asked for with CONNECT.

    Attributes:
        host: canonical host.
        port: its port.
        tls: whether TLS is spoken in it.
    """

    host: str
    port: int
    tls: bool

    @property
    def address(self) -> tuple[str, int]:
        """As a socket address; IPv6 without brackets."""
        return self.host.strip("[]"), self.port


class UniversalLane:
    """Carries client connections.

    Args:
        client_tls: the certificates shown to clients.
        dial: opens upstream connections.
    """

    def __init__(self, client_tls: ClientTls, dial: Dialler) -> None:
        self.client_tls = client_tls
        self.dial = dial

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
            reader, writer: the client's streams.
            received: what was read of it already.
            tunnel: what CONNECT asked for; None for plain proxy requests.
            authenticate: whether a `Proxy-Authorization` value is this gateway's; asked for each
                plain proxy request.
        """
        gate = _GatedReader(reader, received)
        connection = _Connection(self, served, gate, writer, tunnel, authenticate)
        try:
            await connection.handle_client()
        finally:
            await connection.abandon()


class _GatedReader:
    """A stream reader that first gives what was read already, and can be held back."""

    def __init__(self, reader: asyncio.StreamReader, received: bytes) -> None:
        self._reader = reader
        self._received = received
        self._open = asyncio.Event()
        self._open.set()
        self._full: set[object] = set()

    async def read(self, size: int) -> bytes:
        if self._received:
            data, self._received = self._received, b""
            return data
        if not self._open.is_set():
            await self._open.wait()
        return await self._reader.read(size)

    def close_for(self, stream: object) -> None:
        """Read no more until `stream` has taken what it has."""
        self._full.add(stream)
        self._open.clear()

    def open_for(self, stream: object) -> None:
        """`stream` takes data again."""
        self._full.discard(stream)
        if not self._full:
            self._open.set()


@dataclass
class _BodyTooLargeHook(commands.StartHook):
    """More of a body came than is inspected."""

    flow: http.HTTPFlow
    name: ClassVar[str] = "tameflare_body_too_large"


class _Connection(server.LiveConnectionHandler):
    """One client connection: mitmproxy's driver with our hooks, our dialler and our certificates."""

    def __init__(
        self,
        lane: UniversalLane,
        served: ServedGateway,
        gate: _GatedReader,
        writer: asyncio.StreamWriter,
        tunnel: Tunnel | None,
        authenticate: Callable[[str | None], bool],
    ) -> None:
        super().__init__(cast("asyncio.StreamReader", gate), writer, _OPTIONS, _MODE)
        self._lane = lane
        self._served = served
        self._gate = gate
        self._tunnel = tunnel
        self._authenticate = authenticate
        self._exchanges: set[Exchange] = set()
        self._hooks: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            "tls_start_client": self._tls_start_client,
            "tls_start_server": self._tls_start_server,
            "requestheaders": self._request_headers,
            "request": self._request,
            _BodyTooLargeHook.name: self._body_too_large,
            "responseheaders": self._response_headers,
            "error": self._error,
        }
        self.layer = self._layers(self.layer.context)

    def _layers(self, context: Context) -> layer.Layer:
        if self._tunnel is None:
            return _HttpLayer(context, HTTPMode.regular, self._gate)
        context.server = Server(address=self._tunnel.address)
        if not self._tunnel.tls:
            return _HttpLayer(context, HTTPMode.transparent, self._gate)
        context.server.tls = True
        context.server.sni = self._tunnel.address[0]
        _Root(context)
        tls = ClientTLSLayer(context)
        tls.child_layer = _HttpLayer(context, HTTPMode.transparent, self._gate)
        return tls

    async def abandon(self) -> None:
        """End what is still under way, so that every request has its record."""
        for exchange in tuple(self._exchanges):
            exchange.client_gone()
            await exchange.abandon()

    # -- what mitmproxy's driver calls -----------------------------------------------------------

    async def handle_hook(self, hook: commands.StartHook) -> None:
        react = self._hooks.get(hook.name)
        if react is None:
            return
        with self.timeout_watchdog.disarm():
            try:
                await react(*hook.args())
            except Exception as error:  # noqa: BLE001
                # INVARIANT: a hook that fails refuses; mitmproxy by itself would go on.
                _logger.error("hook %s failed: %s", hook.name, type(error).__name__)
                self._refuse(hook)

    def _refuse(self, hook: commands.StartHook) -> None:
        (subject,) = hook.args()
        if isinstance(subject, TlsData):
            subject.ssl_conn = None
        elif isinstance(subject, http.HTTPFlow) and hook.name != "responseheaders":
            subject.request.stream = False
            _stream(subject).exchange = None
            flow_adapter.answer(subject, internal_error(self._served.surroundings.new_id()))
        else:
            self._abort()

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        # Its messages quote what clients and upstreams sent, so none is kept. With `exc_info` a layer
        # has crashed, and what it would have done next is unknown.
        if exc_info:
            _logger.error("protocol engine failed; connection closed")
            self._abort()

    def _abort(self) -> None:
        io = self.transports.get(self.client)
        if io is not None and io.handler is not None:
            io.handler.cancel("aborted")

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

    async def _dial(
        self, upstream: Server
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert upstream.address is not None
        host, port = upstream.address[0], upstream.address[1]
        bound = self._served.point.connector_for(*_origin(upstream))
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
        bound = self._served.point.connector_for(*_origin(upstream))
        # An HTTP/1 client is never bridged to HTTP/2; an HTTP/2 one may end on HTTP/1.
        offered = [b"h2", b"http/1.1"] if data.context.client.alpn == b"h2" else [b"http/1.1"]
        host = upstream.sni = upstream.address[0]
        data.ssl_conn = upstream_connection(host, bound.ca_file if bound else None, offered)

    async def _request_headers(self, flow: http.HTTPFlow) -> None:
        stream = _stream(flow)
        if self._tunnel is None and not self._authenticate(
            flow.request.headers.get("proxy-authorization")
        ):
            flow_adapter.answer(flow, token_required(self._served.surroundings.new_id()))
            return
        stream.closes = http1.connection_close(flow.request.http_version, flow.request.headers)
        stream.exchange = exchange = Exchange(self._served, lambda: stream.read())
        self._exchanges.add(exchange)
        await exchange.start()
        command = exchange.command
        if isinstance(command, ReadBody) and stream.declared_length > command.limit:
            await exchange.resume(Body.oversize())
        self._follow(stream, exchange)

    async def _request(self, flow: http.HTTPFlow) -> None:
        stream = _stream(flow)
        exchange = stream.exchange
        if exchange is not None and isinstance(exchange.command, ReadBody):
            stream.collected = flow.request.data.content or b""
            await exchange.resume(Body.complete(stream.collected))
            self._follow(stream, exchange)
        # Trailers come after the verdict; nobody has judged them.
        flow.request.trailers = None

    async def _body_too_large(self, flow: http.HTTPFlow) -> None:
        stream = _stream(flow)
        assert stream.exchange is not None
        await stream.exchange.resume(Body.oversize())
        self._follow(stream, stream.exchange)

    async def _response_headers(self, flow: http.HTTPFlow) -> None:
        stream = _stream(flow)
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
        exchange = _stream(flow).exchange
        if exchange is None or exchange.command is None:
            return
        if exchange.gone:
            await exchange.abandon()
        else:
            message = flow.error.msg if flow.error else ""
            await exchange.fail(UpstreamError(_worded(message)))
        self._follow(_stream(flow), exchange)

    def _follow(self, stream: _Stream, exchange: Exchange) -> None:
        """Make the flow do what the exchange has come to."""
        flow = stream.flow
        if isinstance(exchange.command, Forward):
            expects = flow.request.headers.get("expect", "").lower() == "100-continue"
            flow_adapter.apply(flow, exchange.command.request)
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


class _Root(layer.Layer):
    """Stands at the top of a stack of layers, where ClientTLSLayer expects a parent."""

    def _handle_event(self, event: events.Event) -> _Commands[None]:
        raise AssertionError("no event is sent here")
        yield


class _HttpLayer(HttpLayer):
    """mitmproxy's HTTP layer with our streams, and our reading of HTTP/1 heads."""

    def __init__(self, context: Context, mode: HTTPMode, gate: _GatedReader) -> None:
        super().__init__(context, mode)
        self._gate = gate

    def _handle_event(self, event: events.Event) -> _Commands[None]:
        if isinstance(event, events.Start) and self.context.client.alpn != b"h2":
            http1_server = _StrictHttp1Server(self.context.fork(), self.mode)
            self.connections[self.context.client] = http1_server
        yield from super()._handle_event(event)

    def make_stream(self, stream_id: int) -> _Commands[None]:
        stream = _Stream(self.context.fork(), stream_id, self._gate)
        self.streams[stream_id] = stream
        yield from self.event_to_child(stream, events.Start())


class _StrictHttp1Server(Http1Server):
    """Refuses every head that could be read in two ways before mitmproxy parses it."""

    def __init__(self, context: Context, mode: HTTPMode) -> None:
        super().__init__(context)
        self._absolute = mode is HTTPMode.regular

    def read_headers(self, event: events.ConnectionEvent) -> _Commands[None]:
        if isinstance(event, events.DataReceived):
            try:
                if not self._head_is_complete():
                    return
            except RequestRejected as error:
                yield commands.SendData(self.conn, render(rejected(error, Surroundings().new_id())))
                yield commands.CloseConnection(self.conn)
                self.state = self.done
                return
        yield from super().read_headers(event)

    def _head_is_complete(self) -> bool:
        # RFC 9112 section 2.2: an empty line before a request is to be ignored.
        data = bytes(self.buf)
        while data.startswith(b"\r\n"):
            self.buf.maybe_extract_at_most(2)
            data = data[2:]
        end = head_end(data)
        if not end:
            return False
        head = parse_head(data[:end])
        if head.method == "CONNECT":
            raise RequestRejected("CONNECT is the first request of a connection")
        if self._absolute and not head.target.lower().startswith("http://"):
            raise RequestRejected("a proxy request names an absolute http URL, or uses CONNECT")
        if not self._absolute and not head.target.startswith("/"):
            raise RequestRejected("request target other than a path")
        return True

    def read_body(self, event: events.Event) -> _Commands[None]:
        try:
            yield from super().read_body(event)
        except NotImplementedError:
            # mitmproxy raises this for trailers, behind the whole body; they are dropped.
            yield ReceiveHttp(http_events.RequestEndOfMessage(self.stream_id))
            yield from self.mark_done(request=True)


class _Stream(HttpStream):
    """One request and its response, which goes nowhere without a pending `Forward`.

    Attributes:
        exchange: its way through the enforcement point, once it has begun.
        has_body: whether a body follows the head.
        collected: the body, when it was collected to be judged.
        closes: whether the client asked for the connection to be closed.
    """

    def __init__(self, context: Context, stream_id: int, gate: _GatedReader) -> None:
        super().__init__(context, stream_id)
        self._gate = gate
        self._invalid: str | None = None
        self._queued = 0
        self.exchange: Exchange | None = None
        self.has_body = False
        self.collected: bytes | None = None
        self.closes = False

    def read(self) -> OutboundRequest:
        """Canonicalise the request; raise `RequestRejected` when that cannot be done."""
        if self._invalid is not None:
            raise RequestRejected(self._invalid)
        return flow_adapter.read(self.flow, has_body=self.has_body)

    @property
    def declared_length(self) -> int:
        """The body's length as its head says; 0 when it does not."""
        length = self.flow.request.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() else 0

    def handle_event(self, event: events.Event) -> _Commands[None]:
        if isinstance(event, http_events.RequestProtocolError) and self.exchange is not None:
            self.exchange.client_gone()
        elif self._paused and isinstance(event, http_events.RequestData):
            self._queued += len(event.data)
            if self._queued > _MAX_QUEUED:
                self._gate.close_for(self)
        yield from super().handle_event(event)
        if self._queued and not self._paused:
            self._queued = 0
            self._gate.open_for(self)

    def state_wait_for_request_headers(self, event: http_events.RequestHeaders) -> _Commands[None]:
        self.has_body = not event.end_stream
        event.replay_flow = http.HTTPFlow(self.context.client, self.context.server)
        event.replay_flow.metadata[_STREAM] = self
        yield from super().state_wait_for_request_headers(event)
        if self.client_state == self.state_consume_request_body and self.flow.response:
            # Refused: the answer does not wait for a body that nobody will read.
            if self.has_body:
                yield from self._answer()

    def check_invalid(self, request: bool) -> _Commands[bool]:
        message = self.flow.request if request else self.flow.response
        assert message is not None
        try:
            validate_headers(message)
        except ValueError as error:
            if request:
                # Told by `read`, so that the refusal is ours and has a record.
                self._invalid = f"malformed request: {error}"
                return False
            yield commands.CloseConnection(self.flow.server_conn)
            self.flow.response = None
            yield from self._fail("`malformed response` from the upstream")
            return True
        return False

    def check_body_size(self, request: bool) -> _Commands[bool]:
        if not request or len(self.request_body_buf) <= MAX_INSPECTED:
            return False
        yield _BodyTooLargeHook(self.flow)
        if (yield from self.check_killed(True)):
            return True
        if self.flow.response:
            self.request_body_buf.clear()
            yield from self._answer()
        else:
            body = bytes(self.request_body_buf)
            self.request_body_buf.clear()
            yield from self.start_request_stream()
            yield from self.client_state(http_events.RequestData(self.stream_id, body))
        return False

    def handle_connect(self) -> _Commands[None]:
        # Only HTTP/2 comes here; HTTP/1 heads with CONNECT are refused when they are read.
        yield SendHttp(
            http_events.ResponseProtocolError(
                self.stream_id, "CONNECT", http_events.ErrorCode.GENERIC_CLIENT_ERROR
            ),
            self.context.client,
        )
        self.client_state = self.server_state = self.state_errored

    def make_server_connection(self) -> _Commands[bool]:
        # INVARIANT: nothing is sent that the enforcement point has not said to forward.
        if self.exchange is None or not isinstance(self.exchange.command, Forward):
            yield from self._fail("`refused`")
            return False
        connected: bool = yield from super().make_server_connection()
        if connected and self.flow.request.is_http2 and self.context.server.alpn != b"h2":
            self._frame_for_http1()
        return connected

    def _frame_for_http1(self) -> None:
        # Without this, HTTP/1 would take a body of unknown length for the next request.
        headers = self.flow.request.headers
        if not self.has_body or "content-length" in headers:
            return
        if self.collected is None:
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = str(len(self.collected))

    def handle_protocol_error(
        self, event: http_events.RequestProtocolError | http_events.ResponseProtocolError
    ) -> _Commands[None]:
        waiting = self.exchange is not None and isinstance(self.exchange.command, Forward)
        if isinstance(event, http_events.ResponseProtocolError) and waiting:
            yield from self._fail(event.message)
        else:
            yield from super().handle_protocol_error(event)

    def _fail(self, message: str) -> _Commands[None]:
        self.flow.error = mitm_flow.Error(message)
        yield http_hooks.HttpErrorHook(self.flow)
        if self.flow.response:
            yield from self._answer()
        else:
            yield commands.CloseConnection(self.context.client)
            self.client_state = self.server_state = self.state_errored

    def _answer(self) -> _Commands[None]:
        """Send the response that the flow was given, whether or not the request has ended."""
        assert self.flow.response is not None
        complete = self.client_state == self.state_done
        if not complete:
            self.client_state = self.state_discard_request_body
            if not self.flow.request.is_http2:
                self.flow.response.headers["connection"] = "close"
        yield from self.send_response()
        if not complete:
            end = http_events.ResponseEndOfMessage(self.stream_id)
            yield SendHttp(end, self.context.client)

    def state_discard_request_body(self, event: events.Event) -> _Commands[None]:
        """Let the rest of a refused request run out."""
        if isinstance(event, http_events.RequestEndOfMessage):
            self.client_state = self.state_done
            self.flow.live = False
            yield DropStream(self.stream_id)


def _stream(flow: http.HTTPFlow) -> _Stream:
    return cast("_Stream", flow.metadata[_STREAM])


def _origin(upstream: Server) -> tuple[str, str, int]:
    assert upstream.address is not None
    host, port = upstream.address[0], upstream.address[1]
    return "https" if upstream.tls else "http", f"[{host}]" if ":" in host else host, port


def _worded(message: str) -> str:
    # Ours start with a backtick; of the engine's, only these quote nothing that was sent.
    if message.startswith("`") or message.startswith("Certificate verify failed"):
        return message[:1].lower() + message[1:]
    if message == "server closed connection":
        return "the upstream closed the connection without an answer"
    return "the upstream's answer could not be read"
