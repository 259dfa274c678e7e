"""OpenTelemetry, where the environment says to whom: traces and metrics over OTLP.

Nothing of it is imported otherwise. The variables are OpenTelemetry's own: with
`OTEL_EXPORTER_OTLP_ENDPOINT` it is on, and `OTEL_SDK_DISABLED=true` turns it off again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tameflare_core.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

__all__ = ["ENDPOINT", "Instruments", "instruments"]

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The variable that turns it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What spans and measurements are made with.

    Attributes:
        tracer: makes spans.
        meter: makes counters and histograms.
    """

    tracer: Tracer
    meter: Meter
    _traces: TracerProvider
    _metrics: MeterProvider

    def close(self) -> None:
        """Send what has not been sent; a collector that is gone does not keep us."""
        with suppress(Exception):
            self._traces.shutdown()
        with suppress(Exception):
            self._metrics.shutdown(timeout_millis=3000)


def instruments(service: str, variables: Mapping[str, str] | None = None) -> Instruments | None:
    """The instruments of this process; None where nobody is to be told.

    Args:
        service: what the process is called, unless OTEL_SERVICE_NAME says so.
        variables: the environment; that of the process unless given.

    Raises:
        ConfigError: it is turned on, and not installed.
    """
    variables = os.environ if variables is None else variables
    if not variables.get(ENDPOINT) or variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{ENDPOINT} is set, and there is no module `{error.name}`: install"
            " `tameflare-core[otel]`, or unset it"
        ) from None
    name = variables.get("OTEL_SERVICE_NAME") or service
    resource = Resource.create({"service.name": name})
    # Providers of our own: what an application around us set up globally is left alone.
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource)
    return Instruments(
        tracer=traces.get_tracer("tameflare"),
        meter=metrics.get_meter("tameflare"),
        _traces=traces,
        _metrics=metrics,
    )
