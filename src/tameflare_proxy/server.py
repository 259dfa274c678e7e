"""The gateway's life: listen, serve, drain, stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self

from tameflare_core.approvals import WATCH_SECONDS, AsyncApprovals, AsyncApprover
from tameflare_core.current_point import CurrentPoint
from tameflare_core.frontend import AsyncServices, Credentials, Recorder
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillSwitches
from tameflare_core.plugins import Plugins
from tameflare_core.surroundings import Surroundings
from tameflare_core.tokens import token_digest
from tameflare_proxy.authority import Authority
from tameflare_proxy.bounds import Limits
from tameflare_proxy.dial import dial
from tameflare_proxy.lane_mitm import UniversalLane
from tameflare_proxy.listener import Listener
from tameflare_proxy.served import ServedGateway
from tameflare_proxy.tls import ClientTls

__all__ = ["GatewayServer"]

_logger = logging.getLogger(__name__)

_BUFFER = 256 * 1024
_BACKLOG = 1024


class GatewayServer:
    """Serves one gateway on a socket of its own; an asynchronous context manager.

    Args:
        gateway: what to serve.
        plugins: where credentials are looked up.
        token: what clients present.
        approver: whom to ask.
        recorder: keeps the traffic records.
        authority: signs the certificates that clients see.
        kill_switches: those that are active now; see `CurrentPoint`.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        limits: what the gateway may take up.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        plugins: Plugins,
        token: str,
        approver: AsyncApprover,
        recorder: Recorder,
        authority: Authority,
        kill_switches: Callable[[], KillSwitches] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        self._address = host, port
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        credentials = Credentials(plugins.credential_sources, gateway.folder)
        served = ServedGateway(
            point=CurrentPoint(gateway, kill_switches),
            services=AsyncServices(
                approvals=AsyncApprovals(approver, limit=limits.held, spawn=self._spawn),
                recorder=recorder,
                credentials=credentials,
            ),
            token_digest=token_digest(token),
        )
        self._served = {served.token_digest: served}
        self._own: list[tuple[str, int]] = []
        lane = UniversalLane(
            ClientTls(authority),
            partial(dial, own=self._own),
            first_request_seconds=limits.head_seconds,
        )
        self._listener = Listener(self._served.get, lane, Surroundings(), limits)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._own[0][1]

    async def __aenter__(self) -> Self:
        host, port = self._address
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=_BUFFER, backlog=_BACKLOG
        )
        self._own.extend(
            (str(name[0]), int(name[1]))
            for name in (socket.getsockname() for socket in self._server.sockets)
        )
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
            for served in self._served.values():
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
