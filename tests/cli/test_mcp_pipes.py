"""The two ends of an MCP client."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tameflare_cli.mcp_pipes import ClientOutput, lines, readable_chunks, writer_to


def read_lines(chunks: Iterable[bytes], limit: int) -> list[bytes | None]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[bytes | None]:
        return [line async for line in lines(stream(), limit)]

    return anyio.run(collect)


@given(st.lists(st.binary(max_size=6).map(lambda data: data.replace(b"a", b"\n")), max_size=6))
def test_lines_are_the_stream_in_pieces(chunks: list[bytes]) -> None:
    found = read_lines(chunks, 100)
    assert b"".join(line or b"" for line in found) == b"".join(chunks)
    assert all(line and line.index(b"\n") == len(line) - 1 for line in found[:-1])


@pytest.mark.parametrize("size", [1, 3, 100])
def test_line_over_the_limit_is_left_out(size: int) -> None:
    data = b"ab\nabcdefgh\nabcd\nabcde"
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert read_lines(chunks, 5) == [b"ab\n", None, b"abcd\n", b"abcde"]
    assert read_lines([*chunks, b"f"], 5)[-1] is None


def test_pipe_is_read_to_its_end() -> None:
    reader, writer = os.pipe()

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in readable_chunks(reader)])

    os.write(writer, b"one\n")
    os.close(writer)
    assert anyio.run(collect) == b"one\n"
    os.close(reader)


def test_file_is_read_and_written(tmp_path: Path) -> None:
    file = tmp_path / "a"

    async def copy() -> bytes:
        with file.open("wb") as sink:
            await writer_to(sink.fileno())(b"x" * 100_000)
        with file.open("rb") as source:
            return b"".join([chunk async for chunk in readable_chunks(source.fileno())])

    assert anyio.run(copy) == b"x" * 100_000


def test_full_pipe_does_not_stop_the_loop() -> None:
    reader, writer = os.pipe()
    data = os.urandom(300_000)
    received = bytearray()
    go = threading.Event()

    def drain() -> None:
        go.wait()
        while chunk := os.read(reader, 65536):
            received.extend(chunk)

    thread = threading.Thread(target=drain)
    thread.start()

    async def write() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(writer_to(writer), data)
            await anyio.wait_all_tasks_blocked()
            # Nobody has read anything, and this still runs.
            go.set()
        os.close(writer)

    anyio.run(write)
    thread.join()
    os.close(reader)
    assert received == data


def test_our_line_waits_for_the_end_of_the_servers() -> None:
    written = bytearray()

    async def write(data: bytes) -> None:
        written.extend(data)

    async def talk() -> None:
        output = ClientOutput(write)
        await output.say(b"[1]\n")
        await output.server_says(b"ab")
        await output.say(b"[2]\n")
        await output.say(b"[3]\n")
        await output.server_says(b"cd")
        assert written == b"[1]\nabcd"
        await output.server_says(b"ef\ngh\n")
        await output.say(b"[4]\n")

    anyio.run(talk)
    assert written == b"[1]\nabcdef\n[2]\n[3]\ngh\n[4]\n"
