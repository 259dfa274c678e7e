"""Failed logins, counted so that guessing takes too long."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from http import HTTPStatus

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from tameflare_dashboard.db.models import AttemptRow
from tameflare_dashboard.ids import new_id
from tameflare_dashboard.problems import Problem

__all__ = ["MOST_PER_ACCOUNT", "MOST_PER_ADDRESS", "WINDOW", "check", "failed", "forget"]

WINDOW = timedelta(minutes=15)
"""How long a failure counts."""

MOST_PER_ACCOUNT = 10
"""Failures on one account before it has to wait."""

MOST_PER_ADDRESS = 50
"""Failures from one address before it has to wait."""


async def check(session: AsyncSession, email: str, address: str, now: datetime) -> None:
    """Refuse a login when there were too many failures.

    Raises:
        Problem: 429, with when to try again.
    """
    for subject, most in (
        (_subject("account", email), MOST_PER_ACCOUNT),
        (_subject("address", address), MOST_PER_ADDRESS),
    ):
        count, oldest = (
            await session.execute(
                select(func.count(), func.min(AttemptRow.at)).where(
                    AttemptRow.subject == subject, AttemptRow.at > now - WINDOW
                )
            )
        ).one()
        if count >= most:
            seconds = max(1, int((oldest + WINDOW - now).total_seconds()) + 1)
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-logins",
                f"too many failed logins: try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )


async def failed(session: AsyncSession, email: str, address: str, now: datetime) -> None:
    """Count a failure, and forget those that no longer count."""
    for subject in (_subject("account", email), _subject("address", address)):
        session.add(AttemptRow(id=new_id("att"), subject=subject, at=now))
    await session.execute(delete(AttemptRow).where(AttemptRow.at <= now - WINDOW))


async def forget(session: AsyncSession, email: str) -> None:
    """Forget the failures on an account, whose user has come in."""
    await session.execute(
        delete(AttemptRow).where(AttemptRow.subject == _subject("account", email))
    )


def _subject(kind: str, value: str) -> str:
    # What people type into the wrong field may be a password.
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:40]}"
