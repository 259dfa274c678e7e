"""`/api/gateway/approvals`: a gateway asks, waits, and takes its question back."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from tameflare_core.action import Access, Risk
from tameflare_core.decision import Role
from tameflare_core.kill_switch import KillSwitches
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.db.models import ApprovalRow
from tameflare_dashboard.db.storable import storable
from tameflare_dashboard.gateway_api.caller import CallerHere
from tameflare_dashboard.gateway_api.dispatch import Dispatch
from tameflare_dashboard.problems import not_found
from tameflare_dashboard.store import approvals, instances, kill_switches

__all__ = ["router"]

_LONGEST_WAIT = 30.0

router = APIRouter()

type _Id = Annotated[str, Field(pattern=r"^apv_[A-Za-z0-9_-]{1,60}$")]


class HeldAction(BaseModel):
    """One action of a held request."""

    name: str = Field(max_length=200)
    access: Access
    risk: Risk
    risk_score: float = 0
    categories: list[str] = []
    resource: dict[str, str] = {}
    params: dict[str, str] = {}
    decision: str = Field(max_length=20)


class NewApproval(BaseModel):
    """A request that a gateway holds."""

    id: _Id
    revision: str = Field(max_length=64)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: datetime
    timeout: float = Field(gt=0, le=86_400)
    roles: list[Role] | None = None
    method: str = Field(max_length=40)
    url: str = Field(max_length=2_000, description="As it may be shown.")
    body: str = Field(default="", max_length=20_000, description="A bounded, harmless preview.")
    connector: str = Field(max_length=200)
    reason: str = Field(max_length=2_000)
    rule: dict[str, Any] | None = None
    actions: list[HeldAction] = Field(min_length=1, max_length=1_000)
    subjects: list[dict[str, Any]] | None = None


class ApprovalAnswer(BaseModel):
    """How an approval stands."""

    id: str
    state: str = Field(examples=["approved"])
    by: str = Field(examples=["ana@example.com"])
    note: str
    widened: float | None


@router.post(
    "/approvals",
    status_code=201,
    summary="Hold a request",
    responses={200: {"description": "This approval is known already.", "model": ApprovalAnswer}},
)
async def open_(
    backend: BackendHere, caller: CallerHere, response: Response, new: NewApproval
) -> ApprovalAnswer:
    """Ask people about a request that the gateway holds."""
    async with backend.changing(caller.actor) as tx:
        if caller.instance:
            await instances.note(tx, caller.instance, caller.proxy)
        document = storable({**new.model_dump(mode="json"), "created": new.created.isoformat()})
        if not await approvals.open_(tx, caller.gateway, caller.instance, document):
            response.status_code = 200
        row = await approvals.find(tx.session, new.id)
    return _answer(row)


@router.get("/approvals/{id}", summary="Wait for the answer")
async def wait(
    request: Request,
    backend: BackendHere,
    caller: CallerHere,
    id: Annotated[str, Path(max_length=64)],  # noqa: A002  # the parameter's name in the path
    seconds: Annotated[float, Query(alias="wait", ge=0, le=_LONGEST_WAIT)] = 0.0,
) -> ApprovalAnswer:
    """How an approval stands; with `wait`, once it has ended or that many seconds are over."""
    dispatch: Dispatch = request.app.state.dispatch
    with dispatch.waiting_for(id) as changed:
        answer = await _current(backend, caller.gateway.id, id)
        if answer.state != "pending" or not seconds:
            return answer
        try:
            async with asyncio.timeout(seconds):
                while answer.state == "pending":
                    await changed.wait()
                    changed.clear()
                    answer = await _current(backend, caller.gateway.id, id)
        except TimeoutError:
            pass
    return answer


@router.delete("/approvals/{id}", status_code=204, summary="Hold it no longer")
async def withdraw(
    backend: BackendHere,
    caller: CallerHere,
    id: Annotated[str, Path(max_length=64)],  # noqa: A002
) -> None:
    """End an approval whose request the gateway no longer holds."""
    async with backend.changing(caller.actor) as tx:
        active = await kill_switches.active(tx.session)
        switches = KillSwitches(map(kill_switches.switch_of, active))
        await approvals.withdraw(tx, caller.gateway, id, switches)


async def _current(backend: Backend, gateway: str, approval: str) -> ApprovalAnswer:
    async with backend.reading() as session:
        row = await approvals.find(session, approval)
    if row.gateway_id != gateway:
        raise not_found("approval", approval)
    return _answer(row)


def _answer(row: ApprovalRow) -> ApprovalAnswer:
    return ApprovalAnswer(id=row.id, state=row.state, by=row.by, note=row.note, widened=row.widened)
