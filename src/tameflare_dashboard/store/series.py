"""Traffic over time and its most frequent actions, from the counts by minute and by hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, cast, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.db.models import TrafficHourRow, TrafficMinuteRow

__all__ = ["MOST_POINTS", "Point", "over_time", "step_for", "top_actions"]

type _Table = type[TrafficMinuteRow] | type[TrafficHourRow]

MOST_POINTS = 1500
"""Points of a chart at the most."""

_HOUR = 3600
_STEPS = (60, 300, 900, 3600, 6 * 3600, 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One step of a chart.

    Attributes:
        time: its beginning.
        counts: requests by outcome.
    """

    time: datetime
    counts: dict[str, int]


def step_for(since: datetime, until: datetime) -> int:
    """Seconds of a step that make a readable chart of a span of time."""
    span = (until - since).total_seconds()
    return next((step for step in _STEPS if span / step <= 240), _STEPS[-1])


async def over_time(
    session: AsyncSession,
    *,
    since: datetime,
    until: datetime,
    step: int,
    gateway_id: str | None = None,
    action: str | None = None,
) -> list[Point]:
    """How many requests there were, by outcome, for each step that has any.

    Args:
        session: any.
        since: from when.
        until: before when.
        step: seconds, a multiple of 60.
        gateway_id: of this gateway alone.
        action: of this action alone.
    """
    table: _Table = TrafficHourRow if step % _HOUR == 0 else TrafficMinuteRow
    bucket = _bucket(session, table, step)
    rows = await session.execute(
        select(bucket, table.outcome, func.sum(table.count))
        .where(*_conditions(table, since, until, gateway_id, action))
        .group_by(bucket, table.outcome)
        .order_by(bucket)
    )
    points: dict[datetime, dict[str, int]] = {}
    for start, outcome, count in rows:
        time = start if isinstance(start, datetime) else datetime.fromtimestamp(start, UTC)
        points.setdefault(time, {})[outcome] = int(count)
    return [Point(time=time, counts=counts) for time, counts in points.items()]


async def top_actions(
    session: AsyncSession,
    *,
    since: datetime,
    until: datetime,
    gateway_id: str | None = None,
    outcome: str | None = None,
    most: int = 10,
) -> list[tuple[str, int]]:
    """The most frequent actions with their counts; an empty name is what was no action."""
    parts = []
    for table, start, end in _tables_of(since, until):
        conditions = _conditions(table, start, end, gateway_id, None)
        if outcome is not None:
            conditions.append(table.outcome == outcome)
        parts.append(
            select(table.action.label("action"), func.sum(table.count).label("n"))
            .where(*conditions)
            .group_by(table.action)
        )
    counts = union_all(*parts).subquery()
    total = func.sum(counts.c.n)
    rows = await session.execute(
        select(counts.c.action, total)
        .group_by(counts.c.action)
        .order_by(total.desc(), counts.c.action)
        .limit(most)
    )
    return [(action, int(count)) for action, count in rows]


def _tables_of(since: datetime, until: datetime) -> list[tuple[_Table, datetime, datetime]]:
    """What to add up for a span: whole hours by hours, and what is left at its ends by minutes."""
    hour = timedelta(hours=1)
    end = until.replace(minute=0, second=0, microsecond=0)
    start = since.replace(minute=0, second=0, microsecond=0)
    start = start if start == since else start + hour
    if end - start < hour:
        return [(TrafficMinuteRow, since, until)]
    return [
        (TrafficMinuteRow, since, start),
        (TrafficHourRow, start, end),
        (TrafficMinuteRow, end, until),
    ]


def _conditions(
    table: _Table,
    since: datetime,
    until: datetime,
    gateway_id: str | None,
    action: str | None,
) -> list[ColumnElement[bool]]:
    span = _HOUR if table is TrafficHourRow else 60
    found: list[ColumnElement[bool]] = [
        table.start > since - timedelta(seconds=span),
        table.start < until,
    ]
    if gateway_id is not None:
        found.append(table.gateway_id == gateway_id)
    if action is not None:
        found.append(table.action == action)
    return found


def _bucket(session: AsyncSession, table: _Table, step: int) -> ColumnElement[Any]:
    if session.get_bind().dialect.name == "postgresql":
        # Seconds as `extract` gives them are exact decimals, with which half the time would go.
        return func.date_bin(timedelta(seconds=step), table.start, datetime.fromtimestamp(0, UTC))
    seconds: ColumnElement[Any] = func.strftime("%s", table.start)
    return cast(func.floor(cast(seconds, Integer) / step), Integer) * step
