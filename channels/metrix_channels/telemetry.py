"""Records OpenTelemetry spans and metrics for every attempt, in programs that use OpenTelemetry (the extra `otel`).

An application enables this by importing OpenTelemetry and configuring its providers. Otherwise nothing is imported or
measured. Names follow OpenTelemetry's semantic conventions for HTTP clients where these define one.
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
        path: the path of the URL.
        began: when the attempt began, in seconds since 1970.
        seconds: how long it took.
        recipients: the number of recipients of the request.
        attributes: attributes of the span and the metrics; each must have few distinct values.
        error: the error code; None if Metrix accepted the request.
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
    except ImportError:  # another package with that name
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
