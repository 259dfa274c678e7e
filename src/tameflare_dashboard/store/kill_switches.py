"""Kill switches of the organization."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.kill_switch import KillScope, KillSwitch
from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import KillSwitchRow
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.problems import not_found
from tameflare_dashboard.store import approvals

__all__ = ["activate", "active", "close_held", "end", "listed", "switch_of"]


def switch_of(row: KillSwitchRow) -> KillSwitch:
    """A kill switch as gateways know it."""
    return KillSwitch(
        id=row.id, scope=KillScope.parse(row.scope), reason=row.reason, by=row.by, at=row.at
    )


async def active(session: AsyncSession) -> list[KillSwitchRow]:
    """What is stopped now, oldest first."""
    rows = await session.scalars(
        select(KillSwitchRow)
        .where(KillSwitchRow.ended.is_(None))
        .order_by(KillSwitchRow.at, KillSwitchRow.id)
    )
    return list(rows)


async def listed(session: AsyncSession, *, most: int = 200) -> list[KillSwitchRow]:
    """Those that are active and those that were, newest first."""
    rows = await session.scalars(
        select(KillSwitchRow).order_by(KillSwitchRow.at.desc(), KillSwitchRow.id.desc()).limit(most)
    )
    return list(rows)


async def activate(tx: Transaction, scope: KillScope, reason: str) -> KillSwitchRow:
    """Stop what `scope` names: gateways hear it at once.

    What they hold is closed by `close_held`, in a transaction of its own: however much that is,
    nobody waits for it to stop.

    Raises:
        ValueError: the reason is empty or too long.
    """
    switch = KillSwitch.new(scope, reason=reason, by=tx.actor.name, at=tx.now)
    row = KillSwitchRow(
        id=switch.id,
        scope=str(scope),
        reason=reason,
        by=switch.by,
        at=tx.now,
        ended=None,
        ended_by=None,
    )
    tx.session.add(row)
    await tx.session.flush()
    await tx.audit(
        "kill_switch.activate",
        f"kill_switch:{row.id}",
        after={"scope": row.scope, "reason": reason},
    )
    tx.announce(Change(kind=ChangeKind.KILL_SWITCH))
    return row


async def close_held(tx: Transaction, row: KillSwitchRow) -> None:
    """Close the approvals that a kill switch stops."""
    await approvals.kill(tx, switch_of(row))


async def end(tx: Transaction, switch_id: str) -> None:
    """End a kill switch.

    Raises:
        Problem: 404 when none with this id is active.
    """
    row = (
        await tx.session.scalars(
            select(KillSwitchRow)
            .where(KillSwitchRow.id == switch_id, KillSwitchRow.ended.is_(None))
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise not_found("active kill switch", switch_id)
    row.ended, row.ended_by = tx.now, tx.actor.name
    await tx.session.flush()
    await tx.audit(
        "kill_switch.deactivate",
        f"kill_switch:{row.id}",
        before={"scope": row.scope, "reason": row.reason},
    )
    tx.announce(Change(kind=ChangeKind.KILL_SWITCH))
