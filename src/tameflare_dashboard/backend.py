"""What every request to a control-plane process shares, and the transactions that change things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.audit.checkpoint import SigningKey
from tameflare_core.audit.event import AuditEvent
from tameflare_core.plugins import Plugins, load_plugins
from tameflare_core.vault.keyring import KeyEncryptionKey, load_key
from tameflare_dashboard.db.session import Database
from tameflare_dashboard.live import Bus, Change
from tameflare_dashboard.settings import Settings
from tameflare_dashboard.store.audit import append_event, last_event

__all__ = ["SYSTEM", "Actor", "Backend", "Transaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, as the audit log tells it.

    Attributes:
        id: `user:usr_…`, `gateway:gw_…` or `system`.
        name: an e-mail address or a gateway's name.
    """

    id: str
    name: str


SYSTEM = Actor(id="system", name="tameflare")
"""The control plane itself."""


@dataclass(slots=True, kw_only=True)
class Transaction:
    """A change that is made whole, with its audit events and its announcements, or not at all.

    Attributes:
        session: what it is made through.
        actor: who makes it.
        now: when.
    """

    session: AsyncSession
    actor: Actor
    now: datetime
    announced: list[Change] = field(default_factory=list)
    _appending: bool = False
    _last: AuditEvent | None = None

    async def audit(self, verb: str, object_: str, before: Any = None, after: Any = None) -> None:
        """Put an event into the audit log.

        Args:
            verb: what was done, like `gateway.update`.
            object_: to what, like `gateway:gw_…`.
            before: how it was, as JSON values without secrets.
            after: how it is now, the same.
        """
        if not self._appending:
            self._last = await last_event(self.session)
            self._appending = True
        self._last = append_event(
            self.session,
            self._last,
            time=self.now,
            actor=self.actor.id,
            actor_name=self.actor.name,
            verb=verb,
            object_=object_,
            before=before,
            after=after,
        )

    def announce(self, change: Change) -> None:
        """Tell everybody who listens, once the transaction is committed."""
        self.announced.append(change)


def _now() -> datetime:
    return datetime.now(UTC)


class Backend:
    """One process of the control plane.

    Args:
        settings: what its operator decided.
        clock: the time of day, with a zone.

    Attributes:
        settings: as given.
        database: where everything is kept.
        bus: carries changes to whoever listens.
        plugins: connector types.
        vault_key: opens the credentials.
        audit_key: signs checkpoints.
        clock: as given.

    Raises:
        VaultError: there is no vault key.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = _now) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.bus = Bus(self.database)
        self.plugins: Plugins = load_plugins()
        self.vault_key: KeyEncryptionKey = load_key(settings.folder)
        self.audit_key = SigningKey.load_or_create(settings.folder)
        self.clock = clock

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A transaction that changes nothing."""
        async with self.database.read() as session:
            yield session

    @asynccontextmanager
    async def changing(self, actor: Actor) -> AsyncIterator[Transaction]:
        """A transaction that changes something; committed at the end of the context.

        Args:
            actor: who changes it.
        """
        async with self.database.write() as session:
            transaction = Transaction(session=session, actor=actor, now=self.clock())
            yield transaction
            await session.flush()
            await self.bus.send(session, transaction.announced)
        self.bus.sent(transaction.announced)

    async def close(self) -> None:
        """Let go of the database."""
        await self.database.close()
