"""The one place where a call to `/api/v1` is let in: who it is, may they, and is it really them."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from tameflare_core.tokens import is_well_formed, token_digest
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.auth.roles import Capability, may
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import personal_tokens, sessions

__all__ = [
    "COOKIE",
    "CSRF_HEADER",
    "BackendHere",
    "backend_of",
    "capability_of",
    "check_same_origin",
    "requires",
]

COOKIE = "tf_session"
"""The cookie of a session."""

CSRF_HEADER = "x-csrf-token"
"""What a write with a cookie has to carry; `GET /api/v1/session` tells it."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MARK = "tameflare_capability"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="personal access token",
    bearerFormat="tfpat_…",
    description="For commands and programs; `tf login` makes one.",
)
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="For browsers. Writes carry the session's `X-CSRF-Token` too.",
)


def backend_of(request: Request) -> Backend:
    """The backend of the application that got `request`."""
    backend: Backend = request.app.state.backend
    return backend


type BackendHere = Annotated[Backend, Depends(backend_of)]


async def _authenticated(
    request: Request,
    backend: Annotated[Backend, Depends(backend_of)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    if bearer is not None:
        # A gateway's token is no user's: nobody approves with it.
        if is_well_formed(bearer.credentials, personal=True):
            principal = await personal_tokens.find(backend, token_digest(bearer.credentials))
            if principal is not None:
                return principal
        raise _unauthenticated("the token is unknown, expired or revoked: run `tf login`")
    if cookie is not None:
        principal = await sessions.find(backend, cookie)
        if principal is not None:
            if request.method not in _SAFE:
                _check_intent(request, principal)
            return principal
        raise _unauthenticated("the session has ended: log in again")
    raise _unauthenticated("log in, or send a personal access token")


def requires(capability: Capability) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets in whoever may do something, and gives the user.

    Args:
        capability: what it takes.
    """

    async def let_in(principal: Annotated[Principal, Depends(_authenticated)]) -> Principal:
        if not may(principal.role, capability):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "not-allowed",
                f"your role `{principal.role}` may not do this: it takes one that may"
                f" `{capability}`",
            )
        return principal

    setattr(let_in, _MARK, capability)
    return let_in


def capability_of(dependency: object) -> Capability | None:
    """What `requires` was given; None for anything else."""
    found: Capability | None = getattr(dependency, _MARK, None)
    return found


def _unauthenticated(detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "not-logged-in",
        detail,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _check_intent(request: Request, principal: Principal) -> None:
    """Check that a write with a cookie was made by our own page."""
    check_same_origin(request)
    given = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), principal.csrf.encode()):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "csrf",
            "a write with a session carries the session's token in `X-CSRF-Token`",
        )


def check_same_origin(request: Request) -> None:
    """Refuse a write that another site's page made the browser send.

    Raises:
        Problem: 403.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site is not None and site not in {"same-origin", "none"}
    if origin is not None:
        foreign = foreign or urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise Problem(HTTPStatus.FORBIDDEN, "csrf", "the request comes from another site")
