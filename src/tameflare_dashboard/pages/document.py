"""The editor of a gateway's whole document: policies too, checked and tried before they count."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from tameflare_core.errors import ConfigError
from tameflare_core.gateway import Gateway
from tameflare_core.recorded import read_records
from tameflare_core.replay import Replay
from tameflare_dashboard.api.fields import GatewayKey
from tameflare_dashboard.pages.forms import FieldsHere
from tameflare_dashboard.pages.here import Here, SeenPage
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import gateways, traffic

__all__ = ["router"]

router = APIRouter()

_REPLAYED = timedelta(days=1)
_MOST_REPLAYED = 20_000


@router.get("/gateways/{gateway}/document")
async def editor(here: SeenPage, gateway: GatewayKey) -> HTMLResponse:
    """The document as it is, and a place to change it."""
    async with here.backend.reading() as session:
        row = await gateways.find(session, gateway)
    return await here.page("document.html", row=row, mistakes=[], checked=False)


@router.post("/documents/check")
async def check(here: SeenPage, fields: FieldsHere) -> HTMLResponse:
    """Whether a gateway would load with a document, and where not."""
    mistakes, _ = await _loaded(here, fields.one("document"))
    return here.part("document_check.html", mistakes=mistakes, checked=True)


@router.post("/gateways/{gateway}/document/replay")
async def replay(here: SeenPage, gateway: GatewayKey, fields: FieldsHere) -> HTMLResponse:
    """What a document would have done to the requests of the last day."""
    mistakes, loaded = await _loaded(here, fields.one("document"))
    if loaded is None:
        return here.part("document_check.html", mistakes=mistakes, checked=True)
    until = here.backend.clock()
    async with here.backend.reading() as session:
        row = await gateways.find(session, gateway)
        filters = traffic.Filters(gateway_id=row.id, since=until - _REPLAYED, until=until)
        rows = await traffic.page(session, filters, before=None, most=_MOST_REPLAYED)
    documents = [each.document for each in reversed(rows)]
    result = await to_thread.run_sync(_replayed, loaded, documents)
    return here.part("document_replay.html", replay=result, most=_MOST_REPLAYED)


async def _loaded(here: Here, text: str) -> tuple[list[str], Gateway | None]:
    try:
        async with here.backend.reading() as session:
            return [], (await gateways.checked(here.backend, session, text)).gateway
    except ConfigError as error:
        return list(error.problems), None
    except Problem as problem:
        return [problem.detail], None


def _replayed(gateway: Gateway, documents: list[dict[str, Any]]) -> Replay:
    result = Replay(gateway)
    result.take(read_records(json.dumps(document).encode() for document in documents))
    return result
