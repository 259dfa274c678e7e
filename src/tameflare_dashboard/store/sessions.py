"""Sessions of browsers: opaque to them, kept here, gone when they are ended."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.tokens import token_digest
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.backend import Backend, Transaction
from tameflare_dashboard.db.models import SessionRow, UserRow
from tameflare_dashboard.ids import new_id

__all__ = [
    "IDLE",
    "LIFETIME",
    "NewSession",
    "end",
    "end_all",
    "find",
    "listed",
    "start",
]

LIFETIME = timedelta(days=14)
"""After which a session ends however busy it is."""

IDLE = timedelta(days=2)
"""After which one that nobody uses ends."""

_NOTED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a browser gets; neither is kept here.

    Attributes:
        cookie: shows who it is.
        csrf: shows that our page sent a write.
    """

    cookie: str
    csrf: str


async def start(tx: Transaction, user_id: str, *, address: str, agent: str) -> NewSession:
    """Begin a session of a user.

    Args:
        tx: the transaction.
        user_id: whose it is.
        address: where from.
        agent: what the browser calls itself.
    """
    cookie = secrets.token_urlsafe(32)
    new = NewSession(cookie=cookie, csrf=_csrf(cookie))
    tx.session.add(
        SessionRow(
            digest=token_digest(new.cookie),
            id=new_id("ses"),
            user_id=user_id,
            created=tx.now,
            seen=tx.now,
            expires=tx.now + LIFETIME,
            address=address[:64],
            agent=agent[:300],
        )
    )
    await tx.session.execute(delete(SessionRow).where(SessionRow.expires < tx.now))
    return new


async def find(backend: Backend, cookie: str) -> Principal | None:
    """The user of a session that goes on; None when there is none."""
    now, digest = backend.clock(), token_digest(cookie)
    async with backend.reading() as session:
        found = (
            await session.execute(
                select(SessionRow, UserRow)
                .join(UserRow, UserRow.id == SessionRow.user_id)
                .where(SessionRow.digest == digest, UserRow.active)
            )
        ).one_or_none()
    if found is None:
        return None
    row, user = found
    if row.expires <= now or row.seen + IDLE <= now:
        return None
    if now - row.seen > _NOTED_EVERY:
        async with backend.database.write() as writing:
            await writing.execute(
                update(SessionRow).where(SessionRow.digest == digest).values(seen=now)
            )
    return Principal(
        user_id=user.id,
        email=user.email,
        name=user.name,
        role=UserRole(user.role),
        session_id=row.id,
        csrf=_csrf(cookie),
    )


async def listed(session: AsyncSession, user_id: str, now: datetime) -> list[SessionRow]:
    """The sessions of a user that go on, newest first."""
    rows = await session.scalars(
        select(SessionRow)
        .where(
            SessionRow.user_id == user_id, SessionRow.expires > now, SessionRow.seen > now - IDLE
        )
        .order_by(SessionRow.created.desc(), SessionRow.id)
    )
    return list(rows)


async def end(tx: Transaction, user_id: str, session_id: str) -> bool:
    """End a session of a user; False when there is none."""
    ended = await tx.session.execute(
        delete(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.user_id == user_id)
        .returning(SessionRow.id)
    )
    return ended.first() is not None


async def end_all(tx: Transaction, user_id: str, *, but: str | None = None) -> None:
    """End the sessions of a user.

    Args:
        tx: the transaction.
        user_id: whose they are.
        but: one that goes on.
    """
    await tx.session.execute(
        delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.id != (but or ""))
    )


def _csrf(cookie: str) -> str:
    # Made of the cookie, which no page can read: so every tab has the same, and none is kept here.
    return hashlib.sha256(b"tameflare csrf 1:" + cookie.encode()).hexdigest()
