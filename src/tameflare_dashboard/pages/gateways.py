"""Gateways: which there are, how they are, and making another one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from tameflare_core import templates
from tameflare_core.enforcement_level import EnforcementLevel
from tameflare_core.errors import ConfigError
from tameflare_dashboard.api.fields import GatewayKey
from tameflare_dashboard.api.gateways import shown
from tameflare_dashboard.documents import check, outline, parts
from tameflare_dashboard.pages.drafts import Draft
from tameflare_dashboard.pages.forms import FieldsHere
from tameflare_dashboard.pages.here import Here, SeenPage
from tameflare_dashboard.pages.presets import PRESETS
from tameflare_dashboard.pages.trials import try_common
from tameflare_dashboard.store import credentials, gateways, org

__all__ = ["router"]

router = APIRouter()

_OWN = "starter"  # the template that stands for none


@router.get("/gateways")
async def listed(here: SeenPage) -> HTMLResponse:
    """Every gateway, with how it is."""
    return await here.page("gateways.html", items=await _summaries(here))


@router.get("/gateways/list")
async def listed_again(here: SeenPage) -> HTMLResponse:
    """The list again, for a page that is open."""
    return here.part("gateways_list.html", items=await _summaries(here))


@router.get("/gateways/new")
async def new(here: SeenPage) -> HTMLResponse:
    """The way to a new gateway, step by step."""
    async with here.backend.reading() as session:
        known = [row.name for row in await credentials.listed(session)]
    return await here.page(
        "gateway_new.html",
        types=sorted(here.backend.plugins.connectors.items()),
        presets=list(PRESETS.values()),
        templates=[
            (name, templates.summary(name), _template_types(name))
            for name in templates.names()
            if name != _OWN
        ],
        levels=list(EnforcementLevel),
        known=known,
    )


@router.post("/gateways/new/preview")
async def preview(here: SeenPage, fields: FieldsHere) -> HTMLResponse:
    """What the form makes: the document, and what its rules do to common actions."""
    draft = Draft.read(fields, here.backend.plugins)
    document, mistakes, tried = draft.document(), list(draft.mistakes), []
    if not mistakes:
        async with here.backend.reading() as session:
            additions = await org.additions(session)
        try:
            about = check(document, additions, here.backend.plugins, here.backend.settings)
            tried = try_common(about.gateway, here.backend.clock())
        except ConfigError as error:
            mistakes = list(error.problems)
    return here.part("gateway_preview.html", document=document, mistakes=mistakes, tried=tried)


@router.get("/gateways/{gateway}")
async def one(here: SeenPage, gateway: GatewayKey) -> HTMLResponse:
    """One gateway: how it is, its connectors and tokens, and its end."""
    now = here.backend.clock()
    async with here.backend.reading() as session:
        row = await gateways.find(session, gateway)
        tokens = await gateways.tokens(session, row.id, now)
    connectors: list[dict[str, Any]] = list(parts(row.document).get("connectors") or [])
    return await here.page(
        "gateway.html",
        row=row,
        summary=shown(row, now),
        tokens=tokens,
        connectors=connectors,
        enforcement=outline(row.document).enforcement,
        public_url=here.backend.settings.public_url,
    )


async def _summaries(here: Here) -> list[Any]:
    async with here.backend.reading() as session:
        rows = await gateways.listed(session)
    return [shown(row, here.backend.clock()) for row in rows]


def _template_types(name: str) -> list[str]:
    return [part["type"] for part in parts(templates.text(name)).get("connectors") or []]
