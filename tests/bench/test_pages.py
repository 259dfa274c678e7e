"""Pages of a control plane with ten million records (TAMEFLARE_BENCH_ROWS), as a browser gets them.

Measured at a client on the same machine, so that the figures are more than the server's time.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tameflare_dashboard.db import migrate
from tameflare_dashboard.db.session import Database
from tameflare_dashboard.settings import Settings
from tests.bench.test_traffic_store import ROWS, fill
from tests.browser.stage import furnish
from tests.dashboard.conftest import serving
from tests.postgres import Postgres

TRIES = 20
PAGES = (
    "/",
    "/?range=1h",
    "/?range=7d",
    "/overview/figures?range=24h",
    "/traffic",
    "/traffic?span=24h&risk=high",
    "/traffic?span=7d&outcome=denied",
    "/traffic?action=github.pr.*&status=200",
    "/approvals",
    "/approvals/history",
    "/gateways",
    "/gateways/prod-agent",
    "/gateways/prod-agent/permissions",
    "/gateways/prod-agent/document",
    "/kill-switches",
    "/audit",
    "/team",
    "/settings",
    "/account",
)


async def filled(url: str) -> None:
    database = Database(url)
    await fill(database, datetime.now(UTC))
    await database.close()


def test_pages_with_many_records(
    tmp_path: Path, postgres: Postgres, print_table: Callable[[str, Sequence[Sequence[str]]], None]
) -> None:
    url = postgres.database()
    migrate.upgrade(url)
    asyncio.run(filled(url))
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    rows = [("page", "median ms", "p95 ms", "KB")]
    with serving(Settings(database_url=url, folder=folder)) as plane:
        furnish(plane)
        for path in PAGES:
            times, size = [], 0
            for _ in range(TRIES):
                began = time.perf_counter()
                answer = plane.owner.get(path)
                times.append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, path
                size = len(answer.content)
            p95 = statistics.quantiles(times, n=20)[-1]
            row = (path, f"{statistics.median(times):.1f}", f"{p95:.1f}", f"{size / 1024:.0f}")
            rows.append(row)
    print_table(f"pages with {ROWS:,} records on PostgreSQL", rows)
