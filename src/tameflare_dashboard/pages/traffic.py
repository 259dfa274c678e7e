"""Traffic: what was asked for, what became of it, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tameflare_core.errors import TameflareError
from tameflare_core.explanation import Asked
from tameflare_dashboard.api.fields import Id
from tameflare_dashboard.api.paging import read_cursor, write_cursor
from tameflare_dashboard.db.models import TrafficRow
from tameflare_dashboard.pages.here import Here, SeenPage
from tameflare_dashboard.pages.trials import asked_about
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import gateways, traffic

__all__ = ["router"]

router = APIRouter()

_ROWS = 50
_MOST_NEW = 200
_SPANS = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
}
_CHOICES = {
    "decision": ("allow", "deny", "require_approval"),
    "outcome": (
        *("forwarded", "denied", "approved", "expired", "cancelled", "killed", "rejected"),
        *("failed", "abandoned", "pending", "answered", "would_deny", "would_hold"),
    ),
    "risk": ("low", "medium", "high", "critical"),
}


class _Wanted(BaseModel):
    """The filters in a page's address; what is empty filters nothing."""

    model_config = ConfigDict(extra="ignore")

    gateway: str | None = Field(default=None, max_length=200)
    connector: str | None = Field(default=None, max_length=200)
    action: str | None = Field(default=None, max_length=200)
    method: str | None = Field(default=None, max_length=40)
    host: str | None = Field(default=None, max_length=255)
    decision: str | None = Field(default=None, max_length=40)
    outcome: str | None = Field(default=None, max_length=40)
    status: int | None = Field(default=None, ge=100, le=999)
    risk: str | None = Field(default=None, pattern="^(low|medium|high|critical)$")
    approval: str | None = Field(default=None, max_length=80)
    span: str | None = Field(default=None, pattern="^(15m|1h|24h|7d)$")
    since: datetime | None = None
    until: datetime | None = None


class _Asked:
    """The filters of one request, as far as they can be understood."""

    def __init__(self, here: Here) -> None:
        given = {key: value for key, value in here.request.query_params.items() if value.strip()}
        self.mistakes: dict[str, str] = {}
        try:
            self.wanted = _Wanted.model_validate(given)
        except ValidationError as error:
            for item in error.errors():
                name = str(item["loc"][0])
                self.mistakes[name] = item["msg"]
                given.pop(name, None)
            self.wanted = _Wanted.model_validate(given)
        self.given = {key: given[key] for key in _Wanted.model_fields if key in given}

    def since(self, now: datetime) -> datetime | None:
        """From when."""
        if self.wanted.since is None and self.wanted.span is not None:
            return now - _SPANS[self.wanted.span][1]
        return _zoned(self.wanted.since)

    async def filters(self, here: Here) -> traffic.Filters | None:
        """What to ask the database for; None when nothing can be found."""
        wanted = self.wanted
        gateway_id = None
        if wanted.gateway is not None:
            try:
                async with here.backend.reading() as session:
                    gateway_id = (await gateways.find(session, wanted.gateway)).id
            except Problem as problem:
                self.mistakes["gateway"] = problem.detail
                return None
        return traffic.Filters(
            gateway_id=gateway_id,
            connector=wanted.connector,
            action=wanted.action,
            method=None if wanted.method is None else wanted.method.upper(),
            host=wanted.host,
            decision=wanted.decision,
            outcome=wanted.outcome,
            status=wanted.status,
            risk=wanted.risk,
            approval_id=wanted.approval,
            since=self.since(here.backend.clock()),
            until=_zoned(wanted.until),
        )


@router.get("/traffic")
async def listed(here: SeenPage, cursor: str | None = None) -> HTMLResponse:
    """Records by filters, newest first."""
    asked = _Asked(here)
    filters = await asked.filters(here)
    rows: list[TrafficRow] = []
    async with here.backend.reading() as session:
        names = [row.name for row in await gateways.listed(session)]
        if filters is not None:
            rows = await traffic.page(session, filters, before=read_cursor(cursor), most=_ROWS + 1)
    more = len(rows) > _ROWS
    rows = rows[:_ROWS]
    since = asked.since(here.backend.clock())
    return await here.page(
        "traffic.html",
        asked=asked.given,
        exported={**asked.given, "span": "", "since": since.isoformat() if since else ""},
        mistakes=asked.mistakes,
        names=names,
        choices=_CHOICES,
        spans=_SPANS,
        rows=rows,
        cursor=cursor,
        older=write_cursor(rows[-1].time, rows[-1].id) if more else None,
        newest=write_cursor(rows[0].time, rows[0].id) if rows else "",
    )


@router.get("/traffic/rows")
async def rows_since(here: SeenPage, after: str = "") -> HTMLResponse:
    """Records that have come since one, newest first, for a page that follows them."""
    asked = _Asked(here)
    filters = await asked.filters(here)
    rows: list[TrafficRow] = []
    if filters is not None:
        last = read_cursor(after or None)
        async with here.backend.reading() as session:
            rows = await traffic.newer(session, filters, after=last, most=_MOST_NEW)
    return here.part(
        "traffic_rows.html",
        rows=rows,
        newest=write_cursor(rows[0].time, rows[0].id) if rows else after,
    )


@router.get("/traffic/{id}")
async def one(here: SeenPage, id: Id) -> HTMLResponse:  # noqa: A002
    """One record: the verdict, where the time went, and what today's rules say."""
    async with here.backend.reading() as session:
        row = await traffic.find(session, id)
        if row is None:
            raise not_found("traffic record", id)
        gateway = next(
            (each for each in await gateways.listed(session) if each.id == row.gateway_id), None
        )
        today = None
        if gateway is not None and row.host is not None and row.document["scheme"]:
            today = await _today(here, session, gateway.document, row.document)
    values = {"record": row.document, "gateway": gateway, "today": today}
    if here.request.headers.get("hx-request"):
        return here.part("traffic_record.html", **values)
    return await here.page("traffic_one.html", **values)


async def _today(here: Here, session: Any, document: str, record: dict[str, Any]) -> Any:
    standard = {"https": 443, "http": 80}.get(record["scheme"])
    port = "" if record["port"] == standard else f":{record['port']}"
    url = f"{record['scheme']}://{record['host']}{port}{record['path'] or '/'}"
    try:
        about = await gateways.checked(here.backend, session, document)
    except (TameflareError, Problem):
        return None
    question = Asked(method=record["method"] or "GET", url=url)
    return asked_about(about.gateway, question, here.backend.clock())


def _zoned(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
