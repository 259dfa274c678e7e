"""The audit log in the database: appended to, never changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.audit.checkpoint import Checkpoint, SigningKey
from tameflare_core.audit.event import AuditEvent, redacted
from tameflare_dashboard.db.models import AuditCheckpointRow, AuditEventRow

__all__ = [
    "append_event",
    "checkpoints",
    "event_of",
    "events",
    "last_event",
    "sign_checkpoint",
]

_LOCK = 7_302_551_019  # whoever appends, one at a time, on PostgreSQL
_AT_ONCE = 1000


async def last_event(session: AsyncSession) -> AuditEvent | None:
    """The last event, once it is this transaction's turn to append to it.

    Transactions that append follow one another.

    Args:
        session: of a transaction that writes.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
    last = (
        await session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq.desc()).limit(1))
    ).one_or_none()
    return None if last is None else event_of(last)


def append_event(
    session: AsyncSession,
    last: AuditEvent | None,
    *,
    time: datetime,
    actor: str,
    actor_name: str,
    verb: str,
    object_: str,
    before: Any,
    after: Any,
) -> AuditEvent:
    """Append an event, and return it.

    Args:
        session: of the transaction whose turn it is.
        last: the event that it follows.
        time: when it happened.
        actor: who did it.
        actor_name: their name.
        verb: what was done.
        object_: to what.
        before: a JSON value; what is a secret by its key is taken out.
        after: the same.
    """
    event = AuditEvent.next(
        last,
        time=time,
        actor=actor,
        actor_name=actor_name,
        verb=verb,
        object=object_,
        before=redacted(before),
        after=redacted(after),
    )
    session.add(
        AuditEventRow(
            seq=event.seq,
            time=event.time,
            actor=event.actor,
            actor_name=event.actor_name,
            verb=event.verb,
            object=event.object,
            before=_text(event.before),
            after=_text(event.after),
            previous=event.previous,
            hash=event.hash,
        )
    )
    return event


def event_of(row: AuditEventRow) -> AuditEvent:
    """An event as it is checked and exported."""
    return AuditEvent(
        seq=row.seq,
        time=row.time,
        actor=row.actor,
        actor_name=row.actor_name,
        verb=row.verb,
        object=row.object,
        before=_value(row.before),
        after=_value(row.after),
        previous=row.previous,
        hash=row.hash,
    )


async def events(session: AsyncSession) -> AsyncIterator[AuditEvent]:
    """Every event, first to last, a thousand at a time."""
    seq = None
    while True:
        query = select(AuditEventRow).order_by(AuditEventRow.seq).limit(_AT_ONCE)
        if seq is not None:
            query = query.where(AuditEventRow.seq > seq)
        rows = (await session.scalars(query)).all()
        for row in rows:
            yield event_of(row)
        if len(rows) < _AT_ONCE:
            return
        seq = rows[-1].seq
        session.expunge_all()


async def checkpoints(session: AsyncSession) -> list[Checkpoint]:
    """Every checkpoint, first to last."""
    rows = await session.scalars(select(AuditCheckpointRow).order_by(AuditCheckpointRow.seq))
    return [
        Checkpoint(
            seq=row.seq,
            hash=row.hash,
            time=row.time,
            key_id=row.key_id,
            signature=row.signature,
        )
        for row in rows
    ]


async def sign_checkpoint(session: AsyncSession, key: SigningKey, now: datetime) -> bool:
    """Sign the last event, unless it is signed; False when there is nothing new."""
    last = (
        await session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq.desc()).limit(1))
    ).one_or_none()
    signed = await session.scalar(select(func.max(AuditCheckpointRow.seq)))
    if last is None or (signed is not None and signed >= last.seq):
        return False
    checkpoint = key.sign(seq=last.seq, hash=last.hash, time=now)
    session.add(
        AuditCheckpointRow(
            seq=checkpoint.seq,
            hash=checkpoint.hash,
            time=checkpoint.time,
            key_id=checkpoint.key_id,
            signature=checkpoint.signature,
        )
    )
    return True


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _value(stored: str | None) -> Any:
    return None if stored is None else json.loads(stored)
