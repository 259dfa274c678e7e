"""OpenTelemetry is on where its own variables say so, and nowhere else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tameflare_core.otel import ENDPOINT, instruments
from tests.collector import Collector


def test_nothing_is_imported_unless_it_is_asked_for() -> None:
    code = (
        "import sys, tameflare_core.otel as otel; otel.instruments('x', {});"
        "print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_turned_off_it_is_off() -> None:
    assert instruments("x", {ENDPOINT: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}) is None


def test_spans_and_counts_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        told = instruments("tameflare-test")
        assert told is not None
        told.tracer.start_span("a-span", attributes={"k": "a-value"}).end()
        told.meter.create_counter("a.counter").add(3)
        told.close()
        assert collector.has("/v1/traces", "a-span", "a-value", "tameflare-test")
        assert collector.has("/v1/metrics", "a.counter")
