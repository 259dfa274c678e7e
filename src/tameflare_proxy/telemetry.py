"""What a gateway process counts and says about itself: metrics, health, status."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from tameflare_core.frontend import Recorder
from tameflare_core.record import TrafficRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["Metered", "Telemetry", "serving_telemetry"]

_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30)


class Telemetry:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tameflare_gateway_requests",
            "Judged requests.",
            ["gateway", "connector", "decision", "outcome"],
            registry=self.registry,
        )
        self._judging = self._histogram("judge", "Time that judging takes.")
        self._holding = self._histogram("hold", "Time that requests are held.")
        self._upstream = self._histogram("upstream", "Time until an upstream answers.")
        self._reachable = Gauge(
            "tameflare_gateway_control_plane_reachable",
            "1 while the control plane answers.",
            registry=self.registry,
        )
        self._held = Gauge(
            "tameflare_gateway_approvals_held", "Requests that are held.", registry=self.registry
        )
        self._unsent = Gauge(
            "tameflare_gateway_records_unsent",
            "Traffic records that wait for the control plane.",
            registry=self.registry,
        )
        self._gateways = Gauge(
            "tameflare_gateway_known", "Gateways that are known here.", registry=self.registry
        )

    def count(self, record: TrafficRecord) -> None:
        """Count a judged request."""
        verdict = record.verdict
        connector = (verdict.connector if verdict else None) or "none"
        decision = verdict.decision.value if verdict else "none"
        self._requests.labels(record.gateway, connector, decision, record.outcome).inc()
        self._judging.observe(record.judge_seconds)
        if record.hold_seconds:
            self._holding.observe(record.hold_seconds)
        if record.upstream_seconds:
            self._upstream.observe(record.upstream_seconds)

    def exposition(self, status: dict[str, Any]) -> bytes:
        """Everything in Prometheus' text format.

        Args:
            status: of the process; what it says is set at this moment.
        """
        self._reachable.set(1 if status.get("reachable") else 0)
        self._held.set(status.get("held_approvals", 0))
        self._unsent.set(status.get("unsent_records", 0))
        self._gateways.set(len(status.get("gateways", ())))
        return generate_latest(self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(
            f"tameflare_gateway_{name}_seconds", text, buckets=_BUCKETS, registry=self.registry
        )


class Metered:
    """A recorder that counts what it keeps.

    Args:
        recorder: keeps the records.
        telemetry: counts them.
    """

    def __init__(self, recorder: Recorder, telemetry: Telemetry) -> None:
        self._recorder = recorder
        self._telemetry = telemetry

    def prepare(self) -> None:
        self._recorder.prepare()

    def record(self, record: TrafficRecord) -> None:
        self._telemetry.count(record)
        self._recorder.record(record)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        pass


@contextmanager
def serving_telemetry(
    telemetry: Telemetry, status: Callable[[], dict[str, Any]], host: str, port: int
) -> Iterator[int]:
    """Serve `/metrics`, `/healthz`, `/readyz` and `/status` in a thread, until the context ends.

    Args:
        telemetry: what is counted.
        status: of the process.
        host: the address to listen on.
        port: the port; 0 takes a free one.

    Yields:
        The port.

    Raises:
        OSError: the address cannot be listened on.
    """

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        kind, code, body = "application/json", "200 OK", b""
        match environ["PATH_INFO"]:
            case "/metrics":
                kind, body = CONTENT_TYPE_LATEST, telemetry.exposition(status())
            case "/healthz":
                body = b'{"status": "ok"}'
            case "/readyz":
                document = status()
                known = bool(document.get("gateways"))
                if known or document.get("reachable") is not False:
                    body = b'{"status": "ok"}'
                else:
                    code = "503 Service Unavailable"
                    body = b'{"status": "not ready", "why": "the control plane was never reached"}'
            case "/status":
                body = json.dumps(status()).encode()
            case _:
                code, body = "404 Not Found", b"{}"
        start(code, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    server: WSGIServer = make_server(host, port, answer, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, name="telemetry", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
