"""Logging a command in: it shows a code, and its user confirms that where they are logged in.

The form of RFC 8628, without its parameters that only a browser-less television needs.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from http import HTTPStatus

from sqlalchemy import delete, select

from tameflare_core.tokens import token_digest
from tameflare_dashboard.backend import Transaction
from tameflare_dashboard.db.models import LoginCodeRow, UserRow
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import personal_tokens

__all__ = ["INTERVAL", "LIFETIME", "TOKEN_LIFETIME", "confirm", "redeem", "start"]

LIFETIME = timedelta(minutes=10)
"""How long a code can be confirmed."""

INTERVAL = 2
"""Seconds between two questions of a command whether its code was confirmed."""

TOKEN_LIFETIME = timedelta(days=90)
"""How long the token that comes of it is good."""

# Neither vowels, so that no word comes out, nor what looks like something else.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


async def start(tx: Transaction, *, name: str) -> tuple[str, str]:
    """Begin a login.

    Args:
        tx: the transaction.
        name: what the token will be called, like the machine's name.

    Returns:
        The code that the command keeps, and the one that it shows.
    """
    await tx.session.execute(delete(LoginCodeRow).where(LoginCodeRow.expires <= tx.now))
    device = secrets.token_urlsafe(32)
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    user_code = f"{letters[:4]}-{letters[4:]}"
    tx.session.add(
        LoginCodeRow(
            device_digest=token_digest(device),
            user_code=user_code,
            name=name,
            user_id=None,
            created=tx.now,
            expires=tx.now + LIFETIME,
        )
    )
    return device, user_code


async def confirm(tx: Transaction, user_code: str, user_id: str) -> str:
    """Confirm a login; return what it is called.

    Raises:
        Problem: 404 when there is no such code, or it was confirmed already.
    """
    code = user_code.strip().upper()
    row = (
        await tx.session.scalars(
            select(LoginCodeRow)
            .where(
                LoginCodeRow.user_code == code,
                LoginCodeRow.user_id.is_(None),
                LoginCodeRow.expires > tx.now,
            )
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise not_found("login code", code)
    row.user_id = user_id
    return row.name


async def redeem(tx: Transaction, device: str) -> str | None:
    """The token of a login that was confirmed, once; None while it is not.

    Raises:
        Problem: 410 when the code is unknown or too old.
    """
    row = (
        await tx.session.scalars(
            select(LoginCodeRow)
            .where(LoginCodeRow.device_digest == token_digest(device))
            .with_for_update()
        )
    ).one_or_none()
    if row is None or row.expires <= tx.now:
        raise Problem(HTTPStatus.GONE, "code-not-usable", "the code is too old: run `tf login`")
    if row.user_id is None:
        return None
    active = await tx.session.scalar(select(UserRow.active).where(UserRow.id == row.user_id))
    user_id, name = row.user_id, row.name
    await tx.session.delete(row)
    if not active:
        raise Problem(HTTPStatus.GONE, "code-not-usable", "the user is no longer active")
    _, token = await personal_tokens.create(tx, user_id, name=name, expires=tx.now + TOKEN_LIFETIME)
    return token
