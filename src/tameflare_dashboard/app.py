"""The application: everything that a process of the control plane answers, and does by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from tameflare_core.otel import instruments
from tameflare_dashboard import health, slack
from tameflare_dashboard.api import routes as api
from tameflare_dashboard.auth.passwords import Passwords
from tameflare_dashboard.backend import SYSTEM, Backend
from tameflare_dashboard.db import migrate
from tameflare_dashboard.gateway_api import routes as gateway_api
from tameflare_dashboard.gateway_api.dispatch import Dispatch
from tameflare_dashboard.health import Metrics
from tameflare_dashboard.middleware import Surrounding
from tameflare_dashboard.notices.sender import Sender
from tameflare_dashboard.pages import routes as pages
from tameflare_dashboard.pages.assets import assets
from tameflare_dashboard.pages.rendering import Templates
from tameflare_dashboard.pages.watching import Watchers
from tameflare_dashboard.problems import add_problem_handlers
from tameflare_dashboard.settings import Settings
from tameflare_dashboard.store import invitations, org, users
from tameflare_dashboard.upkeep import Upkeep

__all__ = ["create_app", "setup_link"]

_MOST_BYTES = 8 * 1024 * 1024

_DESCRIPTION = """\
The control plane of TameFlare, the egress firewall for AI agents: gateways with their connectors,
permissions and policies; credentials; approvals; traffic; kill switches; users; the audit log.

**Who calls.** People with a session (`POST /api/v1/session`) or a personal access token; gateways
with their own token, and only below `/api/gateway`.

**Edits.** A read answers with an `ETag`; an edit sends it as `If-Match`, so that two editors never
overwrite each other: 412 says that somebody was faster, 428 that the header is missing.

**Errors** are problem documents (RFC 9457): `detail` says what is wrong and what to do, `errors`
lists each place. **Lists** go on with `cursor`, the `next` of the page before.
"""


def create_app(settings: Settings, *, backend: Backend | None = None) -> FastAPI:
    """Make the application of one process.

    Its database is brought to the newest form when it starts.

    Args:
        settings: what the operator decided.
        backend: one that exists already; made from the settings unless given.
    """
    here = backend or Backend(settings)
    metrics = Metrics()
    app = FastAPI(
        title="TameFlare",
        version=version("tameflare-dashboard"),
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        lifespan=_running,
        generate_unique_id_function=_operation_id,
        responses=api.PROBLEMS,
        max_body_size=_MOST_BYTES,
    )
    app.state.backend = here
    app.state.dispatch = Dispatch(here)
    app.state.watchers = Watchers(here)
    app.state.templates = Templates()
    app.state.passwords = Passwords()
    app.state.metrics = metrics
    add_problem_handlers(app)
    app.include_router(api.router)
    app.include_router(gateway_api.router)
    app.include_router(slack.router)
    app.include_router(health.router)
    app.include_router(pages.router)
    app.mount("/static", assets())
    app.state.instruments = told = instruments("tameflare-dashboard")
    app.add_middleware(Surrounding, settings=settings, metrics=metrics, instruments=told)
    return app


async def setup_link(backend: Backend) -> str | None:
    """A fresh one-time link for the first owner; None when there is one already."""
    async with backend.changing(SYSTEM) as tx:
        await org.ensure(tx)
        token = None if await users.any_user(tx.session) else await invitations.create_setup(tx)
    return None if token is None else f"{backend.settings.public_url}/setup#{token}"


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    backend: Backend = app.state.backend
    dispatch: Dispatch = app.state.dispatch
    await asyncio.to_thread(migrate.upgrade, backend.settings.database_url)
    async with backend.changing(SYSTEM) as tx:
        await org.ensure(tx)
    jobs: tuple[Awaitable[None], ...] = (
        backend.bus.listen(),
        dispatch.run(),
        Upkeep(backend).run(),
        Sender(backend).run(),
    )
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        yield
    finally:
        dispatch.end_streams()
        app.state.watchers.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await backend.close()
        if app.state.instruments is not None:
            await asyncio.to_thread(app.state.instruments.close)


def _operation_id(route: APIRoute) -> str:
    method = min(route.methods or {"GET"}).lower()
    path = route.path.removeprefix("/api/").replace("/", "_").replace("{", "").replace("}", "")
    return f"{method}_{path.replace('-', '_').replace('.', '_')}"
