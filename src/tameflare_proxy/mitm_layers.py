"""mitmproxy's HTTP layer with our streams, our ends of connections, and upstream connections."""

from __future__ import annotations

from mitmproxy.connection import Connection, Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HTTPMode,
    RegisterHttpConnection,
)
from mitmproxy.proxy.layers.http import HttpLayer as EngineHttpLayer
from mitmproxy.proxy.layers.http._http2 import Http2Client, Http2Connection
from mitmproxy.proxy.layers.tls import ClientTLSLayer, ServerTLSLayer

from tameflare_proxy.gate import GatedReader
from tameflare_proxy.mitm_ends import MAX_QUEUED, Commands, Http1Client, Http1Server, Http2Server
from tameflare_proxy.mitm_stream import Stream

__all__ = ["HttpLayer", "client_layers"]


class HttpLayer(EngineHttpLayer):
    """mitmproxy's HTTP layer with our ends of connections and our streams.

    Args:
        context: of the client connection.
        mode: `regular` for plain proxy requests, `transparent` inside a tunnel.
        gate: holds the client's data back.
    """

    def __init__(self, context: Context, mode: HTTPMode, gate: GatedReader) -> None:
        super().__init__(context, mode)
        self._gate = gate
        self._closed: set[Connection] = set()

    def _handle_event(self, event: events.Event) -> Commands[None]:
        if isinstance(event, events.Start):
            end: layer.Layer
            if self.context.client.alpn == b"h2":
                end = Http2Server(self.context.fork(), self._postpone)
            else:
                absolute = self.mode is HTTPMode.regular
                end = Http1Server(self.context.fork(), self._gate, absolute=absolute)
            self.connections[self.context.client] = end
            yield from self.event_to_child(end, event)
            return
        yield from super()._handle_event(event)
        if isinstance(event, events.ConnectionClosed):
            self._closed.add(event.connection)

    def make_stream(self, stream_id: int) -> Commands[None]:
        stream = Stream(self.context.fork(), stream_id, self._gate)
        self.streams[stream_id] = stream
        yield from self.event_to_child(stream, events.Start())

    def _postpone(self, stream_id: int, size: int) -> bool:
        stream = self.streams.get(stream_id)
        return isinstance(stream, Stream) and stream.postpone(size)

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> Commands[None]:
        for connection in tuple(self.connections) if reuse else ():
            if not event.connection_spec_matches(connection):
                continue
            if connection in self.waiting_for_establishment:
                self.waiting_for_establishment[connection].append(event)
                return
            # With HTTP/1 towards the upstream, each stream of an HTTP/2 client has a connection of
            # its own. One that failed is not asked again: the next try may succeed.
            shared = self.context.client.alpn != b"h2" or connection.alpn == b"h2"
            if connection.connected and shared:
                stream = self.command_sources.pop(event)
                reply = GetHttpConnectionCompleted(event, (connection, None))
                yield from self.event_to_child(stream, reply)
                return
        self._forget_closed()
        context = self.context.fork()
        context.server = Server(address=event.address)
        root: layer.Layer
        if event.tls:
            root = tls = ServerTLSLayer(context)
            tls.child_layer = _Upstream(context)
        else:
            root = _Upstream(context)
        self.connections[context.server] = root
        self.waiting_for_establishment[context.server].append(event)
        yield from self.event_to_child(root, events.Start())

    def _forget_closed(self) -> None:
        used = {stream.context.server for stream in self.streams.values()}
        for connection in self._closed - used:
            self.connections.pop(connection, None)
        self._closed &= used

    def holds_for_client(self, upstream: Connection | None) -> bool:
        """Whether an HTTP/2 client leaves more than a little lying of what `upstream` sent.

        Args:
            upstream: whose answers are meant; None for those of all.
        """
        end = self.connections[self.context.client]
        if not isinstance(end, Http2Connection):
            return False
        size = 0
        for stream_id, buffer in end.h2_conn.stream_buffers.items():
            stream = self.streams.get(stream_id)
            if upstream is None or (stream is not None and stream.context.server is upstream):
                size += sum(len(chunk.data) for chunk in buffer)
        return size > MAX_QUEUED

    def holds_for_upstreams(self) -> bool:
        """Whether HTTP/2 upstreams leave more than a little lying of what the client sent."""
        size = 0
        for connection, root in self.connections.items():
            end: layer.Layer | None = root
            while isinstance(end, ServerTLSLayer | _Upstream):
                end = end.child_layer
            if isinstance(end, Http2Connection) and connection is not self.context.client:
                buffers = end.h2_conn.stream_buffers.values()
                size += sum(len(chunk.data) for buffer in buffers for chunk in buffer)
        return size > MAX_QUEUED


class _Root(layer.Layer):
    """Stands at the top of a stack of layers, where ClientTLSLayer expects a parent."""

    def _handle_event(self, event: events.Event) -> Commands[None]:
        raise AssertionError("no event is sent here")
        yield


def client_layers(
    context: Context, upstream: tuple[str, int] | None, gate: GatedReader, *, tls: bool
) -> tuple[layer.Layer, HttpLayer]:
    """The layers of a client connection: the outermost one, and the HTTP layer in it.

    Args:
        context: of the connection.
        upstream: the only address that its requests are for; None for plain proxy requests.
        gate: holds the client's data back.
        tls: whether the client speaks TLS.
    """
    if upstream is None:
        http = HttpLayer(context, HTTPMode.regular, gate)
        return http, http
    context.server = Server(address=upstream)
    if not tls:
        http = HttpLayer(context, HTTPMode.transparent, gate)
        return http, http
    context.server.tls = True
    context.server.sni = upstream[0]
    _Root(context)
    outermost = ClientTLSLayer(context)
    outermost.child_layer = http = HttpLayer(context, HTTPMode.transparent, gate)
    return outermost, http


class _Upstream(layer.Layer):
    """Opens an upstream connection and speaks what was agreed on in its handshake."""

    child_layer: layer.Layer | None = None

    def _handle_event(self, event: events.Event) -> Commands[None]:
        server = self.context.server
        error = yield commands.OpenConnection(server)
        if not error:
            end = Http2Client if server.alpn == b"h2" else Http1Client
            self.child_layer = end(self.context)
            self._handle_event = self.child_layer.handle_event  # type: ignore[method-assign]
            yield from self._handle_event(event)
        yield RegisterHttpConnection(server, error)
