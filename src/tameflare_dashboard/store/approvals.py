"""Approvals: opened by gateways, answered by people, each ended once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.approval import LONGEST_GRANT, ApprovalState
from tameflare_core.kill_switch import KillSwitch, KillSwitches
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import ApprovalRow, GatewayRow
from tameflare_dashboard.documents import outline
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.notices import planning
from tameflare_dashboard.problems import Problem, not_found

__all__ = [
    "NOTE_LENGTH",
    "answer",
    "any_due",
    "cancel_of_instances",
    "event_of",
    "expire",
    "find",
    "kill",
    "open_",
    "pending_count",
    "withdraw",
]

NOTE_LENGTH = 500
"""Characters of an approver's note at the most."""

_SLACK = timedelta(seconds=1)


async def open_(
    tx: Transaction, gateway: GatewayRow, instance: str, document: dict[str, Any]
) -> bool:
    """Keep an approval that a gateway opens; False when it is known already.

    Args:
        tx: the transaction.
        gateway: whose it is.
        instance: the proxy process that holds the request.
        document: what the gateway says about it.

    Raises:
        Problem: 409 when another gateway has an approval with this id.
    """
    known = await tx.session.get(ApprovalRow, document["id"])
    if known is not None:
        if known.gateway_id != gateway.id:
            raise Problem(HTTPStatus.CONFLICT, "taken", "the approval's id is taken")
        return False
    row = ApprovalRow(
        id=document["id"],
        gateway_id=gateway.id,
        instance=instance,
        state=ApprovalState.PENDING.value,
        fingerprint=document["fingerprint"],
        request={"gateway": gateway.name, **document},
        roles=document["roles"],
        created=tx.now,
        # By this clock: that of the gateway may be another.
        expires=tx.now + timedelta(seconds=document["timeout"]),
        answered=None,
        by="",
        note="",
        widened=None,
    )
    tx.session.add(row)
    await tx.session.flush()
    await tx.audit(
        "approval.open",
        f"approval:{row.id}",
        after={
            "gateway": gateway.name,
            "actions": [action["name"] for action in document["actions"]],
            "method": document["method"],
            "url": document["url"],
            "reason": document["reason"],
            "fingerprint": row.fingerprint,
        },
    )
    _announce(tx, row)
    await planning.opened(tx, row)
    return True


async def find(session: AsyncSession, approval_id: str) -> ApprovalRow:
    """The approval with an id.

    Raises:
        Problem: 404.
    """
    row = await session.get(ApprovalRow, approval_id)
    if row is None:
        raise not_found("approval", approval_id)
    return row


async def answer(
    tx: Transaction,
    principal: Principal,
    approval_id: str,
    state: ApprovalState,
    *,
    note: str = "",
    widened: float | None = None,
) -> ApprovalRow:
    """Approve or deny; the first answer stands.

    Args:
        tx: the transaction.
        principal: who answers.
        approval_id: the approval.
        state: `approved` or `denied`.
        note: what they say to the agent.
        widened: seconds for which the same is to pass without asking again.

    Raises:
        Problem: 404; 403 when the approval is not for their role; 409 when it has ended, or cannot
            be widened.
    """
    row = await find(tx.session, approval_id)
    if row.roles is not None and principal.role.value not in row.roles:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "not-allowed",
            f"this approval is for {' or '.join(row.roles)} alone",
        )
    if widened is not None and row.request.get("subjects") is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "cannot-be-widened",
            "this approval is good for its one request: approve it once",
        )
    ended = await _end(
        tx,
        [ApprovalRow.id == approval_id, ApprovalRow.expires > tx.now],
        state,
        by=tx.actor.name,
        note=note,
        widened=None if widened is None else min(widened, LONGEST_GRANT),
    )
    if not ended:
        await tx.session.refresh(row)
        state_now = row.state if row.state != ApprovalState.PENDING else ApprovalState.EXPIRED.value
        who = f" by {row.by}" if row.by else ""
        raise Problem(
            HTTPStatus.CONFLICT, "answered-already", f"the approval is {state_now}{who} already"
        )
    return ended[0]


