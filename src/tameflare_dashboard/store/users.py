"""Users: how they come to be, change and go."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import UserRow
from tameflare_dashboard.ids import new_id
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import personal_tokens, sessions

__all__ = [
    "any_user",
    "by_email",
    "change",
    "create",
    "find",
    "listed",
    "normal_email",
    "remove",
    "shown",
]


def normal_email(email: str) -> str:
    """An address as it is compared and kept."""
    return email.strip().lower()


def shown(user: UserRow) -> dict[str, Any]:
    """A user as the audit log shows them."""
    return {
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "active": user.active,
        "slack_user": user.slack_user,
    }


async def any_user(session: AsyncSession) -> bool:
    """Whether there is a user at all."""
    return (await session.scalar(select(UserRow.id).limit(1))) is not None


async def listed(session: AsyncSession) -> list[UserRow]:
    """Every user, by address."""
    return list(await session.scalars(select(UserRow).order_by(UserRow.email)))


async def by_email(session: AsyncSession, email: str) -> UserRow | None:
    """The user with an address."""
    return (
        await session.scalars(select(UserRow).where(UserRow.email == normal_email(email)))
    ).one_or_none()


async def find(session: AsyncSession, user_id: str, *, lock: bool = False) -> UserRow:
    """The user with an id or address.

    Raises:
        Problem: 404.
    """
    query = select(UserRow).where(
        (UserRow.id == user_id) | (UserRow.email == normal_email(user_id))
    )
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise not_found("user", user_id)
    return row


async def create(
    tx: Transaction, *, email: str, name: str, role: UserRole, password_hash: str
) -> UserRow:
    """Make a user.

    Raises:
        Problem: 409 when the address is taken.
    """
    if await by_email(tx.session, email) is not None:
        raise Problem(HTTPStatus.CONFLICT, "taken", f"there is a user `{email}` already")
    user = UserRow(
        id=new_id("usr"),
        email=normal_email(email),
        name=name,
        role=role.value,
        password_hash=password_hash,
        active=True,
        slack_user=None,
        created=tx.now,
        last_login=None,
        version=1,
    )
    tx.session.add(user)
    await tx.session.flush()
    await tx.audit("user.create", f"user:{user.id}", after=shown(user))
    return user


async def change(tx: Transaction, user: UserRow, **values: Any) -> None:
    """Change a user; whoever is no longer active is logged out everywhere.

    Args:
        tx: the transaction.
        user: who, locked.
        **values: columns to set.

    Raises:
        Problem: 409 when nobody could administer the organization any more, or a Slack user is
            another one's.
    """
    before = shown(user)
    slack = values.get("slack_user")
    if slack is not None:
        owner = await tx.session.scalar(select(UserRow.id).where(UserRow.slack_user == slack))
        if owner not in {None, user.id}:
            raise Problem(HTTPStatus.CONFLICT, "taken", f"`{slack}` is another user's")
    loses = user.role == UserRole.OWNER and user.active
    for column, value in values.items():
        setattr(user, column, value)
    if loses and not (user.role == UserRole.OWNER and user.active):
        await _check_other_owner(tx.session, user.id)
    user.version += 1
    if not user.active:
        await _log_out(tx, user.id)
    await tx.session.flush()
    await tx.audit("user.update", f"user:{user.id}", before=before, after=shown(user))


async def remove(tx: Transaction, user: UserRow) -> None:
    """Remove a user; what they did stays in the audit log.

    Raises:
        Problem: 409 when nobody could administer the organization any more.
    """
    if user.role == UserRole.OWNER and user.active:
        await _check_other_owner(tx.session, user.id)
    await _log_out(tx, user.id)
    await tx.audit("user.delete", f"user:{user.id}", before=shown(user))
    await tx.session.delete(user)


async def _check_other_owner(session: AsyncSession, user_id: str) -> None:
    # The rows are locked, so that two owners cannot take each other's role at the same time.
    others = await session.scalars(
        select(UserRow.id)
        .where(UserRow.role == UserRole.OWNER.value, UserRow.active, UserRow.id != user_id)
        .with_for_update()
    )
    if not others.all():
        raise Problem(
            HTTPStatus.CONFLICT,
            "last-owner",
            "this is the last owner: make somebody else an owner first",
        )


async def _log_out(tx: Transaction, user_id: str) -> None:
    await sessions.end_all(tx, user_id)
    await personal_tokens.revoke_all(tx, user_id)


async def count(session: AsyncSession) -> int:
    """How many users there are."""
    return (await session.scalar(select(func.count()).select_from(UserRow))) or 0
