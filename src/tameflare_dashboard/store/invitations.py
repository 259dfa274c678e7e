"""Invitations, and the one-time link by which the first owner comes in."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from http import HTTPStatus

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_core.tokens import token_digest
from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import InvitationRow
from tameflare_dashboard.ids import new_id
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import users

__all__ = ["LIFETIME", "accept", "create", "create_setup", "listed", "withdraw"]

LIFETIME = timedelta(days=7)
"""How long an invitation is good."""

_SETUP_LIFETIME = timedelta(days=1)


async def create_setup(tx: Transaction) -> str:
    """A fresh link token for the first owner; whichever process gave theirs, the first one counts.

    Raises:
        Problem: 409 when there is a user already.
    """
    if await users.any_user(tx.session):
        raise Problem(HTTPStatus.CONFLICT, "set-up-already", "this control plane has an owner")
    await tx.session.execute(
        delete(InvitationRow).where(InvitationRow.setup, InvitationRow.expires <= tx.now)
    )
    return await _add(tx, "", UserRole.OWNER, setup=True, expires=tx.now + _SETUP_LIFETIME)


async def create(tx: Transaction, *, email: str, role: UserRole) -> tuple[InvitationRow, str]:
    """Invite somebody; an earlier invitation of theirs is void.

    Returns:
        What is kept, and the token of the link, which is not.

    Raises:
        Problem: 409 when they are a user already.
    """
    email = users.normal_email(email)
    if await users.by_email(tx.session, email) is not None:
        raise Problem(HTTPStatus.CONFLICT, "taken", f"there is a user `{email}` already")
    await tx.session.execute(
        delete(InvitationRow).where(InvitationRow.email == email, InvitationRow.accepted.is_(None))
    )
    token = await _add(tx, email, role, setup=False, expires=tx.now + LIFETIME)
    row = await _of(tx.session, token)
    assert row is not None
    await tx.audit(
        "invitation.create", f"invitation:{row.id}", after={"email": email, "role": role.value}
    )
    return row, token


async def accept(
    tx: Transaction, token: str, *, setup: bool, email: str, name: str, password_hash: str
) -> str:
    """Make the user of an invitation.

    Args:
        tx: the transaction.
        token: from the link.
        setup: whether it is the first owner's link.
        email: the first owner's address; others have theirs in the invitation.
        name: the user's name.
        password_hash: of the password that they chose.

    Returns:
        The user's id.

    Raises:
        Problem: 410 when the link is unknown, used or too old, all in the same words.
    """
    row = await _of(tx.session, token, lock=True)
    first = setup and await users.any_user(tx.session)
    if row is None or row.setup != setup or row.accepted or row.expires <= tx.now or first:
        raise Problem(
            HTTPStatus.GONE,
            "link-not-usable",
            "this link is unknown, used or too old: ask for another one",
        )
    row.accepted = tx.now
    user = await users.create(
        tx,
        email=email if setup else row.email,
        name=name,
        role=UserRole(row.role),
        password_hash=password_hash,
    )
    return user.id


async def listed(session: AsyncSession, now: datetime) -> list[InvitationRow]:
    """The invitations that are open, newest first."""
    rows = await session.scalars(
        select(InvitationRow)
        .where(InvitationRow.accepted.is_(None), InvitationRow.expires > now, ~InvitationRow.setup)
        .order_by(InvitationRow.created.desc(), InvitationRow.id)
    )
    return list(rows)


async def withdraw(tx: Transaction, invitation_id: str) -> bool:
    """Take an invitation back; False when there is none that is open."""
    email = (
        await tx.session.execute(
            delete(InvitationRow)
            .where(InvitationRow.id == invitation_id, InvitationRow.accepted.is_(None))
            .returning(InvitationRow.email)
        )
    ).scalar_one_or_none()
    if email is None:
        return False
    await tx.audit("invitation.delete", f"invitation:{invitation_id}", before={"email": email})
    return True


async def _add(
    tx: Transaction, email: str, role: UserRole, *, setup: bool, expires: datetime
) -> str:
    token = secrets.token_urlsafe(32)
    tx.session.add(
        InvitationRow(
            id=new_id("inv"),
            digest=token_digest(token),
            email=email,
            role=role.value,
            setup=setup,
            invited_by=tx.actor.name,
            created=tx.now,
            expires=expires,
            accepted=None,
        )
    )
    await tx.session.flush()
    return token


async def _of(session: AsyncSession, token: str, *, lock: bool = False) -> InvitationRow | None:
    query = select(InvitationRow).where(InvitationRow.digest == token_digest(token))
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
