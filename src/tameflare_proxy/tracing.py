"""Judged requests as OpenTelemetry spans: one each, with what was decided and where time went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tameflare_core.frontend import Recorder
from tameflare_core.otel import Instruments
from tameflare_core.record import TrafficRecord

__all__ = ["Traced"]


class Traced:
    """A recorder that tells a collector, too, what it keeps.

    Args:
        recorder: keeps the records.
        instruments: of the process.
    """

    def __init__(self, recorder: Recorder, instruments: Instruments) -> None:
        self._recorder = recorder
        self._tracer = instruments.tracer
        self._requests = instruments.meter.create_counter(
            "tameflare.requests", unit="{request}", description="Judged requests."
        )
        self._duration = instruments.meter.create_histogram(
            "tameflare.request.duration", unit="s", description="From judging to the answer."
        )

    def prepare(self) -> None:
        self._recorder.prepare()

    def record(self, record: TrafficRecord) -> None:
        self._recorder.record(record)
        verdict, request = record.verdict, record.request
        what = {
            "tameflare.gateway": record.gateway,
            "tameflare.connector": (verdict.connector if verdict else None) or "none",
            "tameflare.decision": verdict.decision.value if verdict else "none",
            "tameflare.outcome": record.outcome,
        }
        seconds = record.judge_seconds + record.hold_seconds + record.upstream_seconds
        self._requests.add(1, what)
        self._duration.record(seconds, what)
        # A path may name what nobody else has to know; the record has it, under the same id.
        details: dict[str, str | int | float | list[str]] = {
            **what,
            "tameflare.request_id": record.id,
            "tameflare.actions": [action.name for action in verdict.actions] if verdict else [],
            "tameflare.rule": verdict.rule.id if verdict else "",
            "tameflare.judge_ms": record.judge_seconds * 1000,
            "tameflare.hold_ms": record.hold_seconds * 1000,
            "tameflare.upstream_ms": record.upstream_seconds * 1000,
            "http.request.method": request.method if request else "",
            "server.address": request.host if request else "",
            "http.response.status_code": record.status or 0,
        }
        start = record.time
        span = self._tracer.start_span(
            "tameflare.judge", attributes=details, start_time=_nanoseconds(start)
        )
        span.end(_nanoseconds(start + timedelta(seconds=seconds)))


def _nanoseconds(time: datetime) -> int:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (time - epoch) // timedelta(microseconds=1) * 1000