async def withdraw(
    tx: Transaction, gateway: GatewayRow, approval_id: str, switches: KillSwitches
) -> None:
    """End an approval that its gateway no longer holds.

    It is `killed` when a kill switch stops it, `expired` when its time is over, else `cancelled`.

    Args:
        tx: the transaction.
        gateway: whose it is.
        approval_id: the approval.
        switches: those that are active.

    Raises:
        Problem: 404.
    """
    row = await find(tx.session, approval_id)
    if row.gateway_id != gateway.id:
        raise not_found("approval", approval_id)
    which = [ApprovalRow.id == approval_id]
    switch = _stopped_by(switches, gateway.name, gateway.document, row.request)
    if switch is not None:
        await _end(tx, which, ApprovalState.KILLED, by=switch.by, note=switch.reason)
    elif row.expires <= tx.now + _SLACK:
        await _end(tx, which, ApprovalState.EXPIRED)
    else:
        await _end(tx, which, ApprovalState.CANCELLED)


async def any_due(session: AsyncSession, now: datetime) -> bool:
    """Whether an approval waits whose time is over."""
    found = await session.scalar(
        select(ApprovalRow.id)
        .where(ApprovalRow.state == ApprovalState.PENDING.value, ApprovalRow.expires <= now)
        .limit(1)
    )
    return found is not None


async def expire(tx: Transaction) -> int:
    """End what nobody answered in time; return how many there were."""
    return len(await _end(tx, [ApprovalRow.expires <= tx.now], ApprovalState.EXPIRED))


async def cancel_of_instances(tx: Transaction, instances: Sequence[str]) -> int:
    """End what proxy processes held that are gone; return how many there were."""
    if not instances:
        return 0
    return len(await _end(tx, [ApprovalRow.instance.in_(instances)], ApprovalState.CANCELLED))


async def kill(tx: Transaction, switch: KillSwitch) -> int:
    """End what a kill switch stops; return how many there were."""
    pending = await tx.session.execute(
        select(ApprovalRow.id, ApprovalRow.request, GatewayRow.name, GatewayRow.document)
        .join(GatewayRow, GatewayRow.id == ApprovalRow.gateway_id)
        .where(ApprovalRow.state == ApprovalState.PENDING.value)
    )
    switches = KillSwitches([switch])
    stopped = [
        approval_id
        for approval_id, request, name, document in pending
        if _stopped_by(switches, name, document, request) is not None
    ]
    ended = 0
    for start in range(0, len(stopped), 500):
        ended += len(
            await _end(
                tx,
                [ApprovalRow.id.in_(stopped[start : start + 500])],
                ApprovalState.KILLED,
                by=switch.by,
                note=switch.reason,
            )
        )
    return ended


def _stopped_by(
    switches: KillSwitches, gateway: str, document: str, request: dict[str, Any]
) -> KillSwitch | None:
    connector = request["connector"]
    kind = dict(outline(document).connectors).get(connector, connector)
    found = switches.for_connector(gateway, connector, kind)
    for action in request["actions"]:
        found = found or switches.for_action(action["name"])
    return found


async def pending_count(session: AsyncSession) -> int:
    """How many wait for an answer."""
    return (
        await session.scalar(
            select(func.count()).where(ApprovalRow.state == ApprovalState.PENDING.value)
        )
    ) or 0


async def _end(
    tx: Transaction,
    which: Sequence[Any],
    state: ApprovalState,
    *,
    by: str = "",
    note: str = "",
    widened: float | None = None,
) -> list[ApprovalRow]:
    """End pending approvals; whoever comes second finds none of them pending."""
    rows = list(
        await tx.session.scalars(
            update(ApprovalRow)
            .where(ApprovalRow.state == ApprovalState.PENDING.value, *which)
            .values(state=state.value, answered=tx.now, by=by, note=note, widened=widened)
            .returning(ApprovalRow)
            .execution_options(populate_existing=True)
        )
    )
    for row in rows:
        await tx.audit(
            f"approval.{_VERBS[state]}",
            f"approval:{row.id}",
            before={"state": ApprovalState.PENDING.value},
            after={"state": state.value, "note": note, "widened": widened, "by": by},
        )
        _announce(tx, row)
    await planning.ended(tx, [row.id for row in rows])
    return rows


_VERBS = {
    ApprovalState.APPROVED: "approve",
    ApprovalState.DENIED: "deny",
    ApprovalState.EXPIRED: "expire",
    ApprovalState.CANCELLED: "cancel",
    ApprovalState.KILLED: "kill",
}


def event_of(row: ApprovalRow) -> dict[str, Any]:
    """An approval as those who wait for it are told."""
    return {
        "id": row.id,
        "state": row.state,
        "by": row.by,
        "note": row.note,
        "widened": row.widened,
    }


def _announce(tx: Transaction, row: ApprovalRow) -> None:
    tx.announce(Change(kind=ChangeKind.APPROVAL, gateway=row.gateway_id, data=event_of(row)))
