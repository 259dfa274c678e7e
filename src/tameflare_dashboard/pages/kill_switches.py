"""Kill switches: what is stopped, what was, and stopping something without a script's dialog."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from tameflare_dashboard.pages.here import SeenPage
from tameflare_dashboard.store import kill_switches

__all__ = ["router"]

router = APIRouter()


@router.get("/kill-switches")
async def listed(here: SeenPage) -> HTMLResponse:
    """Every kill switch, the newest first."""
    async with here.backend.reading() as session:
        rows = await kill_switches.listed(session)
    return await here.page("kill_switches.html", rows=rows)


@router.get("/kill-switches/banner")
async def banner(here: SeenPage) -> HTMLResponse:
    """What is stopped, as every page says it at its top."""
    async with here.backend.reading() as session:
        switches = await kill_switches.active(session)
    return here.part("banner.html", switches=switches)
