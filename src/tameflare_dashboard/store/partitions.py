"""The parts of the traffic table on PostgreSQL: one for each day, so that old days go at once."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["MOST_DAYS", "bounds", "drop_before", "ensure"]

MOST_DAYS = 400
"""How far back a record's own clock is believed."""

_NAME = re.compile(r"traffic_(\d{4})(\d{2})(\d{2})")
_LOCK = 7_302_551_020  # whoever makes or drops a part, on PostgreSQL


def bounds(now: datetime) -> tuple[date, date]:
    """The oldest and the newest day that a record can be of."""
    today = now.date()
    return today - timedelta(days=MOST_DAYS), today + timedelta(days=1)


async def ensure(session: AsyncSession, days: Collection[date]) -> None:
    """Make the parts for some days, on PostgreSQL."""
    if session.get_bind().dialect.name != "postgresql":
        return
    missing = set(days) - await _days(session)
    if not missing:
        return
    await session.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
    for day in sorted(missing):
        after = day + timedelta(days=1)
        # Names and dates of our own making; DDL takes no parameters.
        await session.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS traffic_{day:%Y%m%d} PARTITION OF traffic"
                f" FOR VALUES FROM ('{day}') TO ('{after}')"
            )
        )


async def drop_before(session: AsyncSession, oldest: date) -> int:
    """Drop the parts of days before `oldest`; return how many."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
    gone = [day for day in await _days(session) if day < oldest]
    for day in gone:
        await session.execute(text(f"DROP TABLE traffic_{day:%Y%m%d}"))
    return len(gone)


async def _days(session: AsyncSession) -> set[date]:
    names = await session.scalars(
        text(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'traffic'::regclass"
        )
    )
    found = (_NAME.search(name) for name in names)
    return {date(*map(int, match.groups())) for match in found if match}
