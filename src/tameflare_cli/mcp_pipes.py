"""The two ends of an MCP client: the lines that it sends, and what it is told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from select import PIPE_BUF

import anyio

__all__ = ["ClientOutput", "lines", "readable_chunks", "writer_to"]

_CHUNK = 64 * 1024


async def readable_chunks(descriptor: int) -> AsyncIterator[bytes]:
    """What can be read from `descriptor`, until its end; the event loop never waits for it."""
    while True:
        # A regular file cannot be waited for, and need not be.
        with suppress(PermissionError):
            await anyio.wait_readable(descriptor)
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return
        yield chunk


async def lines(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes | None]:
    r"""The lines of a stream, each with its `\n`; the last one may have none.

    Args:
        chunks: the stream.
        limit: the longest line in bytes; None stands for each one that is longer.
    """
    kept = bytearray()
    too_long = False
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            kept += part + b"\n"
            yield None if too_long or len(kept) > limit else bytes(kept)
            kept.clear()
            too_long = False
        kept += rest
        if len(kept) > limit:
            kept.clear()
            too_long = True
    if kept or too_long:
        yield None if too_long else bytes(kept)


def writer_to(descriptor: int) -> Callable[[bytes], Awaitable[None]]:
    """A function that writes all of some bytes to `descriptor` without stopping the event loop."""

    async def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            with suppress(PermissionError):
                await anyio.wait_writable(descriptor)
            # A pipe that can be written to takes as much as this at once.
            view = view[os.write(descriptor, view[:PIPE_BUF]) :]

    return write


class ClientOutput:
    """What the client reads: the server's bytes as they come, and whole lines of ours between them.

    Args:
        write: takes all of some bytes.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._within_line = False
        self._waiting: list[bytes] = []
        self._turn = anyio.Lock()

    async def server_says(self, chunk: bytes) -> None:
        """Pass on a piece of the server's output."""
        async with self._turn:
            if self._waiting and b"\n" in chunk:
                end = chunk.index(b"\n") + 1
                chunk = b"".join([chunk[:end], *self._waiting, chunk[end:]])
                self._waiting.clear()
            self._within_line = not chunk.endswith(b"\n")
            await self._write(chunk)

    async def say(self, line: bytes) -> None:
        """Say a line of our own, when no line of the server's is under way."""
        async with self._turn:
            if self._within_line:
                self._waiting.append(line)
            else:
                await self._write(line)
