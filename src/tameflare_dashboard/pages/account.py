"""One's own account: password, sessions, personal access tokens."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from tameflare_dashboard.api import me as api
from tameflare_dashboard.pages.here import SeenPage

__all__ = ["router"]

router = APIRouter()


@router.get("/account")
async def account(here: SeenPage) -> HTMLResponse:
    """What is one's own."""
    return await here.page(
        "account.html",
        sessions=await api.my_sessions(here.backend, here.principal),
        tokens=await api.my_tokens(here.backend, here.principal),
    )
