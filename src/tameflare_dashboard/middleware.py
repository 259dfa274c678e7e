"""What happens to every request: its id, its log line, and headers of the answer."""

from __future__ import annotations

import re
import time
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tameflare_core.otel import Instruments
from tameflare_core.surroundings import Surroundings
from tameflare_dashboard.health import Metrics
from tameflare_dashboard.problems import Problem, problem_response
from tameflare_dashboard.settings import Settings

__all__ = ["Surrounding"]

_PORT = re.compile(r":\d{1,5}$")
_log = structlog.get_logger("tameflare_dashboard.requests")

_HEADERS = {
    # The stylesheet draws arrows and ticks with images that it holds itself.
    "content-security-policy": "default-src 'self'; img-src 'self' data:; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Surrounding:
    """Goes around the application.

    Args:
        app: it.
        settings: which hosts it answers for, and whether over TLS.
        metrics: what is counted.
        instruments: tell a collector about each request; None for none.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: Metrics,
        instruments: Instruments | None = None,
    ) -> None:
        self._app = app
        self._tracer = instruments.tracer if instruments else None
        self._hosts = settings.hosts
        self._metrics = metrics
        self._surroundings = Surroundings()
        self._headers = dict(_HEADERS)
        if settings.secure:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._surroundings.new_id()
        began = time.perf_counter()
        at = time.time_ns()
        answered = 0

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = int(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
                headers["x-tameflare-request-id"] = request_id
                self._count(scope, answered, time.perf_counter() - began)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            refused = self._refused(scope)
            try:
                if refused is not None:
                    await problem_response(refused)(scope, receive, answer)
                else:
                    await self._app(scope, receive, answer)
            finally:
                self._trace(scope, request_id, answered, at)
                _log.info(
                    "request",
                    method=scope["method"],
                    route=_route(scope),
                    status=answered,
                    ms=round((time.perf_counter() - began) * 1000, 1),
                )

    def _refused(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        # A page elsewhere whose name is made to point here would be of our own origin otherwise.
        host = _PORT.sub("", headers.get("host", "")).lower()
        if host not in self._hosts:
            return Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "wrong-host",
                "this control plane is not known by that name: set TAMEFLARE_PUBLIC_URL",
            )
        return None

    def _trace(self, scope: Scope, request_id: str, status: int, at: int) -> None:
        if self._tracer is not None:
            attributes = {
                "http.request.method": scope["method"],
                "http.route": _route(scope),
                "http.response.status_code": status,
                "tameflare.request_id": request_id,
            }
            self._tracer.start_span(_route(scope), attributes=attributes, start_time=at).end()

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(scope["method"][:10], route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)


def _route(scope: Scope) -> str:
    # The function and never the path, which would make a time series of each id.
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return "none"
    name = getattr(endpoint, "__name__", type(endpoint).__name__)  # files have an application
    return f"{endpoint.__module__.removeprefix('tameflare_dashboard.')}.{name}"
