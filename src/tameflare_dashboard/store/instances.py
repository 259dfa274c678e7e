"""Proxy processes: which of them are there, and the event streams that they hold open."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import InstanceRow, StreamRow
from tameflare_dashboard.ids import new_id
from tameflare_dashboard.store import approvals

__all__ = ["GONE_AFTER", "begin_stream", "end_gone", "end_stream", "has_stream", "keep", "note"]

GONE_AFTER = timedelta(seconds=60)
"""How long nothing is heard of a process before what it held is ended."""


async def note(tx: Transaction, instance: str, proxy: str) -> None:
    """Note a proxy process; those that were there before it with the same folder are gone.

    Args:
        tx: the transaction.
        instance: the process.
        proxy: the folder that it keeps its state in.
    """
    row = await tx.session.get(InstanceRow, instance)
    if row is not None:
        row.seen = tx.now
        return
    tx.session.add(InstanceRow(id=instance, proxy=proxy, seen=tx.now))
    await tx.session.flush()
    if proxy:
        former = list(
            await tx.session.scalars(
                delete(InstanceRow)
                .where(InstanceRow.proxy == proxy, InstanceRow.id != instance)
                .returning(InstanceRow.id)
            )
        )
        await approvals.cancel_of_instances(tx, former)


async def begin_stream(tx: Transaction, instance: str) -> str:
    """Note an event stream that a process opens; return its id."""
    stream = new_id("st")
    tx.session.add(StreamRow(id=stream, instance=instance, seen=tx.now))
    return stream


async def has_stream(session: AsyncSession, stream: str) -> bool:
    """Whether a stream is open, in this process or another one."""
    return await session.get(StreamRow, stream) is not None


async def keep(session: AsyncSession, stream: str, instance: str, now: datetime) -> None:
    """Note that a stream, and the process at its other end, is still there."""
    await session.execute(update(StreamRow).where(StreamRow.id == stream).values(seen=now))
    await session.execute(update(InstanceRow).where(InstanceRow.id == instance).values(seen=now))


async def end_stream(session: AsyncSession, stream: str) -> None:
    """Forget a stream."""
    await session.execute(delete(StreamRow).where(StreamRow.id == stream))


async def end_gone(tx: Transaction) -> int:
    """End what processes held of which nothing was heard for long; return how many approvals."""
    since = tx.now - GONE_AFTER
    gone = list(
        await tx.session.scalars(
            delete(InstanceRow).where(InstanceRow.seen <= since).returning(InstanceRow.id)
        )
    )
    await tx.session.execute(delete(StreamRow).where(StreamRow.seen <= since))
    return await approvals.cancel_of_instances(tx, gone)
