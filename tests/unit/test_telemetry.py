"""Spans and metrics for programs that use OpenTelemetry."""

import subprocess
import sys

import pytest
from opentelemetry import trace

from helpers.encodings import encodings, shown
from helpers.fault_server import Answer, FaultServer
from helpers.project import API_KEY, make_project
from helpers.telemetry import METRICS, SPANS, set_up_telemetry


@pytest.fixture(scope="module", autouse=True)
def _providers():
    set_up_telemetry()


def points():
    found = METRICS.get_metrics_data()
    return {
        metric.name: metric.data.data_points
        for resource in found.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_each_attempt_is_a_span_and_counted(tmp_path):
    """A failed one with its code; none names a recipient."""
    SPANS.clear()
    with FaultServer([Answer(503), Answer(200)]) as server:
        make_project(tmp_path, server.url).send()
    failed, accepted = SPANS.get_finished_spans()
    assert failed.name == accepted.name == "POST /push"
    assert failed.kind is trace.SpanKind.CLIENT
    assert not failed.status.is_ok
    assert failed.attributes["error.type"] == "unavailable"
    assert failed.attributes["http.response.status_code"] == 503
    assert dict(accepted.attributes) == {
        "http.request.method": "POST",
        "url.path": "/push",
        "metrix.channel": "sms",
        "metrix.disposition": "accepted",
        "http.response.status_code": 200,
        "metrix.recipients": 1,
    }
    assert 0 < accepted.end_time - accepted.start_time < 2e9
    found = points()
    assert sum(point.value for point in found["metrix_channels.attempts"]) == 2
    assert sum(point.count for point in found["metrix_channels.attempt.duration"]) == 2
    assert "u1" not in repr(SPANS.get_finished_spans()) + repr(found)


def test_no_span_shows_what_a_server_says_back(tmp_path):
    """Neither the key nor a sensitive value, in no encoding."""
    SPANS.clear()
    code = "کد-۴۰۸۱"
    forms = [API_KEY, code, *list(encodings(API_KEY).values())[::9], *list(encodings(code).values())[::9]]
    with FaultServer([Answer(403, form.encode()) for form in forms]) as server:
        project = make_project(tmp_path, server.url)
        project.template("otp", "---\nsensitive: [code]\n---\nکد {{ code }}")
        for _ in forms:
            project.error("otp", {"code": code})
    spans = SPANS.get_finished_spans()
    assert len(spans) == len(forms)
    found = "".join(span.to_json() for span in spans) + repr(points())
    assert shown(found, API_KEY) + shown(found, code) == []


def test_a_program_that_does_not_use_it_does_not_load_it():
    """Though it is installed."""
    code = "import sys, metrix_channels.notifier, metrix_channels.telemetry; print('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.split() == [b"False"]
