"""Approvals: what waits, and the answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from tameflare_core.approval import LONGEST_GRANT, ApprovalState
from tameflare_dashboard.api.fields import Body, Id, MayAnswer, MaySee
from tameflare_dashboard.api.paging import Cursor, Limit, Page, newest_first
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.models import ApprovalRow
from tameflare_dashboard.store import approvals

__all__ = ["Approval", "router", "shown"]

router = APIRouter(tags=["approvals"])


class Approval(Body):
    """A request that waits, or waited, for a human.

    What comes from the agent in it (URL, body, parameters) is bounded and has nothing in it that
    could mislead: control characters, and whatever changes the direction of text, are escaped.
    """

    id: str = Field(examples=["apv_2f6c0b5a9d3e4f17"])
    state: ApprovalState
    gateway: str
    method: str
    url: str
    body: str
    connector: str
    reason: str
    rule: dict[str, Any] | None
    actions: list[dict[str, Any]]
    roles: list[str] | None = Field(description="Who may answer; null for all who answer any.")
    can_be_widened: bool = Field(description="Whether it can be approved for a while.")
    created: datetime
    expires: datetime
    answered: datetime | None
    by: str
    note: str
    widened: float | None


class Approve(Body):
    """How a request is approved."""

    note: Annotated[str, Field(max_length=approvals.NOTE_LENGTH)] = ""
    for_seconds: Annotated[float, Field(gt=0, le=LONGEST_GRANT, allow_inf_nan=False)] | None = (
        Field(default=None, description="Let the same pass for a while without asking again.")
    )


class Deny(Body):
    """How a request is denied."""

    note: Annotated[str, Field(max_length=approvals.NOTE_LENGTH)] = Field(
        default="", description="The agent is told it."
    )


@router.get("/approvals", summary="Approvals")
async def listed(
    backend: BackendHere,
    _: MaySee,
    state: Annotated[ApprovalState | None, Query(description="Only those.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Approval]:
    """Approvals, newest first."""
    query = select(ApprovalRow)
    if state is not None:
        query = query.where(ApprovalRow.state == state.value)
    async with backend.reading() as session:
        return await newest_first(
            session,
            query,
            (ApprovalRow.created, ApprovalRow.id),
            lambda row: (row.created, row.id),
            shown,
            cursor=cursor,
            limit=limit,
        )


@router.get("/approvals/{id}", summary="One approval")
async def one(backend: BackendHere, _: MaySee, id: Id) -> Approval:  # noqa: A002
    """An approval with everything that is to be known about it."""
    async with backend.reading() as session:
        return shown(await approvals.find(session, id))


@router.post("/approvals/{id}/approve", summary="Approve")
async def approve(
    backend: BackendHere,
    principal: MayAnswer,
    id: Id,  # noqa: A002
    answer: Approve,
) -> Approval:
    """Let the request go: it leaves at once, exactly as it is shown. The first answer stands."""
    async with backend.changing(principal.actor) as tx:
        row = await approvals.answer(
            tx,
            principal,
            id,
            ApprovalState.APPROVED,
            note=answer.note,
            widened=answer.for_seconds,
        )
    return shown(row)


@router.post("/approvals/{id}/deny", summary="Deny")
async def deny(
    backend: BackendHere,
    principal: MayAnswer,
    id: Id,  # noqa: A002
    answer: Deny,
) -> Approval:
    """Refuse the request. The first answer stands."""
    async with backend.changing(principal.actor) as tx:
        row = await approvals.answer(tx, principal, id, ApprovalState.DENIED, note=answer.note)
    return shown(row)


def shown(row: ApprovalRow) -> Approval:
    """An approval as people see it."""
    request = row.request
    return Approval(
        id=row.id,
        state=ApprovalState(row.state),
        gateway=request["gateway"],
        method=request["method"],
        url=request["url"],
        body=request["body"],
        connector=request["connector"],
        reason=request["reason"],
        rule=request["rule"],
        actions=request["actions"],
        roles=row.roles,
        can_be_widened=request["subjects"] is not None,
        created=row.created,
        expires=row.expires,
        answered=row.answered,
        by=row.by,
        note=row.note,
        widened=row.widened,
    )
