"""What each answer means: the table of the design, row by row."""

import pytest

from helpers.verdicts import judged
from metrix_channels.api import Failure, Reply, Stage
from metrix_channels.delivery import Disposition
from metrix_channels.errors.catalogue import CATALOGUE

D = Disposition


@pytest.mark.parametrize(
    ("exchange", "disposition", "code"),
    [
        (Failure(Stage.NOT_BEGUN, "refused"), D.NOT_TAKEN, "unreachable"),
        (Failure(Stage.CERTIFICATE, "expired"), D.HALT, "certificate_refused"),
        (Failure(Stage.BEGUN, "reset"), D.AMBIGUOUS, "outcome_unknown"),
        (Reply(429), D.NOT_TAKEN, "unavailable"),
        (Reply(503), D.NOT_TAKEN, "unavailable"),
        (Reply(500), D.AMBIGUOUS, "outcome_unknown"),
        (Reply(502), D.AMBIGUOUS, "outcome_unknown"),
        (Reply(504), D.AMBIGUOUS, "outcome_unknown"),
        (Reply(599), D.AMBIGUOUS, "outcome_unknown"),
        (Reply(408), D.AMBIGUOUS, "outcome_unknown"),
        (Reply(400), D.REFUSED, "rejected"),
        (Reply(413), D.REFUSED, "rejected"),
        (Reply(422), D.REFUSED, "rejected"),
        (Reply(402), D.REFUSED, "rejected"),
        (Reply(418), D.REFUSED, "rejected"),
        (Reply(401), D.HALT, "credentials_refused"),
        (Reply(403), D.HALT, "credentials_refused"),
        (Reply(404), D.HALT, "endpoint_refused"),
        (Reply(405), D.HALT, "endpoint_refused"),
        (Reply(301), D.HALT, "redirected"),
        (Reply(307), D.HALT, "redirected"),
        (Reply(304), D.HALT, "redirected"),
        (Reply(503, whole=False), D.NOT_TAKEN, "unavailable"),
        (Reply(403, whole=False), D.HALT, "credentials_refused"),
    ],
)
def test_failures_and_refusals(exchange, disposition, code):
    """A status that arrived counts, even when the rest of the answer did not."""
    verdict = judged(exchange)
    assert (verdict.disposition, verdict.code) == (disposition, code)
    assert code in CATALOGUE
    assert verdict.explanation.endswith(".")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("body", ["", "OK", "{}", '{"error": "no"}', "{broken", "null", "<xml/>"])
def test_any_2xx_is_accepted_whatever_it_says(status, body):
    """The body of an answer is documented nowhere, so nothing is read into it."""
    assert judged(Reply(status, body)).disposition is D.ACCEPTED


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "<!DOCTYPE html><p>Login"),
        Reply(200, " \n<html>"),
        Reply(200, "x", content_type="text/html; charset=utf-8"),
        Reply(200, '{"ok"', whole=False),
    ],
)
def test_a_success_that_cannot_be_believed(reply):
    """A web page comes from something in between; half an answer from a server that died."""
    assert judged(reply).disposition is D.UNREADABLE


def test_only_413_asks_for_smaller_requests():
    """The others are about whom or what."""
    assert judged(Reply(413)).too_large
    assert not judged(Reply(400)).too_large


def test_the_explanation_quotes_the_answer_in_one_short_line():
    """Whatever Metrix writes, without its line breaks, control characters escaped."""
    explanation = judged(Reply(400, "bad\nfield \x1b[31m" + "x" * 1000)).explanation
    assert "bad field" in explanation
    assert explanation.isprintable()
    assert len(explanation) < 260
