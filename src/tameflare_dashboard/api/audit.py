"""The audit log: who changed or decided what, and the proof that nobody changed the log."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import select

from tameflare_core.audit.chain import ChainCheck
from tameflare_core.audit.export import csv_line, event_line, head_line
from tameflare_dashboard.api.fields import Body, MaySee
from tameflare_dashboard.api.paging import Limit, Page
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.db.models import AuditEventRow
from tameflare_dashboard.store import audit

__all__ = ["router"]

router = APIRouter(tags=["audit"])


class AuditFormat(enum.StrEnum):
    """How the log is written into a file."""

    JSONL = "jsonl"
    CSV = "csv"


class AuditCheck(Body):
    """Whether the log is whole."""

    whole: bool
    events: int = Field(description="How many events were found to be whole.")
    signed: int = Field(description="Up to which event a signed checkpoint covers the log.")
    seq: int | None = Field(description="The first event that is not as it was.")
    problem: str
    public_key: str = Field(description="Ed25519, base64: keep it elsewhere to check exports by.")


@router.get("/audit", summary="Events")
async def listed(
    backend: BackendHere,
    _: MaySee,
    actor: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    verb: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    object: Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]*$")] = None,  # noqa: A002
    cursor: Annotated[
        str | None, Query(pattern=r"^[0-9]{1,15}$", description="`next` of the page before.")
    ] = None,
    limit: Limit = 50,
) -> Page[dict[str, Any]]:
    """What was changed or decided, newest first."""
    query = select(AuditEventRow).order_by(AuditEventRow.seq.desc()).limit(limit + 1)
    for column, value in (
        (AuditEventRow.actor, actor),
        (AuditEventRow.verb, verb),
        (AuditEventRow.object, object),
    ):
        if value is not None:
            query = query.where(column == value)
    if cursor is not None:
        query = query.where(AuditEventRow.seq < int(cursor))
    async with backend.reading() as session:
        rows = list(await session.scalars(query))
    more = len(rows) > limit
    return Page(
        items=[audit.event_of(row).to_dict() for row in rows[:limit]],
        next=str(rows[limit - 1].seq) if more else None,
    )


@router.get("/audit/verify", summary="Is the log whole?")
async def verify(backend: BackendHere, _: MaySee) -> AuditCheck:
    """Look at every event: whether any was deleted, edited or put elsewhere."""
    async with backend.reading() as session:
        check = ChainCheck(await audit.checkpoints(session), backend.audit_key.public)
        async for event in audit.events(session):
            if not check.add(event):
                break
    result = check.end()
    return AuditCheck(
        whole=result.whole,
        events=result.events,
        signed=result.signed,
        seq=result.seq,
        problem=result.problem,
        public_key=backend.audit_key.public.text,
    )


@router.get(
    "/audit/export",
    summary="The log as a file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}, "text/csv": {}}}},
)
async def export(
    backend: BackendHere,
    _: MaySee,
    format: AuditFormat = AuditFormat.JSONL,  # noqa: A002
) -> StreamingResponse:
    """The whole log. `tf audit verify FILE` checks one in JSON Lines."""
    return StreamingResponse(
        _lines(backend, as_csv=format is AuditFormat.CSV),
        media_type="text/csv; charset=utf-8" if format is AuditFormat.CSV else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="audit.{format.value}"'},
    )


async def _lines(backend: Backend, *, as_csv: bool) -> AsyncIterator[str]:
    async with backend.reading() as session:
        if as_csv:
            yield csv_line(None)
        else:
            yield head_line(backend.audit_key.public, await audit.checkpoints(session))
        async for event in audit.events(session):
            yield csv_line(event) if as_csv else event_line(event)
