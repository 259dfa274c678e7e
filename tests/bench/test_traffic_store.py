"""Traffic records into each database, and out of one with ten million.

TAMEFLARE_BENCH_ROWS says with how many rows the queries are tried; ten million unless it does.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.db import migrate
from tameflare_dashboard.db.models import GatewayRow
from tameflare_dashboard.db.session import Database
from tameflare_dashboard.store import partitions, series, traffic
from tests.dashboard.gateway_api.test_traffic import record
from tests.postgres import Postgres

type Show = Callable[[str, Sequence[Sequence[str]]], None]

ROWS = int(os.environ.get("TAMEFLARE_BENCH_ROWS", "10000000"))
BATCHES = 30
DAYS = 10
TRIES = 40

# As ingestion leaves them, made by the database itself: ten million rows over a line would take
# longer than all the rest.
FILL = """
INSERT INTO traffic (day, id, time, gateway_id, connector, action, risk, method, host, decision,
                     outcome, status, approval_id, judge_ms, hold_ms, upstream_ms, document)
SELECT (at AT TIME ZONE 'UTC')::date,
       lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '-7'
           || lpad(n::text, 22, '0'),
       at, 'gw_' || (n % 50), 'github',
       'github.' || (ARRAY['repo.get','pr.merge','issue.create'])[n % 3 + 1],
       (ARRAY['low','medium','high'])[n % 3 + 1], 'GET', 'api.github.com', 'allow',
       CASE WHEN n % 20 = 0 THEN 'denied' ELSE 'forwarded' END, 200, NULL, 0.1, 0, 12.5,
       jsonb_build_object(
           'id', lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '-7'
               || lpad(n::text, 22, '0'),
           'time', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"'),
           'gateway', 'gw-' || (n % 50), 'method', 'GET', 'host', 'api.github.com',
           'path', '/repos/o/r', 'outcome', 'forwarded', 'status', 200, 'judge_ms', 0.1,
           'hold_ms', 0, 'upstream_ms', 12.5, 'actions', jsonb_build_array(jsonb_build_object(
               'name', 'github.repo.get', 'access', 'read', 'risk', 'low')))
FROM (SELECT n, CAST(:start AS timestamptz) + n * CAST(:step AS interval) AS at
      FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n) AS made
"""
COUNT = """
INSERT INTO traffic_{name} (start, gateway_id, action, outcome, count)
SELECT date_trunc('{unit}', time), gateway_id, action, outcome, count(*)
FROM traffic GROUP BY 1, 2, 3, 4
"""


def batch(now: datetime) -> list[traffic.NewRecord]:
    made = []
    for _ in range(1000):
        at = now - timedelta(seconds=random.random() * 3600)
        stamp = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62 | random.getrandbits(61)
        document = record(at)
        made.append(
            traffic.NewRecord(
                id=str(uuid.UUID(int=stamp)), time=at, document={**document, "id": str(stamp)}
            )
        )
    return made


async def with_gateway(database: Database, now: datetime) -> GatewayRow:
    row = GatewayRow(
        id="gw_1",
        name="prod-agent",
        environment="",
        document="",
        version=1,
        created=now,
        updated=now,
    )
    async with database.write() as session:
        session.add(row)
    return row


async def rate(url: str) -> float:
    database, now = Database(url), datetime.now(UTC)
    gateway = await with_gateway(database, now)
    batches = [batch(now) for _ in range(BATCHES)]
    began = time.perf_counter()
    for records in batches:
        async with database.write() as session:
            assert await traffic.ingest(session, gateway, records, now) == 1000
    seconds = time.perf_counter() - began
    await database.close()
    return BATCHES * 1000 / seconds


def test_records_into_each_database(tmp_path: Path, postgres: Postgres, print_table: Show) -> None:
    sqlite = f"sqlite:///{tmp_path / 'bench.db'}"
    migrate.upgrade(sqlite)
    rows = [("database", "records/s")]
    for name, url in (("sqlite", sqlite), ("postgresql", postgres.database())):
        rows.append((name, f"{asyncio.run(rate(url)):,.0f}"))
    print_table("traffic records in, batches of 1,000", rows)


async def timed(
    database: Database, ask: Callable[[AsyncSession], Awaitable[Any]]
) -> tuple[float, int]:
    times, found = [], 0
    for _ in range(TRIES):
        async with database.read() as session:
            began = time.perf_counter()
            found = len(await ask(session))
            times.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(times, n=20)[-1], found


async def fill(database: Database, now: datetime) -> float:
    """Make the rows, evenly over `DAYS`; return the seconds that it took."""
    start = (now - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    step = (now - start) / ROWS
    began = time.perf_counter()
    async with database.write() as session:
        days = {(start + timedelta(days=n)).date() for n in range(DAYS + 1)}
        await partitions.ensure(session, days)
    for first in range(0, ROWS, 500_000):
        async with database.write() as session:
            last = min(first + 500_000, ROWS) - 1
            given = {"start": start, "step": step, "first": first, "last": last}
            await session.execute(text(FILL), given)
    async with database.write() as session:
        for unit in ("minute", "hour"):
            await session.execute(text(COUNT.format(name=f"{unit}s", unit=unit)))
        await session.execute(text("ANALYZE traffic, traffic_minutes, traffic_hours"))
    return time.perf_counter() - began


async def queries(url: str) -> list[tuple[str, ...]]:
    database, now = Database(url), datetime.now(UTC)
    seconds = await fill(database, now)
    rows = [("query", "p95 ms", "found")]
    rows.append(("(making the rows)", f"{seconds * 1000:,.0f}", f"{ROWS:,}"))
    before = now - timedelta(days=3), "f"
    week = now - timedelta(days=7)
    asked: dict[str, Callable[[AsyncSession], Awaitable[Any]]] = {
        "list, newest": lambda s: traffic.page(s, traffic.Filters(), before=None, most=50),
        "list, a page further back": lambda s: traffic.page(
            s, traffic.Filters(), before=before, most=50
        ),
        "list, one gateway": lambda s: traffic.page(
            s, traffic.Filters(gateway_id="gw_7"), before=None, most=50
        ),
        "list, denied of one action": lambda s: traffic.page(
            s, traffic.Filters(outcome="denied", action="github.pr.merge"), before=None, most=50
        ),
        "list, one gateway, nothing found": lambda s: traffic.page(
            s, traffic.Filters(gateway_id="gw_none"), before=None, most=50
        ),
        "chart, a day": lambda s: series.over_time(
            s, since=now - timedelta(days=1), until=now, step=300
        ),
        "chart, a week": lambda s: series.over_time(s, since=week, until=now, step=3600),
        "chart, a week of one gateway": lambda s: series.over_time(
            s, since=week, until=now, step=3600, gateway_id="gw_7"
        ),
        "top actions, a day": lambda s: series.top_actions(
            s, since=now - timedelta(days=1), until=now
        ),
    }
    for name, ask in asked.items():
        p95, found = await timed(database, ask)
        rows.append((name, f"{p95:.1f}", str(found)))
    await database.close()
    return rows


def test_queries_with_many_rows(postgres: Postgres, print_table: Show) -> None:
    print_table("queries on PostgreSQL", asyncio.run(queries(postgres.database())))
