"""Traffic records: taken in once, found again by filters, counted by minute."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.db.models import GatewayRow, TrafficHourRow, TrafficMinuteRow, TrafficRow
from tameflare_dashboard.store import partitions

__all__ = ["Filters", "NewRecord", "export", "find", "ingest", "newer", "page", "prune", "risk_of"]

_AT_ONCE = 1000
_RISKS = ("low", "medium", "high", "critical")

# One array for each column: of a thousand rows one by one, the parameters alone take longer.
_TYPES = {
    "day": "date",
    "id": "text",
    "time": "timestamptz",
    "gateway_id": "text",
    "connector": "text",
    "action": "text",
    "risk": "text",
    "method": "text",
    "host": "text",
    "decision": "text",
    "outcome": "text",
    "status": "int",
    "approval_id": "text",
    "judge_ms": "float8",
    "hold_ms": "float8",
    "upstream_ms": "float8",
    "document": "jsonb",
}
_INSERT = text(
    f"INSERT INTO traffic ({', '.join(_TYPES)}) SELECT * FROM unnest("  # noqa: S608  # names above
    + ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _TYPES.items())
    + ") ON CONFLICT DO NOTHING RETURNING id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record as a gateway sent it.

    Attributes:
        id: a UUIDv7.
        time: when the request was judged, by the gateway's clock.
        document: the whole record, checked.
    """

    id: str
    time: datetime
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which records are asked for; None leaves a thing open.

    Attributes:
        gateway_id, connector, method, host, decision, outcome, status, approval_id: exactly this.
        action: exactly this, or everything that starts so when it ends with `*`.
        risk: this or higher.
        since, until: from when, and before when.
    """

    gateway_id: str | None = None
    connector: str | None = None
    action: str | None = None
    method: str | None = None
    host: str | None = None
    decision: str | None = None
    outcome: str | None = None
    status: int | None = None
    risk: str | None = None
    approval_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a query has to ask for."""
        exact = {
            "gateway_id": self.gateway_id,
            "connector": self.connector,
            "method": self.method,
            "host": self.host,
            "decision": self.decision,
            "outcome": self.outcome,
            "status": self.status,
            "approval_id": self.approval_id,
        }
        found: list[ColumnElement[bool]] = [
            getattr(TrafficRow, name) == value for name, value in exact.items() if value is not None
        ]
        if self.action is not None:
            if self.action.endswith("*"):
                found.append(TrafficRow.action.startswith(self.action[:-1], autoescape=True))
            else:
                found.append(TrafficRow.action == self.action)
        if self.risk is not None:
            found.append(TrafficRow.risk.in_(_RISKS[_RISKS.index(self.risk) :]))
        if self.since is not None:
            # The day is that of the gateway's clock too; it tells PostgreSQL which parts to skip.
            found.append(TrafficRow.day >= (self.since - timedelta(days=1)).date())
            found.append(TrafficRow.time >= self.since)
        if self.until is not None:
            found.append(TrafficRow.day <= (self.until + timedelta(days=1)).date())
            found.append(TrafficRow.time < self.until)
        return found


async def ingest(
    session: AsyncSession, gateway: GatewayRow, records: Sequence[NewRecord], now: datetime
) -> int:
    """Keep records; return how many of them were not known already.

    Args:
        session: of a transaction that writes.
        gateway: whose they are.
        records: each with an id of its own.
        now: bounds the days that records can be of: a gateway's clock may be wrong.
    """
    rows = {record.id: _row(gateway, record, now) for record in records}
    if not rows:
        return 0
    await partitions.ensure(session, {row["day"] for row in rows.values()})
    # In one order, so that two batches with the same records wait for each other and never in turn.
    ordered = [rows[key] for key in sorted(rows)]
    if session.get_bind().dialect.name == "postgresql":
        columns = {name: [row[name] for row in ordered] for name in _TYPES}
        columns["document"] = [json.dumps(row["document"]) for row in ordered]
        added = set(await session.scalars(_INSERT, columns))
    else:
        statement = sqlite.insert(TrafficRow).on_conflict_do_nothing().returning(TrafficRow.id)
        added = set(await session.scalars(statement, ordered))
    await _count(session, [row for row in ordered if row["id"] in added])
    return len(added)


def _row(gateway: GatewayRow, record: NewRecord, now: datetime) -> dict[str, Any]:
    document = record.document
    actions = document["actions"]
    first = actions[0]["name"] if actions else None
    return {
        "day": _day(record.id, now),
        "id": record.id,
        "time": record.time,
        "gateway_id": gateway.id,
        "connector": document["connector"],
        "action": first,
        "risk": risk_of(actions),
        "method": document["method"],
        "host": document["host"],
        "decision": document["decision"],
        "outcome": document["outcome"],
        "status": document["status"],
        "approval_id": document["approval_id"],
        "judge_ms": document["judge_ms"],
        "hold_ms": document["hold_ms"],
        "upstream_ms": document["upstream_ms"],
        "document": document,
    }


