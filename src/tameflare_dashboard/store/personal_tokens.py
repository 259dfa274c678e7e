"""Personal access tokens: what commands and programs of a user identify themselves with."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.tokens import new_personal_token, token_digest
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.backend import Backend, Transaction
from tameflare_dashboard.db.models import PersonalTokenRow, UserRow
from tameflare_dashboard.ids import new_id

__all__ = ["create", "find", "listed", "revoke", "revoke_all"]

_NOTED_EVERY = timedelta(minutes=5)


async def create(
    tx: Transaction, user_id: str, *, name: str, expires: datetime | None
) -> tuple[PersonalTokenRow, str]:
    """Make a token.

    Args:
        tx: the transaction.
        user_id: whose it is.
        name: what it is for.
        expires: until when it is good; None for as long as it is not revoked.

    Returns:
        What is kept, and the token, which is not.
    """
    token = new_personal_token()
    row = PersonalTokenRow(
        id=new_id("pat"),
        digest=token_digest(token),
        user_id=user_id,
        name=name,
        created=tx.now,
        expires=expires,
        used=None,
    )
    tx.session.add(row)
    await tx.audit(
        "token.create", f"token:{row.id}", after={"name": name, "user": f"user:{user_id}"}
    )
    return row, token


async def find(backend: Backend, digest: bytes) -> Principal | None:
    """The user of a token that is good; None when there is none."""
    now = backend.clock()
    async with backend.reading() as session:
        found = (
            await session.execute(
                select(PersonalTokenRow, UserRow)
                .join(UserRow, UserRow.id == PersonalTokenRow.user_id)
                .where(PersonalTokenRow.digest == digest, UserRow.active)
            )
        ).one_or_none()
    if found is None:
        return None
    row, user = found
    if row.expires is not None and row.expires <= now:
        return None
    if row.used is None or now - row.used > _NOTED_EVERY:
        async with backend.database.write() as writing:
            await writing.execute(
                update(PersonalTokenRow).where(PersonalTokenRow.id == row.id).values(used=now)
            )
    return Principal(user_id=user.id, email=user.email, name=user.name, role=UserRole(user.role))


async def listed(session: AsyncSession, user_id: str) -> list[PersonalTokenRow]:
    """The tokens of a user, newest first."""
    rows = await session.scalars(
        select(PersonalTokenRow)
        .where(PersonalTokenRow.user_id == user_id)
        .order_by(PersonalTokenRow.created.desc(), PersonalTokenRow.id)
    )
    return list(rows)


async def revoke(tx: Transaction, user_id: str, token_id: str) -> bool:
    """Revoke a token of a user; False when there is none."""
    name = (
        await tx.session.execute(
            delete(PersonalTokenRow)
            .where(PersonalTokenRow.id == token_id, PersonalTokenRow.user_id == user_id)
            .returning(PersonalTokenRow.name)
        )
    ).scalar_one_or_none()
    if name is None:
        return False
    await tx.audit("token.revoke", f"token:{token_id}", before={"name": name})
    return True


async def revoke_all(tx: Transaction, user_id: str) -> None:
    """Revoke the tokens of a user."""
    await tx.session.execute(delete(PersonalTokenRow).where(PersonalTokenRow.user_id == user_id))
