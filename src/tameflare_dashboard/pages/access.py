"""Coming in: login, the first owner, invitations, and confirming a command's login."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tameflare_dashboard.auth.gate import COOKIE, BackendHere
from tameflare_dashboard.pages.here import SeenPage, templates_of
from tameflare_dashboard.store import sessions, users

__all__ = ["router"]

router = APIRouter()


@router.get("/login", response_class=HTMLResponse)
async def log_in(
    request: Request,
    backend: BackendHere,
    next: Annotated[str, Query(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Where a session begins; the first owner is sent on to the set-up."""
    # Only to a page of our own: `//elsewhere` and `/\\elsewhere` are none.
    onward = next if next.startswith("/") and next[1:2] not in {"/", "\\"} else "/"
    cookie = request.cookies.get(COOKIE)
    if cookie and await sessions.find(backend, cookie) is not None:
        return RedirectResponse(onward, status_code=303)
    async with backend.reading() as session:
        if not await users.any_user(session):
            return RedirectResponse("/setup", status_code=303)
    return _page(request, "login.html", next=onward)


@router.get("/setup", response_class=HTMLResponse)
async def set_up(request: Request, backend: BackendHere) -> Response:
    """The first owner, who comes with the link that the control plane printed."""
    async with backend.reading() as session:
        if await users.any_user(session):
            return RedirectResponse("/login", status_code=303)
    return _page(request, "setup.html")


@router.get("/invitations/{token}", response_class=HTMLResponse)
async def accept(
    request: Request, token: Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
) -> Response:
    """Somebody who was invited chooses a password."""
    return _page(request, "invitation.html", token=token)


@router.get("/login/confirm")
async def confirm(
    here: SeenPage, code: Annotated[str, Query(max_length=20, pattern=r"^[A-Z-]*$")] = ""
) -> HTMLResponse:
    """Let a command that shows a code act as oneself."""
    return await here.page("confirm.html", code=code)


def _page(request: Request, template: str, **values: str) -> HTMLResponse:
    text = templates_of(request).render(template, values)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})
