"""mitmproxy's ends of HTTP connections, made strict.

What two readers could read in different ways is refused before the engine sees it, what it would
crash on is taken out, and what it would keep without bound is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import h2.events
import h11
import wsproto.connection
import wsproto.events
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import _events as http_events
from mitmproxy.proxy.layers.http import _http1 as engine_http1
from mitmproxy.proxy.layers.http import _http2 as engine_http2
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.websocket import WebsocketLayer

from tameflare_core.errors import RequestRejected
from tameflare_core.refusals import rejected
from tameflare_core.surroundings import Surroundings
from tameflare_proxy.gate import GatedReader
from tameflare_proxy.http1 import MAX_HEAD, absolute_target, head_end, parse_head, render

__all__ = [
    "MAX_QUEUED",
    "BodyTaken",
    "Commands",
    "FrameRelay",
    "Http1Client",
    "Http1Server",
    "Http2Server",
]

MAX_QUEUED = 64 * 1024
"""Bytes that are taken in from a client for a request, or behind it, that does not go on."""

type Commands[Result] = layer.CommandGenerator[Result]


@dataclass
class BodyTaken(HttpEvent):
    """A stream went on with `size` bytes of its body, and takes more."""

    size: int


class _Http1End(engine_http1.Http1Connection):
    """An HTTP/1 connection whose bodies may have trailers, which are dropped."""

    def read_body(self, event: events.Event) -> Commands[None]:
        assert self.stream_id is not None
        while True:
            found: h11.Event | None
            try:
                if isinstance(event, events.ConnectionClosed):
                    found = self.body_reader.read_eof()
                else:
                    found = self.body_reader(self.buf)
            except h11.ProtocolError:
                yield from self.malformed_body()
                return
            if found is None:
                # Only an unfinished chunk line or an unfinished trailer is left lying.
                if len(self.buf) > MAX_HEAD:
                    yield from self.malformed_body()
                return
            if isinstance(found, h11.Data):
                if found.data:
                    yield ReceiveHttp(self.ReceiveData(self.stream_id, bytes(found.data)))
                continue
            yield ReceiveHttp(self.ReceiveEndOfMessage(self.stream_id))
            server = isinstance(self, engine_http1.Http1Server)
            yield from self.mark_done(request=server, response=not server)
            return

    def malformed_body(self) -> Commands[None]:
        """End the connection: where the next message begins cannot be known."""
        assert self.stream_id is not None
        yield commands.CloseConnection(self.conn)
        self.state = self.done
        code = self.ReceiveProtocolError.code
        yield ReceiveHttp(self.ReceiveProtocolError(self.stream_id, "`malformed body`", code=code))


class Http1Server(_Http1End, engine_http1.Http1Server):
    """The client's end: heads are read by `parse_head` alone, and what comes early is held back."""

    def __init__(self, context: Context, gate: GatedReader, *, absolute: bool) -> None:
        super().__init__(context)
        self._gate = gate
        self._absolute = absolute
        self._searched = 0

    def _handle_event(self, event: events.Event) -> Commands[None]:
        yield from super()._handle_event(event)
        # What follows a request is read when that request has been answered.
        if len(self.buf) > MAX_QUEUED and self.state == self.wait:
            self._gate.close_for(self)
        else:
            self._gate.open_for(self)

    def read_headers(self, event: events.ConnectionEvent) -> Commands[None]:
        if isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.conn)
            return
        try:
            request = self._next_request()
        except RequestRejected as error:
            yield from self._reject(error)
            return
        if request is not None:
            self.request, size = request
            yield ReceiveHttp(
                http_events.RequestHeaders(self.stream_id, self.request, end_stream=size == 0)
            )
            self.body_reader = engine_http1.make_body_reader(size)
            self.state = self.read_body
            yield from self.state(event)

    def _next_request(self) -> tuple[http.Request, int | None] | None:
        data = bytes(self.buf)
        # RFC 9112 section 2.2: an empty line before a request is to be ignored.
        while data.startswith(b"\r\n"):
            self.buf.maybe_extract_at_most(2)
            data = data[2:]
            self._searched = 0
        end = head_end(data, self._searched)
        if not end:
            self._searched = len(data)
            return None
        self._searched = 0
        self.buf.maybe_extract_at_most(end)
        head = parse_head(data[:end])
        if head.method == "CONNECT":
            raise RequestRejected("CONNECT is the first request of a connection")
        host, port, target = "", 0, head.target
        if self._absolute:
            host, port, target = absolute_target(head.target)
        elif not target.startswith("/"):
            raise RequestRejected("request target other than a path")
        fields = tuple(
            (name.encode("ascii"), value.encode("latin-1")) for name, value in head.fields
        )
        request = _request(
            host=host.strip("[]"),
            port=port,
            method=head.method.encode("ascii"),
            scheme=b"http",
            authority=b"",
            path=target.encode("ascii"),
            http_version=b"HTTP/1.%d" % head.version,
            headers=fields,
            content=None,
            trailers=None,
            timestamp_start=time.time(),
            timestamp_end=None,
        )
        return request, head.body_size

    def malformed_body(self) -> Commands[None]:
        if self.response is None and self.conn.state & ConnectionState.CAN_READ:
            yield from self._reject(RequestRejected("malformed chunk in the request body"))
        yield from super().malformed_body()

    def _reject(self, error: RequestRejected) -> Commands[None]:
        yield commands.SendData(self.conn, render(rejected(error, Surroundings().new_id())))
        yield commands.CloseConnection(self.conn)
        self.state = self.done


