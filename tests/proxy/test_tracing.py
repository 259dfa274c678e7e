"""A judged request is a span with the id that the agent got."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tameflare_core.otel import ENDPOINT, instruments
from tameflare_core.record import TrafficRecord
from tameflare_core.testing import MemoryRecorder
from tameflare_proxy.tracing import Traced
from tests.collector import Collector


def test_record_is_kept_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    record = TrafficRecord(
        id="0199aaaa-0000-7000-8000-000000000001",
        time=datetime.now(UTC),
        gateway="prod-agent",
        request=None,
        shown_path="/never/told",
        verdict=None,
        outcome="rejected",
        status=400,
        judge_seconds=0.001,
    )
    with Collector() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        told = instruments("tameflare-gateway")
        assert told is not None
        kept = MemoryRecorder()
        traced = Traced(kept, told)
        traced.prepare()
        traced.record(record)
        told.close()
        assert kept.records == [record]
        assert collector.has("/v1/traces", record.id, "prod-agent", "rejected")
        assert collector.has("/v1/metrics", "tameflare.requests")
        assert not collector.has("/v1/traces", "/never/told")
