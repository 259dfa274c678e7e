"""The audit log: who changed or decided what, and whether the log is whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from tameflare_dashboard.api import audit as api
from tameflare_dashboard.pages.here import SeenPage

__all__ = ["router"]

router = APIRouter()

_ROWS = 50

type _Text = Annotated[str, Query(max_length=300, pattern=r"^[^\x00]*$")]


@router.get("/audit")
async def listed(
    here: SeenPage,
    actor: _Text = "",
    verb: _Text = "",
    object: _Text = "",  # noqa: A002
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}$")] = None,
) -> HTMLResponse:
    """Events by filters, newest first."""
    page = await api.listed(
        here.backend,
        here.principal,
        actor=actor or None,
        verb=verb or None,
        object=object or None,
        cursor=cursor,
        limit=_ROWS,
    )
    return await here.page(
        "audit.html",
        items=page.items,
        older=page.next,
        asked={"actor": actor, "verb": verb, "object": object},
    )


@router.get("/audit/verify")
async def verify(here: SeenPage) -> HTMLResponse:
    """Whether every event is as it was written."""
    check = await api.verify(here.backend, here.principal)
    if here.request.headers.get("hx-request"):
        return here.part("audit_check.html", check=check)
    return await here.page("audit_verify.html", check=check)
