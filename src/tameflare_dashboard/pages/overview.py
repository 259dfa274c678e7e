"""The first page: how much there is, what waits, what is stopped."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from tameflare_dashboard.api.gateways import shown
from tameflare_dashboard.pages.here import Here, SeenPage
from tameflare_dashboard.store import approvals, gateways, kill_switches, series

__all__ = ["router"]

router = APIRouter()

_RANGES = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
}
_DAY, _HOUR = timedelta(days=1), 3600
_HELD = ("approved", "expired", "cancelled", "pending", "would_hold")
_MOST_ACTIONS = 8


@router.get("/")
async def overview(here: SeenPage, range: str = "24h") -> HTMLResponse:  # noqa: A002
    """Everything at a glance, for a span of time."""
    chosen = range if range in _RANGES else "24h"
    return await here.page(
        "overview.html", ranges=_RANGES, chosen=chosen, **await _figures(here, chosen)
    )


@router.get("/overview/figures")
async def figures(here: SeenPage, range: str = "24h") -> HTMLResponse:  # noqa: A002
    """The figures again, for a page that is open."""
    chosen = range if range in _RANGES else "24h"
    return here.part("overview_figures.html", chosen=chosen, **await _figures(here, chosen))


async def _figures(here: Here, chosen: str) -> dict[str, Any]:
    now = here.backend.clock()
    since = now - _RANGES[chosen][1]
    step = series.step_for(since, now)
    if now - since >= _DAY:
        # By whole hours, which are counted already: of ten million records, the minutes of a day
        # alone would take longer than the page may.
        since, step = since.replace(minute=0, second=0, microsecond=0), _HOUR
    async with here.backend.reading() as session:
        points = await series.over_time(session, since=since, until=now, step=step)
        recent = await series.over_time(
            session, since=now - timedelta(minutes=2), until=now, step=60
        )
        top = await series.top_actions(session, since=since, until=now, most=_MOST_ACTIONS)
        denied = await series.top_actions(
            session, since=since, until=now, outcome="denied", most=_MOST_ACTIONS
        )
        rows = [shown(row, now) for row in await gateways.listed(session)]
        waiting = await approvals.pending_count(session)
        stopped = len(await kill_switches.active(session))
    counts: Counter[str] = Counter()
    for point in points:
        counts.update(point.counts)
    return {
        "counts": counts,
        "total": sum(counts.values()),
        "held": sum(counts[outcome] for outcome in _HELD),
        "rate": sum(sum(point.counts.values()) for point in recent[-2:]) / 120,
        "since": since,
        "until": now,
        "chart": _chart(points, since.timestamp(), now.timestamp(), step),
        "top": top,
        "top_denied": denied,
        "gateways": rows,
        "waiting": waiting,
        "stopped": stopped,
    }


def _chart(points: list[series.Point], since: float, until: float, step: int) -> dict[str, Any]:
    """Columns for the chart: times, and the counts of what passed, was refused and was held."""
    found = {int(point.time.timestamp()): point.counts for point in points}
    times = list(range(int(since // step * step), int(until) + 1, step))
    columns: dict[str, list[int]] = {"passed": [], "refused": [], "held": []}
    for time in times:
        here = found.get(time, {})
        passed = here.get("forwarded", 0) + here.get("would_deny", 0) + here.get("answered", 0)
        held = sum(here.get(outcome, 0) for outcome in _HELD)
        columns["passed"].append(passed)
        columns["held"].append(held)
        columns["refused"].append(sum(here.values()) - passed - held)
    return {"times": times, **columns}
