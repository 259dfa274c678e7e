"""Who waits in this process for what: event streams of proxies, and long polls for approvals."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from tameflare_dashboard.backend import Actor, Backend
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.store import instances, kill_switches

__all__ = ["HEARTBEAT_SECONDS", "Dispatch", "OpenStream"]

HEARTBEAT_SECONDS = 15.0
"""How often a stream says that it is alive."""

_MOST_WAITING = 20_000
_log = structlog.get_logger(__name__)


class OpenStream:
    """One event stream that a proxy process holds open.

    Attributes:
        id: `st_…`.
        instance: the proxy process.
        gateways: the ids of those that it hears about.
    """

    def __init__(self, stream: str, instance: str) -> None:
        self.id = stream
        self.instance = instance
        self.gateways: set[str] = set()
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(self, event: bytes) -> None:
        """Send an event; a proxy that does not read is cut off, and asks for everything again."""
        if self._waiting.qsize() >= _MOST_WAITING:
            self.end()
        else:
            self._waiting.put_nowait(event)

    def end(self) -> None:
        """Send nothing more."""
        self._waiting.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next event; None at the end."""
        return await self._waiting.get()


class Dispatch:
    """Takes changes from the bus to the streams and long polls that wait for them.

    Args:
        backend: whose changes.
        heartbeat: seconds between two heartbeats of a stream.
    """

    def __init__(self, backend: Backend, *, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self._backend = backend
        self._heartbeat = heartbeat
        self._streams: dict[str, OpenStream] = {}
        self._by_gateway: dict[str, set[OpenStream]] = defaultdict(set)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    @property
    def stream_count(self) -> int:
        """How many streams are open here."""
        return len(self._streams)

    async def run(self) -> None:
        """Carry changes; runs until it is cancelled."""
        with self._backend.bus.subscribe() as subscription:
            while True:
                change = await subscription.next()
                try:
                    await self._carry(change)
                except Exception as error:  # noqa: BLE001  # INVARIANT: the next one is carried
                    _log.error("change not carried", why=type(error).__name__)
                    self.end_streams()

    @asynccontextmanager
    async def stream(
        self, actor: Actor, gateway: str, instance: str, proxy: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream about one gateway; others may be added to it."""
        async with self._backend.changing(actor) as tx:
            await instances.note(tx, instance, proxy)
            opened = OpenStream(await instances.begin_stream(tx, instance), instance)
        self._streams[opened.id] = opened
        self.add(opened, [gateway])
        opened.put(_event("stream", {"stream": opened.id, "gateway": gateway}))
        try:
            opened.put(await self._kill_switches())
            yield self._events(opened)
        finally:
            del self._streams[opened.id]
            for each in opened.gateways:
                self._by_gateway[each].discard(opened)
            async with self._backend.database.write() as session:
                await instances.end_stream(session, opened.id)

    def add(self, stream: OpenStream, gateways: Collection[str]) -> None:
        """Let a stream hear about further gateways."""
        for gateway in gateways:
            stream.gateways.add(gateway)
            self._by_gateway[gateway].add(stream)

    @contextmanager
    def waiting_for(self, approval: str) -> Iterator[asyncio.Event]:
        """An event that is set when an approval changes."""
        event = asyncio.Event()
        self._waiting[approval].add(event)
        try:
            yield event
        finally:
            self._waiting[approval].discard(event)
            if not self._waiting[approval]:
                del self._waiting[approval]

    def end_streams(self) -> None:
        """End every stream; their proxies come again, and look at everything anew."""
        for stream in tuple(self._streams.values()):
            stream.end()

    async def _events(self, stream: OpenStream) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._heartbeat):
                    event = await stream.next()
            except TimeoutError:
                event = _event("heartbeat", {})
                await self._keep(stream)
            if event is None:
                return
            yield event

    async def _keep(self, stream: OpenStream) -> None:
        try:
            async with self._backend.database.write() as session:
                await instances.keep(session, stream.id, stream.instance, self._backend.clock())
        except SQLAlchemyError as error:
            _log.warning("stream not noted", why=type(error).__name__)

    async def _carry(self, change: Change) -> None:
        match change.kind:
            case ChangeKind.CONFIG:
                event = _event("config", {"gateway": change.gateway})
                self._tell(change.gateway, event)
            case ChangeKind.APPROVAL:
                self._tell(
                    change.gateway,
                    _event("approval", {"gateway": change.gateway, **change.data}),
                    unless=change.data["state"] == "pending",
                )
                for waiting in self._waiting.get(change.data["id"], ()):
                    waiting.set()
            case ChangeKind.KILL_SWITCH:
                event = await self._kill_switches()
                for stream in tuple(self._streams.values()):
                    stream.put(event)
            case ChangeKind.STREAM:
                stream_here = self._streams.get(change.data["stream"])
                if stream_here is not None:
                    self.add(stream_here, change.data["gateways"])
            case ChangeKind.LOST:
                self.end_streams()
                for events in self._waiting.values():
                    for waiting in events:
                        waiting.set()
            case ChangeKind.NOTICE | ChangeKind.TRAFFIC:
                pass

    def _tell(self, gateway: str, event: bytes, *, unless: bool = False) -> None:
        if not unless:
            for stream in tuple(self._by_gateway.get(gateway, ())):
                stream.put(event)

    async def _kill_switches(self) -> bytes:
        async with self._backend.reading() as session:
            rows = await kill_switches.active(session)
        switches = [kill_switches.switch_of(row).document() for row in rows]
        return _event("kill_switch", {"kill_switches": switches})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
