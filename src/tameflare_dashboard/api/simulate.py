"""What would happen to a request: `tf explain` as a service, by the very code of a gateway."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter
from pydantic import Field

from tameflare_core.decision_point import DecisionPoint
from tameflare_core.explanation import Asked, explain
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillSwitches
from tameflare_dashboard.api.fields import Body, DocumentText, MaySee
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import gateways, kill_switches

__all__ = ["router"]

router = APIRouter(tags=["simulate"])


class SimulatedRequest(Body):
    """A request to judge."""

    method: Annotated[str, Field(max_length=40)] = Field(examples=["PUT"])
    url: Annotated[str, Field(max_length=8_000)] = Field(
        examples=["https://api.github.com/repos/o/r/pulls/1/merge"]
    )
    headers: dict[str, str] = Field(default={}, max_length=200)
    body: Annotated[str, Field(max_length=1_000_000)] | None = None
    body_base64: Annotated[str, Field(max_length=1_500_000)] | None = None


class Simulation(Body):
    """Requests, and what to judge them by."""

    gateway: Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9_-]+$")] | None = Field(
        default=None, description="Its id or name; its document as it is, unless one is given."
    )
    document: DocumentText | None = Field(
        default=None, description="A document to try before it is kept."
    )
    requests: Annotated[list[SimulatedRequest], Field(min_length=1, max_length=200)]
    at: datetime | None = Field(default=None, description="When; now unless said otherwise.")


class Simulated(Body):
    """What would become of each request, in their order."""

    items: list[dict[str, Any]] = Field(
        description="As `tf explain --json` tells it: decision, rule, reason, what was considered,"
        " and what would change the verdict."
    )


@router.post("/simulate", summary="What would happen?")
async def simulate(backend: BackendHere, _: MaySee, asked: Simulation) -> Simulated:
    """Judge requests by a gateway, or by a document before it is one. Nothing is sent anywhere."""
    at = asked.at or backend.clock()
    if at.tzinfo is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "`at` has no zone")
    async with backend.reading() as session:
        text = asked.document
        if text is None:
            if asked.gateway is None:
                raise Problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "invalid-request",
                    "name a `gateway`, or give a `document`",
                )
            text = (await gateways.find(session, asked.gateway)).document
        about = await gateways.checked(backend, session, text)
        active = await kill_switches.active(session)
    switches = KillSwitches(map(kill_switches.switch_of, active))
    questions = [_asked(request) for request in asked.requests]
    items = await to_thread.run_sync(_judged, about.gateway, switches, questions, at)
    return Simulated(items=items)


def _judged(
    gateway: Gateway, switches: KillSwitches, questions: list[Asked], at: datetime
) -> list[dict[str, Any]]:
    point = DecisionPoint(gateway, switches)
    return [explain(point, question, at, account=True).account() for question in questions]


def _asked(request: SimulatedRequest) -> Asked:
    body = None if request.body is None else request.body.encode("utf-8", "surrogatepass")
    if request.body_base64 is not None:
        try:
            body = base64.b64decode(request.body_base64, validate=True)
        except (binascii.Error, ValueError):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "`body_base64` is no base64"
            ) from None
    return Asked(
        method=request.method,
        url=request.url,
        headers=tuple(request.headers.items()),
        body=body,
    )
