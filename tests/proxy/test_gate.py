from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tameflare_proxy import gate as gate_module
from tameflare_proxy.gate import GatedReader


def with_gate(steps: Callable[[GatedReader, socket.socket], Awaitable[None]]) -> None:
    async def run() -> None:
        left, right = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=left)
        with right:
            await steps(GatedReader(reader, writer, b"first"), right)
        writer.close()

    asyncio.run(asyncio.wait_for(run(), 10))


def test_what_was_read_comes_first() -> None:
    async def steps(gate: GatedReader, peer: socket.socket) -> None:
        peer.send(b"second")
        assert await gate.read(100) == b"first"
        assert await gate.read(100) == b"second"

    with_gate(steps)


def test_closed_gate_waits_for_every_owner() -> None:
    async def steps(gate: GatedReader, peer: socket.socket) -> None:
        gate.close_for("a")
        gate.close_for("b")
        reading = asyncio.create_task(gate.read(100))
        gate.open_for("a")
        gate.open_for("c")
        assert not (await asyncio.wait({reading}, timeout=0.05))[0]
        gate.open_for("b")
        assert await reading == b"first"

    with_gate(steps)


def test_ended_gate_gives_nothing() -> None:
    async def steps(gate: GatedReader, peer: socket.socket) -> None:
        gate.end()
        assert await gate.read(100) == b""

    with_gate(steps)


def test_peer_that_hung_up_is_noticed_behind_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_PEEK_SECONDS", 0.01)

    async def steps(gate: GatedReader, peer: socket.socket) -> None:
        peer.send(b"unread")
        gate.close_for("a")
        reading = asyncio.create_task(gate.read(100))
        assert not (await asyncio.wait({reading}, timeout=0.1))[0]
        peer.close()
        assert await reading == b""

    with_gate(steps)


def test_own_closed_connection_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_PEEK_SECONDS", 0.01)

    async def steps(gate: GatedReader, peer: socket.socket) -> None:
        gate.close_for("a")
        gate._writer.close()
        assert await gate.read(100) == b""

    with_gate(steps)
