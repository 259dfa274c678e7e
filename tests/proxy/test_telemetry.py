"""What a gateway process tells about itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from tameflare_core.record import TrafficRecord
from tameflare_core.testing import MemoryRecorder
from tameflare_proxy.telemetry import Metered, Telemetry, serving_telemetry


def test_metrics_health_and_status_are_told() -> None:
    status: dict[str, Any] = {"reachable": False, "gateways": [], "unsent_records": 3}
    with (
        serving_telemetry(Telemetry(), lambda: status, "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").status_code == 503
        status["gateways"] = [{"name": "agent"}]
        assert client.get("/readyz").status_code == 200
        assert client.get("/status").json() == status
        text = client.get("/metrics").text
        assert "tameflare_gateway_records_unsent 3.0" in text
        assert "tameflare_gateway_control_plane_reachable 0.0" in text
        assert client.get("/else").status_code == 404


def test_requests_are_counted_by_what_became_of_them() -> None:
    telemetry, recorder = Telemetry(), MemoryRecorder()
    metered = Metered(recorder, telemetry)
    metered.prepare()
    record = TrafficRecord(
        id="1",
        time=datetime.now(UTC),
        gateway="agent",
        request=None,
        verdict=None,
        outcome="rejected",
        status=400,
    )
    metered.record(record)
    assert recorder.records == [record]
    text = telemetry.exposition({}).decode()
    assert (
        'tameflare_gateway_requests_total{connector="none",decision="none",gateway="agent"'
        ',outcome="rejected"} 1.0' in text
    )
