"""One request and its response in mitmproxy's engine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.net.http.validate import validate_headers
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import DropStream, HttpStream, SendHttp
from mitmproxy.proxy.layers.http import _events as http_events
from mitmproxy.proxy.layers.http import _hooks as http_hooks

from tameflare_core.body import MAX_INSPECTED
from tameflare_core.commands import Forward, ReadBody
from tameflare_core.decision import Refusal, Verdict
from tameflare_core.errors import RequestRejected
from tameflare_core.refusals import internal_error
from tameflare_core.request import OutboundRequest
from tameflare_core.surroundings import Surroundings
from tameflare_proxy import flow_adapter
from tameflare_proxy.exchange import Exchange
from tameflare_proxy.gate import GatedReader
from tameflare_proxy.mitm_ends import MAX_QUEUED, BodyTaken, Commands, FrameRelay

__all__ = ["BodyTooLargeHook", "Stream", "stream_of"]

_STREAM = "tameflare.stream"


@dataclass
class BodyTooLargeHook(commands.StartHook):
    """More of a body came than is inspected."""

    flow: http.HTTPFlow
    name: ClassVar[str] = "tameflare_body_too_large"


class Stream(HttpStream):
    """One request and its response, which goes nowhere without a pending `Forward`.

    Attributes:
        exchange: its way through the enforcement point, once it has begun.
        gone: whether the client went away.
        has_body: whether a body follows the head.
        collected: the body, when it was collected to be judged.
        verdict: how it was judged, once it is forwarded.
        closes: whether the client asked for the connection to be closed.
    """

    def __init__(self, context: Context, stream_id: int, gate: GatedReader) -> None:
        super().__init__(context, stream_id)
        self._gate = gate
        self._invalid: str | None = None
        self._queued = 0
        self._postponed = 0
        self.exchange: Exchange | None = None
        self.gone = False
        self.has_body = False
        self.collected: bytes | None = None
        self.verdict: Verdict | None = None
        self.closes = False

    def read(self) -> OutboundRequest:
        """Canonicalise the request; raise `RequestRejected` when that cannot be done."""
        if self._invalid is not None:
            raise RequestRejected(self._invalid)
        return flow_adapter.read(self.flow, has_body=self.has_body)

    @property
    def head(self) -> bytes:
        """As much of the body as is inspected, while it is being collected."""
        return bytes(self.request_body_buf)[:MAX_INSPECTED]

    async def give_up(self, error: Exception) -> Refusal:
        """End the exchange because of a fault of ours, and say what to answer; raises nothing."""
        exchange, self.exchange = self.exchange, None
        refusal = None
        if exchange is not None:
            # What failed may be the exchange itself.
            with suppress(Exception):
                await exchange.fail(error)
            refusal = exchange.refusal
        return refusal or internal_error(Surroundings().new_id())

    def postpone(self, size: int) -> bool:
        """Whether `BodyTaken` will follow for `size` bytes, because the stream stands still."""
        if self._paused:
            self._postponed += size
        return bool(self._paused)

    def handle_event(self, event: events.Event) -> Commands[None]:
        if isinstance(event, http_events.RequestProtocolError):
            self.gone = True
            if self.exchange is not None:
                self.exchange.client_gone()
        elif self._paused and isinstance(event, http_events.RequestData):
            self._queued += len(event.data)
            if self._queued > MAX_QUEUED and self.context.client.alpn != b"h2":
                self._gate.close_for(self)
        yield from super().handle_event(event)
        if not self._paused:
            self._queued = 0
            self._gate.open_for(self)
            if self._postponed:
                taken, self._postponed = self._postponed, 0
                yield SendHttp(BodyTaken(self.stream_id, taken), self.context.client)

    def state_wait_for_request_headers(self, event: http_events.RequestHeaders) -> Commands[None]:
        self.has_body = not event.end_stream
        event.replay_flow = http.HTTPFlow(self.context.client, self.context.server)
        event.replay_flow.metadata[_STREAM] = self
        if event.end_stream and event.request.headers.get("content-length", "0") != "0":
            # HTTP/2 ends a message without it; whoever believed it would wait for the next one.
            self._invalid = "`Content-Length` without a body"
        yield from super().state_wait_for_request_headers(event)
        refused = self.client_state == self.state_consume_request_body and self.flow.response
        if refused and self.has_body:
            # The answer does not wait for a body that nobody will read.
            yield from self._answer()

    def check_invalid(self, request: bool) -> Commands[bool]:
        message = self.flow.request if request else self.flow.response
        assert message is not None
        try:
            validate_headers(message)
        except ValueError as error:
            if request:
                # Told by `read`, so that the refusal is ours and has a record.
                self._invalid = f"malformed request: {error}"
                return False
            readable = False
        else:
            response = self.flow.response
            readable = response is None or flow_adapter.is_readable(response, self.flow.request)
        if request or readable:
            return False
        yield commands.CloseConnection(self.flow.server_conn)
        self.flow.response = None
        yield from self._fail("`malformed response` from the upstream")
        return True

    def check_body_size(self, request: bool) -> Commands[bool]:
        if not request or len(self.request_body_buf) <= MAX_INSPECTED:
            return False
        yield BodyTooLargeHook(self.flow)
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

    def handle_connect(self) -> Commands[None]:
        # Only HTTP/2 comes here; HTTP/1 heads with CONNECT are refused when they are read.
        yield http_hooks.HttpRequestHeadersHook(self.flow)
        yield from self._answer()

    def make_server_connection(self) -> Commands[bool]:
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
    ) -> Commands[None]:
        waiting = self.exchange is not None and isinstance(self.exchange.command, Forward)
        if isinstance(event, http_events.ResponseProtocolError) and waiting:
            yield from self._fail(event.message)
        else:
            yield from super().handle_protocol_error(event)

    def flow_done(self) -> Commands[None]:
        assert self.flow.response is not None
        if self.flow.response.status_code != 101:
            yield from super().flow_done()
            return
        self.child_layer = FrameRelay(self.context, self.flow)
        self._handle_event = self.passthrough
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(http_events.ResponseEndOfMessage(self.stream_id), self.context.client)

    def state_consume_request_body(self, event: events.Event) -> Commands[None]:
        ended = isinstance(event, http_events.RequestEndOfMessage)
        decided = self.exchange is None or not isinstance(self.exchange.command, ReadBody)
        if self.has_body or not (ended and decided):
            yield from super().state_consume_request_body(event)
            return
        # The same without the hooks, of which none has anything left to say here.
        self.client_state = self.state_done
        if self.flow.response:
            yield from self.send_response()
            return
        self.flow.request.data.content = b""
        if (yield from self.make_server_connection()):
            head = http_events.RequestHeaders(self.stream_id, self.flow.request, end_stream=True)
            yield SendHttp(head, self.context.server)
            yield SendHttp(http_events.RequestEndOfMessage(self.stream_id), self.context.server)

    def send_response(self, already_streamed: bool = False) -> Commands[None]:
        response = self.flow.response
        assert response is not None
        self.server_state = self.state_done
        client = self.context.client
        if not already_streamed:
            content = response.raw_content
            yield SendHttp(
                http_events.ResponseHeaders(self.stream_id, response, not content), client
            )
            if content:
                yield SendHttp(http_events.ResponseData(self.stream_id, content), client)
        if response.trailers:
            trailers = http_events.ResponseTrailers(self.stream_id, response.trailers)
            yield SendHttp(trailers, client)
        if self.client_state == self.state_done:
            yield from self.flow_done()

    def state_stream_response_body(self, event: events.Event) -> Commands[None]:
        yield from super().state_stream_response_body(event)
        if isinstance(event, http_events.ResponseTrailers):
            assert self.flow.response is not None
            flow_adapter.strip_trailers(self.flow.response)

    def _fail(self, message: str) -> Commands[None]:
        self.flow.error = mitm_flow.Error(message)
        yield http_hooks.HttpErrorHook(self.flow)
        if self.flow.response:
            yield from self._answer()
        else:
            yield commands.CloseConnection(self.context.client)
            self.client_state = self.server_state = self.state_errored

    def _answer(self) -> Commands[None]:
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

    def state_discard_request_body(self, event: events.Event) -> Commands[None]:
        """Let the rest of a refused request run out."""
        if isinstance(event, http_events.RequestEndOfMessage):
            self.client_state = self.state_done
            self.flow.live = False
            yield DropStream(self.stream_id)


def stream_of(flow: http.HTTPFlow) -> Stream:
    """The stream that `flow` belongs to."""
    stream = flow.metadata[_STREAM]
    assert isinstance(stream, Stream)
    return stream
