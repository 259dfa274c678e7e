"""An HTTP/2 client that sends whatever it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import h2.config
import h2.connection
import h2.errors
import h2.events

from tests.proxy.origin import Origin
from tests.proxy.running import Client


class H2Client:
    """Speaks HTTP/2 on a connection, one request after another, ids 1, 3, 5…"""

    def __init__(self, client: Client) -> None:
        self._client = client
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.engine = h2.connection.H2Connection(config)
        self.engine.initiate_connection()
        self._heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self._ended: set[int] = set()
        self._failed: set[int] = set()
        self._closed = False
        self.flush()

    def flush(self) -> None:
        self._client.send(self.engine.data_to_send())

    def request(
        self,
        method: str,
        path: str,
        origin: Origin,
        *,
        body: bytes = b"",
        end: bool = True,
        flush: bool = True,
        changed: Mapping[str, str | None] | None = None,
        extra: Sequence[tuple[str, str]] = (),
    ) -> int:
        stream = self.engine.get_next_available_stream_id()
        pairs: dict[str, str | None] = {
            ":method": method,
            ":scheme": "https",
            ":authority": f"localhost:{origin.port}",
            ":path": path,
            **(changed or {}),
        }
        headers = [(name, value) for name, value in pairs.items() if value is not None]
        position = 4 if extra and extra[0][0].startswith(":") else len(headers)
        headers[position:position] = extra
        self.engine.send_headers(stream, headers, end_stream=end and not body)
        if body:
            while body:
                size = self.engine.max_outbound_frame_size
                size = min(size, self.engine.local_flow_control_window(stream))
                if size == 0:
                    self.flush()
                    self._step()
                    continue
                self.engine.send_data(stream, body[:size])
                body = body[size:]
            if end:
                self.engine.end_stream(stream)
        if flush:
            self.flush()
        return stream

    def reset(self, stream: int) -> None:
        self.engine.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.flush()

    def answer(self, stream: int) -> dict[str, str]:
        """The head of an answer that has come whole."""
        while stream not in self._ended and stream not in self._failed and not self._closed:
            self._step()
        assert stream in self._ended, "the stream was reset"
        return self._heads[stream]

    def failed(self, stream: int) -> bool:
        """Whether a stream is reset, or its connection closed, without an answer."""
        while stream not in self._ended and stream not in self._failed and not self._closed:
            self._step()
        return stream not in self._heads

    def _step(self) -> None:
        try:
            data = self._client.socket.recv(65536)
        except ConnectionError:
            data = b""
        self._closed = not data
        for event in self.engine.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    self._heads[event.stream_id] = dict(event.headers)
                    self.bodies[event.stream_id] = b""
                case h2.events.DataReceived():
                    self.bodies[event.stream_id] += event.data
                    self.engine.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                case h2.events.TrailersReceived():
                    self.trailers[event.stream_id] = dict(event.headers)
                case h2.events.StreamEnded():
                    self._ended.add(event.stream_id)
                case h2.events.StreamReset():
                    self._failed.add(event.stream_id)
                case h2.events.ConnectionTerminated():
                    self._closed = True
        if not self._closed:
            self.flush()
