"""Around every call: its id, and a span where a collector is."""

from __future__ import annotations

import pytest

from tameflare_core.otel import ENDPOINT
from tameflare_dashboard.settings import Settings
from tests.collector import Collector
from tests.dashboard.conftest import serving


def test_call_is_a_span_with_its_id(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        with serving(settings) as plane:
            answer = plane.client().get("/api/v1/setup")
        request_id = answer.headers["x-tameflare-request-id"]
        assert collector.has("/v1/traces", request_id, "api.access.setup_state")
