"""Spans and metrics of OpenTelemetry for every attempt, in programs that use it (the extra `otel`).

The application decides by importing OpenTelemetry and setting up its providers; without that nothing is loaded here,
and nothing measured. Names follow OpenTelemetry's semantic conventions for HTTP clients where they have one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram
    from opentelemetry.trace import SpanKind, StatusCode, Tracer

Attributes = Mapping[str, str | int]

_NAME: Final = "metrix_channels"
_NANOSECONDS: Final = 1_000_000_000


@frozen
class _Instruments:
    tracer: Tracer
    client: SpanKind
    error: StatusCode
    attempts: Counter
    recipients: Counter
    duration: Histogram


def is_active() -> bool:
    """Tell whether the application uses OpenTelemetry."""
    return "opentelemetry" in sys.modules


def attempt_ended(
    path: str, began: float, seconds: float, recipients: int, attributes: Attributes, error: str | None
) -> None:
    """Record one attempt as a span and in the metrics.

    Args:
        path: of the URL.
        began: in seconds since 1970.
        seconds: how long it took.
        recipients: how many it named.
        attributes: of both; of few different values.
        error: the code of what went wrong; None when it was accepted.
    """
    instruments = _instruments()
    if instruments is None:
        return
    known = {"http.request.method": "POST", "url.path": path, **attributes} | ({"error.type": error} if error else {})
    start = int(began * _NANOSECONDS)
    span = instruments.tracer.start_span(f"POST {path}", kind=instruments.client, start_time=start, attributes=known)
    span.set_attribute("metrix.recipients", recipients)
    if error:
        span.set_status(instruments.error, error)
    span.end(start + int(seconds * _NANOSECONDS))
    instruments.attempts.add(1, known)
    instruments.recipients.add(recipients, known)
    instruments.duration.record(seconds, known)


@cache
def _instruments() -> _Instruments | None:
    try:
        from opentelemetry import metrics, trace
    except ImportError:  # something else of that name
        return None
    meter = metrics.get_meter(_NAME)
    return _Instruments(
        tracer=trace.get_tracer(_NAME),
        client=trace.SpanKind.CLIENT,
        error=trace.StatusCode.ERROR,
        attempts=meter.create_counter("metrix_channels.attempts", "{attempt}", "HTTP requests made"),
        recipients=meter.create_counter("metrix_channels.recipients", "{recipient}", "Recipients of these requests"),
        duration=meter.create_histogram("metrix_channels.attempt.duration", "s", "From the first byte to the answer"),
    )
