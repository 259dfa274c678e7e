"""Approvals: what waits for a human, and what was answered."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from tameflare_core.approval import ApprovalState
from tameflare_dashboard.api.approvals import Approval, shown
from tameflare_dashboard.api.fields import Id
from tameflare_dashboard.api.paging import newest_first
from tameflare_dashboard.db.models import ApprovalRow
from tameflare_dashboard.pages.here import Here, SeenPage
from tameflare_dashboard.store import approvals

__all__ = ["router"]

router = APIRouter()

_MOST_WAITING = 100
_ROWS = 50


@router.get("/approvals")
async def queue(here: SeenPage) -> HTMLResponse:
    """What waits, the one that expires first at the top."""
    return await here.page("approvals.html", waiting=await _waiting(here))


@router.get("/approvals/queue")
async def queue_again(here: SeenPage) -> HTMLResponse:
    """The queue again, for a page that is open."""
    return here.part("approvals_queue.html", waiting=await _waiting(here))


@router.get("/approvals/count")
async def count(here: SeenPage) -> HTMLResponse:
    """How many wait, as every page says it in its menu."""
    async with here.backend.reading() as session:
        pending = await approvals.pending_count(session)
    return here.part("approvals_count.html", pending=pending)


@router.get("/approvals/history")
async def history(here: SeenPage, cursor: str | None = None) -> HTMLResponse:
    """What was answered, newest first."""
    query = select(ApprovalRow).where(ApprovalRow.state != ApprovalState.PENDING.value)
    async with here.backend.reading() as session:
        page = await newest_first(
            session,
            query,
            (ApprovalRow.created, ApprovalRow.id),
            lambda row: (row.created, row.id),
            shown,
            cursor=cursor,
            limit=_ROWS,
        )
    return await here.page("approvals_history.html", items=page.items, older=page.next)


@router.get("/approvals/{id}")
async def one(here: SeenPage, id: Id) -> HTMLResponse:  # noqa: A002
    """One approval, as links in messages lead to it."""
    async with here.backend.reading() as session:
        approval = shown(await approvals.find(session, id))
    return await here.page("approvals_one.html", approval=approval)


async def _waiting(here: Here) -> list[Approval]:
    query = (
        select(ApprovalRow)
        .where(ApprovalRow.state == ApprovalState.PENDING.value)
        .order_by(ApprovalRow.expires, ApprovalRow.id)
        .limit(_MOST_WAITING)
    )
    async with here.backend.reading() as session:
        return [shown(row) for row in await session.scalars(query)]
