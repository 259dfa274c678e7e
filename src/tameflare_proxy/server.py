"""The gateway's life: listen, serve, drain, stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from tameflare_core.approvals import WATCH_SECONDS, Spawn
from tameflare_core.surroundings import Surroundings
from tameflare_proxy.authority import Authority
from tameflare_proxy.bounds import Limits
from tameflare_proxy.dial import dial
from tameflare_proxy.lane_mitm import UniversalLane
from tameflare_proxy.listener import Listener
from tameflare_proxy.served import ServedGateways
from tameflare_proxy.tls import ClientTls

__all__ = ["GatewayServer"]

_logger = logging.getLogger(__name__)

_BUFFER = 256 * 1024
_BACKLOG = 1024


class GatewayServer:
    """Serves gateways on a socket of their own; an asynchronous context manager.

    Args:
        gateways: makes what is served, given what runs things in the background.
        authority: signs the certificates that clients see.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        limits: what each gateway may take up.
        refused: addresses besides its own that nobody reaches through it, like the control plane's.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        *,
        gateways: Callable[[Spawn], ServedGateways],
        authority: Authority,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        refused: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._address = host, port
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._make = gateways
        self._gateways: ServedGateways = ()  # type: ignore[assignment]  # until it is entered
        self._authority = authority
        self._refused = list(refused)
        self._own: list[tuple[str, int]] = []

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._own[0][1]

    async def __aenter__(self) -> Self:
        host, port = self._address
        self._gateways = self._make(self._spawn)
        lane = UniversalLane(
            ClientTls(self._authority),
            partial(dial, own=self._own),
            first_request_seconds=self._limits.head_seconds,
        )
        self._listener = Listener(self._gateways, lane, Surroundings(), self._limits)
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=_BUFFER, backlog=_BACKLOG
        )
        self._own.extend(
            (str(name[0]), int(name[1]))
            for name in (socket.getsockname() for socket in self._server.sockets)
        )
        self._own.extend(self._refused)
        self._spawn(self._watch_kill_switches)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=self._limits.drain_seconds)
        left = (*self._connections, *self._background)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _spawn(self, run: Callable[[], Awaitable[None]]) -> None:
        async def running() -> None:
            try:
                await run()
            except Exception as error:  # noqa: BLE001
                # What it was about has been refused, or will be: nothing waits for it alone.
                _logger.error("background task failed: %s", type(error).__name__)

        task = asyncio.create_task(running())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _watch_kill_switches(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for served in self._gateways:
                try:
                    await served.apply_kill_switches()
                except Exception as error:  # noqa: BLE001
                    # INVARIANT: the watch goes on; new requests are judged by the switches anyway.
                    _logger.error("kill switch not applied: %s", type(error).__name__)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._listener.accept(reader, writer)
        finally:
            self._connections.discard(task)
