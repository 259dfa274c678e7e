"""Coming in: set-up, login, invitations, and logging a command in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from tameflare_dashboard.api.fields import Body, Email, MaySee, Name, Password
from tameflare_dashboard.auth.gate import COOKIE, BackendHere, check_same_origin
from tameflare_dashboard.auth.passwords import Passwords
from tameflare_dashboard.auth.roles import UserRole
from tameflare_dashboard.backend import SYSTEM, Actor, Backend, Transaction
from tameflare_dashboard.db.models import UserRow
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import attempts, invitations, login_codes, org, sessions, users

__all__ = ["router"]

router = APIRouter(tags=["login"])


def _passwords(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


type PasswordsHere = Annotated[Passwords, Depends(_passwords)]


class SetupState(Body):
    """Whether the control plane waits for its first owner."""

    needed: bool


class Setup(Body):
    """The first owner."""

    token: Annotated[str, Field(max_length=200, description="From the one-time link.")]
    organization: Name
    email: Email
    name: Name
    password: Password


class Login(Body):
    """Who wants to come in."""

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(max_length=256)]


class Acceptance(Body):
    """What somebody who was invited chooses."""

    token: Annotated[str, Field(max_length=200, description="From the invitation's link.")]
    name: Name
    password: Password


class SessionState(Body):
    """A session that has begun, or goes on."""

    user: str = Field(examples=["usr_7h3kq2m5w4n6p7r8s9t2"])
    email: str
    name: str
    role: UserRole
    csrf: str = Field(description="To be sent as `X-CSRF-Token` with each write.")


class NewLoginCode(Body):
    """A command that wants to be logged in."""

    name: Name = Field(description="What its token will be called.", examples=["ana's laptop"])


class LoginCode(Body):
    """Two codes: one to keep, one to show."""

    device_code: str
    user_code: str = Field(examples=["BCDF-GHJK"])
    confirm_url: str
    expires_in: int = Field(description="Seconds.")
    interval: int = Field(description="Seconds between two questions.")


class DeviceCode(Body):
    """The code that the command kept."""

    device_code: Annotated[str, Field(max_length=200)]


class UserCode(Body):
    """The code that the command showed."""

    user_code: Annotated[str, Field(max_length=20)]


class LoggedIn(Body):
    """A token that was made for a command; None while nobody has confirmed."""

    token: str | None = None


class Confirmed(Body):
    """What was confirmed."""

    name: str


@router.get("/setup", summary="Is there an owner yet?")
async def setup_state(backend: BackendHere) -> SetupState:
    """Whether the control plane waits for its first owner."""
    async with backend.reading() as session:
        return SetupState(needed=not await users.any_user(session))


@router.post("/setup", status_code=201, summary="Become the first owner")
async def set_up(
    request: Request,
    response: Response,
    backend: BackendHere,
    passwords: PasswordsHere,
    setup: Setup,
) -> SessionState:
    """Make the first owner, with the one-time link that the control plane printed."""
    check_same_origin(request)
    hashed = await passwords.hash(setup.password)
    async with backend.changing(Actor(id="setup", name=users.normal_email(setup.email))) as tx:
        user_id = await invitations.accept(
            tx,
            setup.token,
            setup=True,
            email=setup.email,
            name=setup.name,
            password_hash=hashed,
        )
        owner = await org.load(tx.session, lock=True)
        owner.name = setup.organization
        user = await users.find(tx.session, user_id)
        return await _begin(tx, request, response, backend, user)


@router.post("/session", status_code=201, summary="Log in")
async def log_in(
    request: Request,
    response: Response,
    backend: BackendHere,
    passwords: PasswordsHere,
    login: Login,
) -> SessionState:
    """Begin a session. After too many failures an account, or an address, has to wait."""
    check_same_origin(request)
    email, address = users.normal_email(login.email), _address(request)
    async with backend.reading() as session:
        await attempts.check(session, email, address, backend.clock())
        found = await users.by_email(session, email)
    stored = found.password_hash if found is not None and found.active else None
    if not await passwords.matches(stored, login.password):
        async with backend.changing(SYSTEM) as tx:
            await attempts.failed(tx.session, email, address, tx.now)
            if found is not None:
                await tx.audit("session.refuse", f"user:{found.id}", after={"address": address})
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "wrong-login", "the address or the password is wrong"
        )
    assert found is not None
    async with backend.changing(Actor(id=f"user:{found.id}", name=found.email)) as tx:
        await attempts.forget(tx.session, email)
        user = await users.find(tx.session, found.id)
        user.last_login = tx.now
        return await _begin(tx, request, response, backend, user)


@router.get("/session", summary="Who am I?")
async def current(principal: MaySee) -> SessionState:
    """The user of the session, with the token for its writes."""
    return SessionState(
        user=principal.user_id,
        email=principal.email,
        name=principal.name,
        role=principal.role,
        csrf=principal.csrf,
    )


@router.delete("/session", status_code=204, summary="Log out")
async def log_out(response: Response, backend: BackendHere, principal: MaySee) -> None:
    """End the session."""
    if principal.session_id is not None:
        async with backend.changing(principal.actor) as tx:
            await sessions.end(tx, principal.user_id, principal.session_id)
            await tx.audit("session.end", f"user:{principal.user_id}")
    response.delete_cookie(COOKIE, path="/")


@router.post("/invitations/accept", status_code=201, summary="Accept an invitation")
async def accept(
    request: Request,
    response: Response,
    backend: BackendHere,
    passwords: PasswordsHere,
    acceptance: Acceptance,
) -> SessionState:
    """Become a user, with the link of an invitation."""
    check_same_origin(request)
    hashed = await passwords.hash(acceptance.password)
    async with backend.changing(Actor(id="invited", name="")) as tx:
        user_id = await invitations.accept(
            tx,
            acceptance.token,
            setup=False,
            email="",
            name=acceptance.name,
            password_hash=hashed,
        )
        user = await users.find(tx.session, user_id)
        return await _begin(tx, request, response, backend, user)


@router.post("/login-codes", status_code=201, summary="Begin to log a command in")
async def begin_login(backend: BackendHere, new: NewLoginCode) -> LoginCode:
    """Get two codes: the command keeps one, and its user confirms the other one."""
    async with backend.changing(SYSTEM) as tx:
        device, user = await login_codes.start(tx, name=new.name)
    return LoginCode(
        device_code=device,
        user_code=user,
        confirm_url=f"{backend.settings.public_url}/login/confirm?code={user}",
        expires_in=int(login_codes.LIFETIME.total_seconds()),
        interval=login_codes.INTERVAL,
    )


@router.post("/login-codes/redeem", summary="Was it confirmed?")
async def redeem(backend: BackendHere, code: DeviceCode) -> LoggedIn:
    """The token of a login, once its user has confirmed the code."""
    async with backend.changing(SYSTEM) as tx:
        return LoggedIn(token=await login_codes.redeem(tx, code.device_code))


@router.post("/login-codes/confirm", summary="Confirm a command's login")
async def confirm(backend: BackendHere, principal: MaySee, code: UserCode) -> Confirmed:
    """Let the command that shows this code act as you."""
    async with backend.changing(principal.actor) as tx:
        name = await login_codes.confirm(tx, code.user_code, principal.user_id)
        await tx.audit("login_code.confirm", f"user:{principal.user_id}", after={"name": name})
    return Confirmed(name=name)


async def _begin(
    tx: Transaction, request: Request, response: Response, backend: Backend, user: UserRow
) -> SessionState:
    new = await sessions.start(
        tx,
        user.id,
        address=_address(request),
        agent=request.headers.get("user-agent", ""),
    )
    await tx.audit("session.begin", f"user:{user.id}", after={"address": _address(request)})
    response.set_cookie(
        COOKIE,
        new.cookie,
        max_age=int(sessions.LIFETIME.total_seconds()),
        path="/",
        secure=backend.settings.secure,
        httponly=True,
        samesite="lax",
    )
    return SessionState(
        user=user.id, email=user.email, name=user.name, role=UserRole(user.role), csrf=new.csrf
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
