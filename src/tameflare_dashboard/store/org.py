"""The organization: its name, its settings, and what it adds to every gateway."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import OrgPolicyRow, OrgRow
from tameflare_dashboard.documents import Additions
from tameflare_dashboard.ids import new_id

__all__ = ["additions", "ensure", "load"]


async def ensure(tx: Transaction) -> OrgRow:
    """The organization, made when the database is new."""
    row = (await tx.session.scalars(select(OrgRow).limit(1))).one_or_none()
    if row is None:
        row = OrgRow(
            id=new_id("org"),
            name="TameFlare",
            created=tx.now,
            version=1,
            settings={},
            blocked_categories=[],
        )
        tx.session.add(row)
        await tx.session.flush()
        await tx.audit("org.create", f"org:{row.id}", after={"name": row.name})
    return row


async def load(session: AsyncSession, *, lock: bool = False) -> OrgRow:
    """The organization."""
    query = select(OrgRow).limit(1)
    return (await session.scalars(query.with_for_update() if lock else query)).one()


async def additions(session: AsyncSession) -> Additions:
    """What it adds to every gateway."""
    blocked = await session.scalar(select(OrgRow.blocked_categories).limit(1))
    policies = await session.scalars(select(OrgPolicyRow.document).order_by(OrgPolicyRow.name))
    return Additions(blocked_categories=tuple(blocked or ()), policies=tuple(policies))
