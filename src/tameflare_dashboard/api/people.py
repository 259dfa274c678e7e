"""Users and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from tameflare_dashboard.api.fields import Body, Email, Id, MayAdminister, MaySee, Name
from tameflare_dashboard.api.versions import IfMatch, check_version, tag
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.db.models import InvitationRow, UserRow
from tameflare_dashboard.problems import not_found
from tameflare_dashboard.store import invitations, users

__all__ = ["router"]

router = APIRouter(tags=["users"])

type _UserKey = Annotated[str, Path(max_length=320, description="The user's id or address.")]


class User(Body):
    """Somebody who can log in."""

    id: str = Field(examples=["usr_7h3kq2m5w4n6p7r8s9t2"])
    email: str
    name: str
    role: UserRole
    active: bool
    slack_user: str | None
    created: datetime
    last_login: datetime | None


class UserChange(Body):
    """What shall be different about a user; what is left out stays."""

    name: Name | None = None
    role: UserRole | None = None
    active: bool | None = Field(default=None, description="Whoever is not is logged out at once.")
    slack_user: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,30}$")] | None = Field(
        default=None, description="The id of their Slack user, who may then answer there."
    )


class Invitation(Body):
    """An invitation that is open."""

    id: str
    email: str
    role: UserRole
    invited_by: str
    created: datetime
    expires: datetime


class NewInvitation(Body):
    """Somebody to invite."""

    email: Email
    role: UserRole


class MadeInvitation(Invitation):
    """An invitation that was made; its link is told this once."""

    link: str


@router.get("/users", summary="All users")
async def all_users(backend: BackendHere, _: MaySee) -> list[User]:
    """Everybody who can log in, by address."""
    async with backend.reading() as session:
        return [_shown(row) for row in await users.listed(session)]


@router.get("/users/{user}", summary="One user")
async def one_user(response: Response, backend: BackendHere, _: MaySee, user: _UserKey) -> User:
    """A user, by id or address."""
    async with backend.reading() as session:
        row = await users.find(session, user)
    tag(response, row.version)
    return _shown(row)


@router.patch("/users/{user}", summary="Change a user")
async def change_user(
    response: Response,
    backend: BackendHere,
    principal: MayAdminister,
    user: _UserKey,
    change: UserChange,
    if_match: IfMatch = None,
) -> User:
    """Change a user's name, role or Slack user, or lock them out."""
    async with backend.changing(principal.actor) as tx:
        row = await users.find(tx.session, user, lock=True)
        check_version(if_match, row.version)
        values = change.model_dump(exclude_unset=True, mode="json")
        kept = {k: v for k, v in values.items() if v is not None or k == "slack_user"}
        await users.change(tx, row, **kept)
    tag(response, row.version)
    return _shown(row)


@router.delete("/users/{user}", status_code=204, summary="Remove a user")
async def remove_user(
    backend: BackendHere, principal: MayAdminister, user: _UserKey, if_match: IfMatch = None
) -> None:
    """Remove a user. What they did stays in the audit log."""
    async with backend.changing(principal.actor) as tx:
        row = await users.find(tx.session, user, lock=True)
        check_version(if_match, row.version)
        await users.remove(tx, row)


@router.get("/invitations", summary="Open invitations")
async def open_invitations(backend: BackendHere, _: MayAdminister) -> list[Invitation]:
    """Everybody who was invited and has not come yet."""
    async with backend.reading() as session:
        rows = await invitations.listed(session, backend.clock())
    return [_invitation(row) for row in rows]


@router.post("/invitations", status_code=201, summary="Invite somebody")
async def invite(
    backend: BackendHere, principal: MayAdminister, new: NewInvitation
) -> MadeInvitation:
    """Make a link by which somebody can become a user within seven days."""
    async with backend.changing(principal.actor) as tx:
        row, token = await invitations.create(tx, email=new.email, role=new.role)
    link = f"{backend.settings.public_url}/invitations/{token}"
    return MadeInvitation(**_invitation(row).model_dump(), link=link)


@router.delete("/invitations/{id}", status_code=204, summary="Take an invitation back")
async def withdraw(backend: BackendHere, principal: MayAdminister, id: Id) -> None:  # noqa: A002
    """Make the link of an invitation void."""
    async with backend.changing(principal.actor) as tx:
        if not await invitations.withdraw(tx, id):
            raise not_found("invitation", id)


def _shown(row: UserRow) -> User:
    return User(
        id=row.id,
        email=row.email,
        name=row.name,
        role=UserRole(row.role),
        active=row.active,
        slack_user=row.slack_user,
        created=row.created,
        last_login=row.last_login,
    )


def _invitation(row: InvitationRow) -> Invitation:
    return Invitation(
        id=row.id,
        email=row.email,
        role=UserRole(row.role),
        invited_by=row.invited_by,
        created=row.created,
        expires=row.expires,
    )
