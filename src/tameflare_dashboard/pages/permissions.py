"""The editor of a gateway's permissions: rules, their order, and what they would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from tameflare_core.action import Category
from tameflare_core.errors import ConfigError
from tameflare_dashboard.api.fields import GatewayKey
from tameflare_dashboard.documents import Checked, check, edited, outline, parts
from tameflare_dashboard.pages.forms import Fields, FieldsHere
from tameflare_dashboard.pages.here import Here, SeenPage
from tameflare_dashboard.pages.presets import PRESETS
from tameflare_dashboard.pages.questions import NotAsked, read_question
from tameflare_dashboard.pages.samples import found, pattern_of
from tameflare_dashboard.pages.trials import asked_about, by_specificity, try_common
from tameflare_dashboard.store import gateways, org

__all__ = ["router"]

router = APIRouter()

_COLUMNS = ("connector", "action", "access", "risk", "category", "resource", "decision")


@router.get("/gateways/{gateway}/permissions")
async def editor(here: SeenPage, gateway: GatewayKey) -> HTMLResponse:
    """The rules as they are, and a place to change them."""
    async with here.backend.reading() as session:
        row = await gateways.find(session, gateway)
        additions = await org.additions(session)
    about = check(row.document, additions, here.backend.plugins, here.backend.settings)
    asked = here.request.query_params
    suggested = None
    if asked.get("action"):
        suggested = {
            "connector": asked.get("connector", ""),
            "action": asked["action"],
            "decision": asked.get("decision", "deny"),
        }
    return await here.page(
        "permissions.html",
        row=row,
        rules=parts(row.document).get("permissions") or [],
        suggested=suggested,
        connectors=outline(row.document).connectors,
        patterns={bound.id: pattern_of(bound) for bound in about.gateway.connectors},
        presets=list(PRESETS.values()),
        categories=list(Category),
        order=by_specificity(about.gateway),
        tried=try_common(about.gateway, here.backend.clock()),
        mistakes=[],
        question="",
        answer=None,
        puzzled="",
        changed=False,
    )


@router.post("/gateways/{gateway}/permissions/preview")
async def preview(here: SeenPage, gateway: GatewayKey, fields: FieldsHere) -> HTMLResponse:
    """What rules that are not saved yet would do, next to those that are in force."""
    rules = _rules(fields)
    async with here.backend.reading() as session:
        row = await gateways.find(session, gateway)
        additions = await org.additions(session)
    now = here.backend.clock()
    changed = rules != (parts(row.document).get("permissions") or [])
    values: dict[str, Any] = {"mistakes": [], "order": [], "tried": [], "changed": changed}

    def tested(text: str) -> Checked:
        return check(text, additions, here.backend.plugins, here.backend.settings)

    try:
        about = tested(edited(row.document, _with(rules)))
    except ConfigError as error:
        values["mistakes"] = list(error.problems)
        return here.part(
            "permissions_preview.html", row=row, **_answer(fields, None, here), **values
        )
    values["order"] = by_specificity(about.gateway)
    before = tested(row.document).gateway if changed else None
    values["tried"] = try_common(about.gateway, now, before)
    return here.part("permissions_preview.html", row=row, **_answer(fields, about, here), **values)


@router.get("/gateways/{gateway}/actions")
async def actions(here: SeenPage, gateway: GatewayKey, q: str = "") -> HTMLResponse:
    """Actions of the gateway's connectors that have some words in their names."""
    async with here.backend.reading() as session:
        row = await gateways.find(session, gateway)
    connectors = {
        kind: here.backend.plugins.connectors[kind]
        for _, kind in outline(row.document).connectors
        if kind in here.backend.plugins.connectors
    }
    ids: dict[str, str] = {}
    for name, kind in outline(row.document).connectors:
        if kind in connectors:
            ids.setdefault(connectors[kind].provider, name)
    return here.part("actions.html", routes=found(connectors.values(), q[:200]), ids=ids, q=q)


def _with(rules: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["permissions"] = rules

    return change


def _rules(fields: Fields) -> list[dict[str, Any]]:
    columns = [fields.all(f"rule.{name}") for name in _COLUMNS]
    rules = []
    for values in zip(*columns, strict=False):
        rule: dict[str, Any] = {
            name: value.strip()
            for name, value in zip(_COLUMNS, values, strict=True)
            if value.strip()
        }
        if "resource" in rule:
            pairs = (pair.partition("=") for pair in rule["resource"].split(","))
            rule["resource"] = {key.strip(): value.strip() for key, _, value in pairs}
        rules.append(rule)
    return rules


def _answer(fields: Fields, about: Checked | None, here: Here) -> dict[str, Any]:
    text = fields.one("question").strip()
    values: dict[str, Any] = {"question": text, "answer": None, "puzzled": ""}
    if text and about is not None:
        try:
            question = read_question(text, about.gateway)
            values["answer"] = asked_about(about.gateway, question, here.backend.clock())
        except NotAsked as error:
            values["puzzled"] = str(error)
    return values
