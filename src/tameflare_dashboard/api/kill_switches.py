"""Kill switches: whoever may answer approvals can stop; only an owner starts again."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from tameflare_core.kill_switch import REASON_LENGTH, KillScope
from tameflare_dashboard.api.fields import Body, Id, MayKill, MaySee, MayUnkill
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.models import KillSwitchRow
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import kill_switches

__all__ = ["router"]

router = APIRouter(tags=["kill switches"])


class KillSwitch(Body):
    """A kill switch, active or ended."""

    id: str = Field(examples=["ks_abcdefghijkl"])
    scope: str = Field(examples=["gateway:prod-agent"])
    reason: str
    by: str
    at: datetime
    ended: datetime | None
    ended_by: str | None


class NewKillSwitch(Body):
    """What shall stop, and why."""

    scope: Annotated[str, Field(max_length=300)] = Field(
        description="`org`, `gateway:NAME`, `connector:ID` or `action:PATTERN`.",
        examples=["action:github.pr.*"],
    )
    reason: Annotated[str, Field(min_length=1, max_length=REASON_LENGTH)]


@router.get("/kill-switches", summary="Kill switches")
async def listed(
    backend: BackendHere,
    _: MaySee,
    active: Annotated[bool, Query(description="Only those that are active.")] = True,
) -> list[KillSwitch]:
    """What is stopped, oldest first; or also what was, newest first."""
    async with backend.reading() as session:
        rows = await (kill_switches.active(session) if active else kill_switches.listed(session))
    return [_shown(row) for row in rows]


@router.post("/kill-switches", status_code=201, summary="Stop")
async def activate(backend: BackendHere, principal: MayKill, new: NewKillSwitch) -> KillSwitch:
    """Stop what the scope names, in every gateway, at once."""
    try:
        scope = KillScope.parse(new.scope)
        async with backend.changing(principal.actor) as tx:
            row = await kill_switches.activate(tx, scope, new.reason)
        async with backend.changing(principal.actor) as tx:
            await kill_switches.close_held(tx, row)
    except ValueError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", str(error)[:500]
        ) from None
    return _shown(row)


@router.delete("/kill-switches/{id}", status_code=204, summary="Start again")
async def end(backend: BackendHere, principal: MayUnkill, id: Id) -> None:  # noqa: A002
    """End a kill switch."""
    async with backend.changing(principal.actor) as tx:
        await kill_switches.end(tx, id)


def _shown(row: KillSwitchRow) -> KillSwitch:
    return KillSwitch(
        id=row.id,
        scope=row.scope,
        reason=row.reason,
        by=row.by,
        at=row.at,
        ended=row.ended,
        ended_by=row.ended_by,
    )
