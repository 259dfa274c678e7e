"""Whether a process of the control plane lives, can work, and how much it does."""

from __future__ import annotations

import anyio
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from tameflare_dashboard.db.models import OrgRow
from tameflare_dashboard.gateway_api.dispatch import Dispatch
from tameflare_dashboard.store import approvals, kill_switches

__all__ = ["Metrics", "router"]

_READY_SECONDS = 3.0

router = APIRouter(tags=["health"])


class Metrics:
    """What a process counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tameflare_dashboard_requests",
            "Requests to the control plane.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tameflare_dashboard_request_seconds",
            "Seconds until the head of the answer.",
            ["route"],
            registry=self.registry,
        )
        self.streams = Gauge(
            "tameflare_dashboard_streams", "Open event streams of proxies.", registry=self.registry
        )
        self.pending = Gauge(
            "tameflare_dashboard_approvals_pending",
            "Approvals that wait for an answer.",
            registry=self.registry,
        )
        self.switches = Gauge(
            "tameflare_dashboard_kill_switches", "Active kill switches.", registry=self.registry
        )


@router.get("/healthz", summary="Does the process live?")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it work?")
async def ready(request: Request) -> Response:
    """The database answers and has its tables."""
    backend = request.app.state.backend
    try:
        with anyio.fail_after(_READY_SECONDS):
            async with backend.reading() as session:
                await session.execute(text("SELECT 1"))
                await session.scalar(select(OrgRow.id).limit(1))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        why = f"the database cannot be used: {type(error).__name__}"
        return JSONResponse({"status": "not ready", "why": why}, status_code=503)
    return JSONResponse({"status": "ok"})


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counts and times in Prometheus' text format."""
    backend, dispatch = request.app.state.backend, request.app.state.dispatch
    assert isinstance(dispatch, Dispatch)
    figures: Metrics = request.app.state.metrics
    async with backend.reading() as session:
        figures.pending.set(await approvals.pending_count(session))
        figures.switches.set(len(await kill_switches.active(session)))
    figures.streams.set(dispatch.stream_count)
    return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)
