"""What OpenTelemetry is told in this process: its providers can be set once only, so that all tests share them."""

from __future__ import annotations

from functools import cache

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SPANS, METRICS = InMemorySpanExporter(), InMemoryMetricReader()


@cache
def set_up_telemetry() -> None:
    """Let spans and metrics be collected from here on."""
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(SPANS))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider([METRICS]))


def told() -> str:
    """Return all spans since they were last cleared, and all metrics, as text."""
    return "".join(span.to_json() for span in SPANS.get_finished_spans()) + repr(METRICS.get_metrics_data())
