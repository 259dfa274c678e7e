"""Traffic: records by filters, over time, and as a file."""

from __future__ import annotations

import csv
import enum
import io
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from tameflare_dashboard.api.fields import Body, MaySee
from tameflare_dashboard.api.paging import Cursor, Limit, Page, read_cursor, write_cursor
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import gateways, series, traffic

__all__ = ["router"]

router = APIRouter(tags=["traffic"])

_COLUMNS = (
    "time",
    "gateway",
    "method",
    "host",
    "path",
    "connector",
    "actions",
    "decision",
    "outcome",
    "status",
    "reason",
    "judge_ms",
    "hold_ms",
    "upstream_ms",
    "id",
)
# A spreadsheet takes a cell that starts with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

type _Text = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$")]


class ExportFormat(enum.StrEnum):
    """How records are written into a file."""

    JSONL = "jsonl"
    CSV = "csv"


class RiskFilter(enum.StrEnum):
    """How risky an action is at the least."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Point(Body):
    """One step of a chart."""

    time: datetime
    counts: dict[str, int] = Field(examples=[{"forwarded": 41, "denied": 2}])


class Series(Body):
    """Requests over time."""

    since: datetime
    until: datetime
    step: int = Field(description="Seconds of a step.")
    points: list[Point] = Field(description="Steps without a request are left out.")


class ActionCount(Body):
    """How often an action was asked for."""

    action: str
    count: int


class _Asked:
    """The filters of a request's query."""

    def __init__(
        self,
        gateway: Annotated[
            str | None, Query(max_length=200, description="Its id or its name.")
        ] = None,
        connector: _Text = None,
        action: Annotated[
            str | None,
            Query(max_length=200, description="A name, or the beginning of one before `*`."),
        ] = None,
        method: _Text = None,
        host: _Text = None,
        decision: _Text = None,
        outcome: _Text = None,
        status: Annotated[int | None, Query(ge=100, le=999)] = None,
        risk: Annotated[RiskFilter | None, Query(description="This or higher.")] = None,
        approval: _Text = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self.gateway = gateway
        self.values: dict[str, Any] = {
            "connector": connector,
            "action": action,
            "method": method,
            "host": host,
            "decision": decision,
            "outcome": outcome,
            "status": status,
            "risk": None if risk is None else risk.value,
            "approval_id": approval,
            "since": _moment("since", since),
            "until": _moment("until", until),
        }

    async def filters(self, backend: Backend) -> traffic.Filters:
        """What to ask the database for."""
        if "\0" in (self.gateway or "") + (self.values["action"] or ""):
            raise not_found("gateway", "")
        gateway_id = None
        if self.gateway is not None:
            async with backend.reading() as session:
                gateway_id = (await gateways.find(session, self.gateway)).id
        return traffic.Filters(gateway_id=gateway_id, **self.values)


type _AskedHere = Annotated[_Asked, Depends(_Asked)]


def _moment(name: str, time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if time.tzinfo is None or not 1971 <= time.year <= 9000:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            f"`{name}` is a time with a zone, like 2026-03-01T12:00:00Z",
        )
    return time


@router.get("/traffic", summary="Records")
async def listed(
    backend: BackendHere, _: MaySee, asked: _AskedHere, cursor: Cursor = None, limit: Limit = 50
) -> Page[dict[str, Any]]:
    """Traffic records, newest first: what each request was, the verdict, and where time went."""
    filters = await asked.filters(backend)
    async with backend.reading() as session:
        rows = await traffic.page(session, filters, before=read_cursor(cursor), most=limit + 1)
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Page(
        items=[row.document for row in rows[:limit]],
        next=None if last is None else write_cursor(last.time, last.id),
    )


@router.get("/traffic/series", summary="Requests over time")
async def over_time(
    backend: BackendHere,
    _: MaySee,
    gateway: Annotated[str | None, Query(max_length=200, pattern=r"^[a-z0-9_-]+$")] = None,
    action: _Text = None,
    since: datetime | None = None,
    until: datetime | None = None,
    step: Annotated[int | None, Query(ge=60, le=86_400, multiple_of=60)] = None,
) -> Series:
    """How many requests there were, by outcome: of the last day unless said otherwise."""
    end = _moment("until", until) or backend.clock()
    start = _moment("since", since) or end - timedelta(days=1)
    if end <= start:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "`until` is not after `since`"
        )
    seconds = step or series.step_for(start, end)
    if (end - start).total_seconds() / seconds > series.MOST_POINTS:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            f"these are more than {series.MOST_POINTS} steps: ask for longer ones",
        )
    async with backend.reading() as session:
        gateway_id = None if gateway is None else (await gateways.find(session, gateway)).id
        points = await series.over_time(
            session, since=start, until=end, step=seconds, gateway_id=gateway_id, action=action
        )
    return Series(
        since=start,
        until=end,
        step=seconds,
        points=[Point(time=point.time, counts=point.counts) for point in points],
    )


@router.get("/traffic/actions", summary="The most frequent actions")
async def top(
    backend: BackendHere,
    _: MaySee,
    outcome: _Text = None,
    since: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> list[ActionCount]:
    """What was asked for most, of the last day unless said otherwise."""
    end = backend.clock()
    start = _moment("since", since) or end - timedelta(days=1)
    async with backend.reading() as session:
        rows = await series.top_actions(
            session, since=start, until=end, outcome=outcome, most=limit
        )
    return [ActionCount(action=action, count=count) for action, count in rows]


@router.get(
    "/traffic/export",
    summary="Records as a file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}, "text/csv": {}}}},
)
async def export(
    backend: BackendHere,
    _: MaySee,
    asked: _AskedHere,
    format: ExportFormat = ExportFormat.JSONL,  # noqa: A002
) -> StreamingResponse:
    """Every record that the filters ask for, newest first."""
    filters = await asked.filters(backend)
    as_csv = format is ExportFormat.CSV
    return StreamingResponse(
        _lines(backend, filters, as_csv=as_csv),
        media_type="text/csv; charset=utf-8" if as_csv else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="traffic.{format.value}"'},
    )


@router.get("/traffic/{id}", summary="One record")
async def one(
    backend: BackendHere,
    _: MaySee,
    id: Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")],  # noqa: A002
) -> dict[str, Any]:
    """A traffic record, by the id that the agent got in `X-TameFlare-Request-Id`."""
    async with backend.reading() as session:
        row = await traffic.find(session, id)
    if row is None:
        raise not_found("traffic record", id)
    return row.document


async def _lines(backend: Backend, filters: traffic.Filters, *, as_csv: bool) -> AsyncIterator[str]:
    if as_csv:
        yield _row(_COLUMNS)
    async with backend.reading() as session:
        async for row in traffic.export(session, filters):
            document = row.document
            if as_csv:
                names = " ".join(action["name"] for action in document["actions"])
                cells = {**document, "actions": names}
                yield _row([_cell(cells.get(name)) for name in _COLUMNS])
            else:
                yield json.dumps(document, separators=(",", ":")) + "\n"


def _row(cells: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # type: ignore[arg-type]  # an iterable
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
