"""The web server of a control-plane process."""

from __future__ import annotations

import socket
from typing import override

import uvicorn
from fastapi import FastAPI

from tameflare_dashboard.gateway_api.dispatch import Dispatch
from tameflare_dashboard.pages.watching import Watchers

__all__ = ["ControlPlaneServer"]

_DRAIN_SECONDS = 5


class ControlPlaneServer(uvicorn.Server):
    """Serves the application, and lets its event streams go when it stops.

    Args:
        app: what `create_app` made.
        host: the address to listen on; of no meaning with sockets of one's own.
        port: the port.
    """

    def __init__(self, app: FastAPI, *, host: str = "127.0.0.1", port: int = 8900) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,  # each request is logged where its id is known
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
                lifespan="on",
            )
        )
        self._dispatch: Dispatch = app.state.dispatch
        self._watchers: Watchers = app.state.watchers

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # They would go on for ever; proxies and browsers come again, perhaps to another process.
        self._dispatch.end_streams()
        self._watchers.end()
        await super().shutdown(sockets)
