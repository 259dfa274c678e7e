"""What is one's own: password, sessions, personal access tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from tameflare_dashboard.api.access import PasswordsHere
from tameflare_dashboard.api.fields import Body, Id, MaySee, Name, Password
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.models import PersonalTokenRow
from tameflare_dashboard.problems import Problem, not_found
from tameflare_dashboard.store import personal_tokens, sessions, users

__all__ = ["router"]

router = APIRouter(tags=["my account"])


class PasswordChange(Body):
    """The password that is, and the one that shall be."""

    current: Annotated[str, Field(max_length=256)]
    new: Password


class OpenSession(Body):
    """A session of mine."""

    id: str
    created: datetime
    seen: datetime
    expires: datetime
    address: str
    agent: str
    current: bool


class PersonalToken(Body):
    """A personal access token, without the token."""

    id: str
    name: str
    created: datetime
    expires: datetime | None
    used: datetime | None


class NewPersonalToken(Body):
    """A token to make."""

    name: Name = Field(examples=["deploy script"])
    days: Annotated[int, Field(ge=1, le=366)] | None = Field(
        default=90, description="How long it is good; null for as long as it is not revoked."
    )


class MadePersonalToken(PersonalToken):
    """A token that was made; the token itself is told this once."""

    token: str = Field(examples=["tfpat_…"])


@router.post("/me/password", status_code=204, summary="Change my password")
async def change_password(
    backend: BackendHere, principal: MaySee, passwords: PasswordsHere, change: PasswordChange
) -> None:
    """Change the password; every other session of mine ends."""
    async with backend.reading() as session:
        stored = (await users.find(session, principal.user_id)).password_hash
    if not await passwords.matches(stored, change.current):
        raise Problem(HTTPStatus.FORBIDDEN, "wrong-login", "the current password is another one")
    hashed = await passwords.hash(change.new)
    async with backend.changing(principal.actor) as tx:
        user = await users.find(tx.session, principal.user_id, lock=True)
        user.password_hash = hashed
        await sessions.end_all(tx, user.id, but=principal.session_id)
        await tx.audit("user.change_password", f"user:{user.id}")


@router.get("/me/sessions", summary="My sessions")
async def my_sessions(backend: BackendHere, principal: MaySee) -> list[OpenSession]:
    """Where I am logged in."""
    async with backend.reading() as session:
        rows = await sessions.listed(session, principal.user_id, backend.clock())
    return [
        OpenSession(
            id=row.id,
            created=row.created,
            seen=row.seen,
            expires=row.expires,
            address=row.address,
            agent=row.agent,
            current=row.id == principal.session_id,
        )
        for row in rows
    ]


@router.delete("/me/sessions/{id}", status_code=204, summary="End a session of mine")
async def end_session(backend: BackendHere, principal: MaySee, id: Id) -> None:  # noqa: A002
    """Log out somewhere else."""
    async with backend.changing(principal.actor) as tx:
        if not await sessions.end(tx, principal.user_id, id):
            raise not_found("session", id)
        await tx.audit("session.end", f"user:{principal.user_id}")


@router.get("/me/tokens", summary="My personal access tokens")
async def my_tokens(backend: BackendHere, principal: MaySee) -> list[PersonalToken]:
    """The tokens that act as me."""
    async with backend.reading() as session:
        rows = await personal_tokens.listed(session, principal.user_id)
    return [PersonalToken(**_shown(row)) for row in rows]


@router.post("/me/tokens", status_code=201, summary="Make a personal access token")
async def make_token(
    backend: BackendHere, principal: MaySee, new: NewPersonalToken
) -> MadePersonalToken:
    """Make a token that acts as me. It is shown this once."""
    async with backend.changing(principal.actor) as tx:
        expires = None if new.days is None else tx.now + timedelta(days=new.days)
        row, token = await personal_tokens.create(
            tx, principal.user_id, name=new.name, expires=expires
        )
    return MadePersonalToken(**_shown(row), token=token)


@router.delete("/me/tokens/{id}", status_code=204, summary="Revoke a personal access token")
async def revoke_token(backend: BackendHere, principal: MaySee, id: Id) -> None:  # noqa: A002
    """Make a token of mine void at once."""
    async with backend.changing(principal.actor) as tx:
        if not await personal_tokens.revoke(tx, principal.user_id, id):
            raise not_found("token", id)


def _shown(row: PersonalTokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "created": row.created,
        "expires": row.expires,
        "used": row.used,
    }
