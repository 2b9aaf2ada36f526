"""Sends through the whole library while the server or the network misbehaves."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from helpers.fault_server import (
    Answer,
    Close,
    CloseAfterHeaders,
    Drip,
    FaultServer,
    Hang,
    Reset,
    Truncated,
    redirect,
    refusing_address,
)
from helpers.project import make_project, takes, unanswering_address
from metrix_channels.config import live
from metrix_channels.delivery import single
from metrix_channels.errors import (
    ChannelUnverified,
    CredentialsRefused,
    DeliveryError,
    OutcomeUnknown,
    Rejected,
    Unreachable,
)

# -- what each answer comes to


def test_a_busy_metrix_is_asked_again(tmp_path):
    """503, 503, 200: one accepted receipt, three attempts, no doubt."""
    with FaultServer([Answer(503), Answer(503), Answer(200)]) as server:
        receipt = make_project(tmp_path, server.url).send()
    assert (receipt.outcome, receipt.attempts, receipt.status_code) == ("accepted", 3, 200)
    assert not receipt.possible_duplicate
    assert len(server.requests) == 3
    assert len({request.body for request in server.requests}) == 1


def test_many_recipients_are_sent_to_in_batches(tmp_path):
    """No request names more of them than `batch_size`, in the order in which they were given."""
    everyone = [f"u{number}" for number in range(5)]

    async def run(project):
        async with project.notifier() as notifier:
            return await notifier.send("sms", everyone, "hello", {"name": "سارا"})

    with FaultServer() as server:
        asyncio.run(run(make_project(tmp_path, server.url, batch_size=2)))
    assert [json.loads(request.body)["recipients"] for request in server.requests] == [
        everyone[:2],
        everyone[2:4],
        everyone[4:],
    ]


def test_a_verification_that_is_withdrawn_between_attempts_ends_the_send(tmp_path, monkeypatch):
    """The file is looked at again before each of them, however soon: nothing more leaves through the channel."""
    monkeypatch.setattr(single, "backoff_seconds", lambda *_: 0.0)
    monkeypatch.setattr(live, "_RECENT_SECONDS", 3600)

    def busy(request):
        project.config.write_text(project.config.read_text().replace('"verified": true', '"verified": false'))
        return Answer(503)

    with FaultServer(busy) as server:
        project = make_project(tmp_path, server.url)
        error = project.error()
    assert isinstance(error, ChannelUnverified)
    assert (error.code, error.receipt.outcome, len(server.requests)) == ("channel_unverified", "not_sent", 1)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_say_where_to_look(tmp_path, status):
    """APP_ID, the key, and the white list; no second attempt."""
    with FaultServer([Answer(status, b'{"message": "Forbidden"}')]) as server:
        error = make_project(tmp_path, server.url).error()
    assert isinstance(error, CredentialsRefused)
    assert (error.code, error.exit_status, error.receipt.outcome) == ("credentials_refused", 4, "not_sent")
    assert str(status) in error.message
    assert all(words in error.remedy for words in ("APP_ID", "API key", "white list"))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(403), "credentials_refused"),
        (Answer(404), "endpoint_refused"),
        (Answer(400), "outcome_unknown"),
        (Answer(503), "outcome_unknown"),
    ],
    ids=["403", "404", "400", "503"],
)
def test_whatever_follows_a_lost_answer_the_error_is_that_of_an_unknown_outcome(tmp_path, monkeypatch, answer, code):
    """Code that catches OutcomeUnknown, so as not to send twice, misses no message that may have arrived."""
    monkeypatch.setattr(single, "backoff_seconds", lambda *_: 0.0)
    with FaultServer([Close(), answer]) as server:
        error = make_project(tmp_path, server.url, max_attempts=2).error()
    assert (type(error), error.code, error.receipt.outcome) == (OutcomeUnknown, code, "unknown")
    assert len(server.requests) == 2


def test_a_verification_withdrawn_after_a_lost_answer_leaves_the_outcome_unknown(tmp_path, monkeypatch):
    """Nothing more is sent, and the error is not that of a message which was never sent."""
    monkeypatch.setattr(single, "backoff_seconds", lambda *_: 0.0)

    def lose(request):
        project.config.write_text(project.config.read_text().replace('"verified": true', '"verified": false'))
        return Close()

    with FaultServer(lose) as server:
        project = make_project(tmp_path, server.url)
        error = project.error()
    assert (type(error), error.code, error.receipt.outcome) == (OutcomeUnknown, "channel_unverified", "unknown")
    assert len(server.requests) == 1


def test_one_unknown_recipient_among_others_makes_the_outcome_unknown(tmp_path):
    """The first batch may have arrived, the second was refused with 403; the receipts tell them apart."""

    async def run(project):
        async with project.notifier() as notifier:
            with pytest.raises(OutcomeUnknown) as raised:
                await notifier.send("sms", ["u0", "u1"], "hello", {"name": "سارا"})
        return raised.value

    with FaultServer([Answer(200, b"<html>", {"Content-Type": "text/html"}), Answer(403)]) as server:
        error = asyncio.run(run(make_project(tmp_path, server.url, batch_size=1)))
    assert sorted(receipt.outcome for receipt in error.receipts) == ["not_sent", "unknown"]


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "outcome"),
    [
        (Answer(400, b"body is missing"), Rejected, "rejected", "rejected"),
        (Answer(404), DeliveryError, "endpoint_refused", "not_sent"),
        (redirect("http://127.0.0.1:9/"), DeliveryError, "redirected", "not_sent"),
        (Answer(200, b"<html>Log in", {"Content-Type": "text/html"}), OutcomeUnknown, "outcome_unknown", "unknown"),
        (Truncated(), OutcomeUnknown, "outcome_unknown", "unknown"),
    ],
    ids=["400", "404", "redirect", "web page", "cut off"],
)
def test_what_is_not_tried_again(tmp_path, behaviour, kind, code, outcome):
    """One request, and an error that carries the receipt."""
    with FaultServer([behaviour]) as server:
        error = make_project(tmp_path, server.url).error()
    assert isinstance(error, kind)
    assert (error.code, error.receipt.outcome, error.receipt.attempts) == (code, outcome, 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"OK", b"{broken", b"[]", b"\xff\xfe\x00", b"null"])
def test_any_text_behind_a_200_is_an_acceptance(tmp_path, body):
    """No crash, whatever it is."""
    with FaultServer([Answer(200, body)]) as server:
        assert make_project(tmp_path, server.url).send().outcome == "accepted"


AMBIGUOUS = [Close(), CloseAfterHeaders(), Reset(), Hang(), Drip(0.05), Answer(500), Answer(408)]


@pytest.mark.parametrize("behaviour", AMBIGUOUS, ids=repr)
def test_after_doubt_retry_sends_again_and_says_so(tmp_path, behaviour):
    """Accepted in the end, perhaps twice."""
    with FaultServer([behaviour, Answer()]) as server:
        receipt = make_project(tmp_path, server.url, timeout="2s").send()
    assert (receipt.outcome, receipt.attempts, receipt.possible_duplicate) == ("accepted", 2, True)
    assert len(server.requests) == 2


@pytest.mark.parametrize("behaviour", AMBIGUOUS, ids=repr)
def test_after_doubt_hold_sends_nothing_more(tmp_path, behaviour):
    """Exactly one request, and the outcome is unknown."""
    with FaultServer([behaviour, Answer()]) as server:
        error = make_project(tmp_path, server.url, on_ambiguous="hold", timeout="2s").error()
    assert isinstance(error, OutcomeUnknown)
    assert (error.exit_status, error.receipt.outcome) == (1, "unknown")
    assert len(server.requests) == 1


def test_a_total_outage_ends_as_not_sent(tmp_path):
    """Nothing left, so it may be sent again; and it says what to look at."""
    with refusing_address() as url:
        error = make_project(tmp_path, url, max_attempts=3, on_ambiguous="hold").error()
    assert isinstance(error, Unreachable)
    assert (error.code, error.exit_status, error.receipt.outcome) == ("unreachable", 4, "not_sent")
    assert error.receipt.attempts == 3


def test_the_deadline_holds_over_all_attempts(tmp_path):
    """Connecting never ends, and neither does trying again."""
    with unanswering_address() as url, takes(0.8, 15):
        error = make_project(tmp_path, url, timeout="300ms", deadline="1s", max_attempts=100).error()
    # On a slow machine, the deadline may pass just before one more attempt.
    assert (error.receipt.outcome, error.code in ("unreachable", "deadline_passed")) == ("not_sent", True)


# -- Retry-After


def ago(**past):
    return format_datetime(datetime.now(UTC) - timedelta(**past), usegmt=True)


@pytest.mark.parametrize(
    "value", ["0", "-5", "junk", "", "1e3", "٣", "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 99 Foo 2026 25:61:61 GMT"]
)
def test_a_retry_after_that_asks_for_nothing_costs_nothing(tmp_path, value):
    """The next attempt comes after the usual wait."""
    script = [Answer(429, b"", {"Retry-After": value.encode().decode("latin-1")}), Answer()]
    with FaultServer(script) as server, takes(0, 15):
        assert make_project(tmp_path, server.url).send().attempts == 2


def test_a_retry_after_is_waited_for(tmp_path):
    """Seconds."""
    with FaultServer([Answer(429, b"", {"Retry-After": "1"}), Answer()]) as server, takes(1.0, 15):
        assert make_project(tmp_path, server.url).send().attempts == 2


@pytest.mark.parametrize("value", ["120", "9" * 400, "date"])
def test_a_retry_after_beyond_the_deadline_ends_the_send_at_once(tmp_path, value):
    """The caller hears that Metrix asks to come back later."""
    value = ago(minutes=-10) if value == "date" else value
    with FaultServer([Answer(429, b"", {"Retry-After": value})]) as server, takes(0, 15):
        error = make_project(tmp_path, server.url).error()
    assert (error.code, error.exit_status, error.receipt.outcome) == ("unavailable", 4, "not_sent")
    assert len(server.requests) == 1


# -- the environment


def test_the_environment_decides_nothing(tmp_path, monkeypatch):
    """No proxy, no authority, no file of session keys, for the whole send."""
    with FaultServer() as trap, FaultServer() as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, trap.url)
        for name in ("SSL_CERT_FILE", "SSLKEYLOGFILE"):
            monkeypatch.setenv(name, str(tmp_path / "nowhere" / name))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert make_project(tmp_path, server.url).send().outcome == "accepted"
        secure = make_project(tmp_path, "https://127.0.0.1:9", max_attempts=1)
        assert secure.error().code == "unreachable"
    assert trap.connections_accepted == 0


def test_what_json_cannot_carry_is_refused_before_anything_is_written_down(tmp_path):
    """A lone surrogate: no intent, no request."""
    with FaultServer() as server:
        project = make_project(tmp_path, server.url)
        assert project.error("hello", {"name": "\ud800"}).exit_status == 2
    assert server.requests == []
    assert not project.ledger.exists() or project.query("SELECT * FROM attempts") == []
