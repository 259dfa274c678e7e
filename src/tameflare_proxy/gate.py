"""A client's connection as the protocol engine has it: held back, and never closed by it."""

from __future__ import annotations

import asyncio
import select

__all__ = ["GatedReader", "KeptOpenWriter"]

_PEEK_SECONDS = 1.0
# Linux says when the peer has closed its side although data still lies before that; others do not.
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class GatedReader:
    """A stream reader that first gives what was read already, and can be held back.

    Args:
        reader, writer: the streams of the connection.
        received: what was read of it already.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: bytes
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._received = received
        self._ended = False
        self._open = asyncio.Event()
        self._open.set()
        self._full: set[object] = set()

    async def read(self, size: int) -> bytes:
        """About `size` bytes; none when the peer has gone, even if data lies before that."""
        while not self._open.is_set() and not self._ended:
            try:
                async with asyncio.timeout(_PEEK_SECONDS):
                    await self._open.wait()
            except TimeoutError:
                # Whoever waits for an answer to a request is not there to get it any more.
                if self._hung_up():
                    self._ended = True
        if self._ended:
            return b""
        if self._received:
            data, self._received = self._received, b""
            return data
        return await self._reader.read(size)

    def end(self) -> None:
        """Give nothing any more."""
        self._ended = True

    def close_for(self, owner: object) -> None:
        """Read no more until `owner` has taken what it has."""
        self._full.add(owner)
        self._open.clear()

    def open_for(self, owner: object) -> None:
        """`owner` takes data again."""
        if owner in self._full:
            self._full.discard(owner)
            if not self._full:
                self._open.set()

    def _hung_up(self) -> bool:
        descriptor = self._writer.get_extra_info("socket").fileno()
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, _HUNG_UP)
        return bool(poll.poll(0))


class KeptOpenWriter:
    """A client's writer that is only ended here: whoever accepted the connection closes it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._ended = False
        self.write = writer.write
        self.drain = writer.drain
        self.get_extra_info = writer.get_extra_info

    def is_closing(self) -> bool:
        return self._ended or self._writer.is_closing()

    def write_eof(self) -> None:
        self._ended = True
        self._writer.write_eof()

    close = write_eof
