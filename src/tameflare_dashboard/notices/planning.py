"""Which notices an approval brings, and that they are edited when it ends."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, update

from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import ApprovalRow, NoticeRow
from tameflare_dashboard.ids import new_id
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.notices import settings as noticing

__all__ = ["ended", "opened"]


async def opened(tx: Transaction, approval: ApprovalRow) -> None:
    """Plan who is told when about an approval that waits."""
    settings = await noticing.load(tx.session)
    for step in settings.steps:
        tx.session.add(
            NoticeRow(
                id=new_id("ntc"),
                approval_id=approval.id,
                channel=step.channel.value,
                due=tx.now + timedelta(seconds=step.after),
                attempts=0,
                sent_state=None,
                place=None,
                error=None,
            )
        )
    if settings.steps:
        await tx.session.flush()
        tx.announce(Change(kind=ChangeKind.NOTICE))


async def ended(tx: Transaction, approval_ids: list[str]) -> None:
    """Have what was told about approvals edited, and tell nobody else."""
    if not approval_ids:
        return
    about = NoticeRow.approval_id.in_(approval_ids)
    await tx.session.execute(
        delete(NoticeRow).where(about, NoticeRow.sent_state.is_(None), NoticeRow.attempts == 0)
    )
    edited = await tx.session.execute(
        update(NoticeRow).where(about).values(due=tx.now, attempts=0).returning(NoticeRow.id)
    )
    if edited.first() is not None:
        tx.announce(Change(kind=ChangeKind.NOTICE))