def _request(**state: object) -> http.Request:
    # The constructor checks the type of each field, which takes longer than to read the head.
    request = http.Request.__new__(http.Request)
    request.data = http.RequestData.__new__(http.RequestData)
    request.data.set_state(state)
    return request


class Http1Client(_Http1End, engine_http1.Http1Client):
    """The upstream's end: interim answers are passed over, heads are bounded."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands[None]:
        if self.request and isinstance(event, events.DataReceived):
            while _is_interim(bytes(self.buf)):
                if self.buf.maybe_extract_lines() is None:
                    break
        yield from super().read_headers(event)
        if self.state == self.read_headers and len(self.buf) > MAX_HEAD:
            yield from self.malformed_body()


def _is_interim(data: bytes) -> bool:
    # 100 was answered already, 102 and 103 are hints; 101 is final (RFC 9110 section 15.2).
    return data.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")) and data[9:12] != b"101"


class Http2Server(engine_http2.Http2Server):
    """The client's end: a stream that does not go on is held back by its own window.

    Args:
        context: of the client connection.
        postpone: whether the stream of an id will itself say, with `BodyTaken`, when it has taken
            so many bytes.
    """

    def __init__(self, context: Context, postpone: Callable[[int, int], bool]) -> None:
        super().__init__(context)
        self._postpone = postpone
        self.h2_conn.local_settings.initial_window_size = MAX_QUEUED
        self.h2_conn.local_settings.acknowledge()

    def _handle_event(self, event: events.Event) -> Commands[None]:
        if isinstance(event, BodyTaken):
            if not self.is_closed(event.stream_id):
                self.h2_conn.acknowledge_received_data(event.size, event.stream_id)
                yield commands.SendData(self.conn, self.h2_conn.data_to_send())
            return
        yield from super()._handle_event(event)

    def handle_h2_event(self, event: h2.events.Event) -> Commands[bool]:
        if isinstance(event, h2.events.StreamReset):
            # The engine forgets a stream whose end and reset came together; others still know it.
            self.streams.setdefault(event.stream_id, engine_http2.StreamState.HEADERS_RECEIVED)
        if not isinstance(event, h2.events.DataReceived) or event.stream_id not in self.streams:
            return (yield from super().handle_h2_event(event))
        if event.data:
            yield ReceiveHttp(http_events.RequestData(event.stream_id, event.data))
        size = event.flow_controlled_length
        if not self._postpone(event.stream_id, size):
            self.h2_conn.acknowledge_received_data(size, event.stream_id)
        return False


class FrameRelay(WebsocketLayer):
    """Passes WebSocket frames on as they come, checked and never collected."""

    def relay_messages(self, event: events.Event) -> Commands[None]:
        assert isinstance(event, events.DataReceived | events.ConnectionClosed)
        source, target = self.client_ws, self.server_ws
        if event.connection is not self.context.client:
            source, target = target, source
        source.receive_data(event.data if isinstance(event, events.DataReceived) else None)
        for frame in source.events():
            match frame:
                case wsproto.events.Message():
                    if frame.data or frame.message_finished:
                        yield target.send2(frame)
                case wsproto.events.CloseConnection():
                    yield from self._close(frame)
                    return
                case _:
                    yield target.send2(frame)

    def _close(self, frame: wsproto.events.CloseConnection) -> Commands[None]:
        open_states = {
            wsproto.connection.ConnectionState.OPEN,
            wsproto.connection.ConnectionState.REMOTE_CLOSING,
        }
        for end in (self.server_ws, self.client_ws):
            if end.state in open_states:
                yield end.send2(frame)
            yield commands.CloseConnection(end.conn)
        self.flow.live = False
        self._handle_event = self.done
