"""What has changed, told to everybody who listens: in this process, and in all of them.

On PostgreSQL a change travels by `NOTIFY`, which is sent when its transaction commits. On SQLite
there is one process, which tells itself after the commit.
"""

from __future__ import annotations

import asyncio
import enum
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.db.session import Database

__all__ = ["Bus", "Change", "ChangeKind", "Subscription"]

_CHANNEL = "tameflare"
_MOST_WAITING = 10_000
_MOST_BYTES = 7_900  # PostgreSQL refuses a payload of 8,000
_RETRY_SECONDS = 0.5

_log = structlog.get_logger(__name__)


class ChangeKind(enum.StrEnum):
    """What a change is about."""

    CONFIG = "config"
    KILL_SWITCH = "kill_switch"
    APPROVAL = "approval"
    STREAM = "stream"
    NOTICE = "notice"
    TRAFFIC = "traffic"
    LOST = "lost"
    """Changes may have been missed: whoever listens looks at everything again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    Attributes:
        kind: what it is about.
        gateway: the id of the gateway; empty when it is about no single one.
        data: what listeners need to know; small, and never a secret.
    """

    kind: ChangeKind
    gateway: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> str:
        """As one JSON text."""
        document = {"kind": self.kind.value, "gateway": self.gateway, "data": self.data}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def decode(cls, payload: str) -> Change:
        """Read what `encode` made."""
        document = json.loads(payload)
        return cls(
            kind=ChangeKind(document["kind"]),
            gateway=document["gateway"],
            data=document["data"],
        )


class Subscription:
    """The changes since a listener came."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue()

    async def next(self) -> Change:
        """The next change; waits for it."""
        return await self._queue.get()

    def waiting(self) -> list[Change]:
        """The changes that have come already; waits for none."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def put(self, change: Change) -> None:
        """Hand a change over; one who cannot keep up is told so, instead of growing."""
        if self._queue.qsize() >= _MOST_WAITING:
            while not self._queue.empty():
                self._queue.get_nowait()
            change = Change(kind=ChangeKind.LOST)
        self._queue.put_nowait(change)


class Bus:
    """Carries changes from transactions to listeners.

    Args:
        database: whose transactions they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[Subscription] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen until the end of the context."""
        subscription = Subscription()
        self._listeners.add(subscription)
        try:
            yield subscription
        finally:
            self._listeners.discard(subscription)

    async def send(self, session: AsyncSession, changes: Sequence[Change]) -> None:
        """Send changes with the transaction of `session`: all are heard, or it is rolled back."""
        if self._database.dialect != "postgresql":
            return
        for change in changes:
            payload = change.encode()
            if len(payload) > _MOST_BYTES:
                payload = Change(kind=ChangeKind.LOST).encode()
            await session.execute(
                text("SELECT pg_notify(:channel, :payload)"),
                {"channel": _CHANNEL, "payload": payload},
            )

    def sent(self, changes: Sequence[Change]) -> None:
        """Say that the transaction of these changes was committed."""
        if self._database.dialect != "postgresql":
            for change in changes:
                self._deliver(change)

    async def listen(self) -> None:
        """Hear the changes of other processes; runs until it is cancelled."""
        if self._database.dialect != "postgresql":
            return
        while True:
            try:
                await self._hear()
            except (psycopg.Error, OSError) as error:
                _log.warning("cannot listen to the database", why=str(error).strip()[:200])
                await asyncio.sleep(_RETRY_SECONDS)

    async def _hear(self) -> None:
        url = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5)
        async with connection:
            await connection.execute(f"LISTEN {_CHANNEL}")
            self._deliver(Change(kind=ChangeKind.LOST))
            async for notification in connection.notifies():
                with suppress(ValueError, KeyError, TypeError):
                    self._deliver(Change.decode(notification.payload))

    def _deliver(self, change: Change) -> None:
        for listener in self._listeners:
            listener.put(change)