def risk_of(actions: Sequence[dict[str, Any]]) -> str | None:
    """The highest risk among actions; None without any."""
    levels = [_RISKS.index(action["risk"]) for action in actions if action["risk"] in _RISKS]
    return _RISKS[max(levels)] if levels else None


def _day(record_id: str, now: datetime) -> date:
    # A UUIDv7 starts with milliseconds since 1970 (RFC 9562 section 5.7).
    milliseconds = int(record_id.replace("-", "")[:12], 16)
    oldest, newest = partitions.bounds(now)
    try:
        day = datetime.fromtimestamp(milliseconds / 1000, UTC).date()
    except (OverflowError, ValueError, OSError):
        return newest
    return min(max(day, oldest), newest)


async def _count(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    for table, rest in (
        (TrafficMinuteRow, {"second": 0, "microsecond": 0}),
        (TrafficHourRow, {"minute": 0, "second": 0, "microsecond": 0}),
    ):
        counts = Counter(
            (
                row["time"].astimezone(UTC).replace(**rest),
                row["gateway_id"],
                row["action"] or "",
                row["outcome"],
            )
            for row in rows
        )
        statement = insert(table)
        statement = statement.on_conflict_do_update(
            index_elements=["start", "gateway_id", "action", "outcome"],
            set_={"count": table.count + statement.excluded.count},
        )
        names = ("start", "gateway_id", "action", "outcome")
        values = [
            {**dict(zip(names, key, strict=True)), "count": n} for key, n in sorted(counts.items())
        ]
        if values:
            await session.execute(statement, values)


async def page(
    session: AsyncSession, filters: Filters, *, before: tuple[datetime, str] | None, most: int
) -> list[TrafficRow]:
    """Records, newest first.

    Args:
        session: any.
        filters: which.
        before: time and id of the last one that was seen.
        most: how many at the most.
    """
    conditions = filters.conditions()
    if before is not None:
        conditions.append(tuple_(TrafficRow.time, TrafficRow.id) < before)
        conditions.append(TrafficRow.day <= (before[0] + timedelta(days=1)).date())
    return await _newest(session, conditions, most)


async def newer(
    session: AsyncSession, filters: Filters, *, after: tuple[datetime, str] | None, most: int
) -> list[TrafficRow]:
    """Records that are newer than one, newest first.

    Args:
        session: any.
        filters: which.
        after: time and id of the last one that was seen; None for the newest of all.
        most: how many at the most: the newest ones.
    """
    conditions = filters.conditions()
    if after is not None:
        conditions.append(tuple_(TrafficRow.time, TrafficRow.id) > after)
        conditions.append(TrafficRow.day >= (after[0] - timedelta(days=1)).date())
    return await _newest(session, conditions, most)


async def _newest(
    session: AsyncSession, conditions: list[ColumnElement[bool]], most: int
) -> list[TrafficRow]:
    rows = await session.scalars(
        select(TrafficRow)
        .where(*conditions)
        .order_by(TrafficRow.time.desc(), TrafficRow.id.desc())
        .limit(most)
    )
    return list(rows)


async def find(session: AsyncSession, record_id: str) -> TrafficRow | None:
    """The record with an id; None when there is none."""
    return (
        await session.scalars(select(TrafficRow).where(TrafficRow.id == record_id).limit(1))
    ).one_or_none()


async def export(session: AsyncSession, filters: Filters) -> AsyncIterator[TrafficRow]:
    """Every record that is asked for, newest first, a thousand at a time."""
    before = None
    while True:
        rows = await page(session, filters, before=before, most=_AT_ONCE)
        for row in rows:
            yield row
        if len(rows) < _AT_ONCE:
            return
        before = rows[-1].time, rows[-1].id
        session.expunge_all()


async def prune(session: AsyncSession, keep: timedelta, now: datetime) -> int:
    """Forget what is older than `keep`; return how many days, or records, went."""
    oldest = (now - keep).date()
    midnight = datetime.combine(oldest, datetime.min.time(), UTC)
    for table in (TrafficMinuteRow, TrafficHourRow):
        await session.execute(delete(table).where(table.start < midnight))
    if session.get_bind().dialect.name == "postgresql":
        return await partitions.drop_before(session, oldest)
    gone = await session.execute(
        text("DELETE FROM traffic WHERE day < :oldest RETURNING 1"),
        {"oldest": oldest.isoformat()},
    )
    return len(gone.all())
