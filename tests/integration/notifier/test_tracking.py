"""Users and events over a real socket: unique ids and times, batches by user, and the retries of messages."""

import asyncio
import json
import re
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest

from helpers.command_line import eventually
from helpers.damage import hold_lock
from helpers.fault_server import Answer, FaultServer, Hang, refusing_address
from helpers.project import make_project
from helpers.tracking import track_in_processes
from metrix_channels import AsyncNotifier, MetrixUser, Notifier
from metrix_channels.errors import CredentialsRefused, EventInvalid, OutcomeUnknown, Rejected, Unreachable, UsageError
from metrix_channels.ledger.sqlite import connection as sqlite
from metrix_channels.notifier.events import tracker
from metrix_channels.outcomes import Outcome

AT = 1_795_000_000_000
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@contextmanager
def notifier_of(folder, script, **settings):
    """A server that follows the script, and a notifier that speaks to it."""
    with (
        FaultServer(script) as server,
        Notifier.from_config(make_project(folder, server.url, **settings).config) as one,
    ):
        yield server, one


def bodies(server):
    return [json.loads(request.body) for request in server.requests]


def test_a_user_and_an_event_as_metrix_documents_them(tmp_path):
    """`POST /`, with the headers of every request."""
    with notifier_of(tmp_path, [Answer(200)]) as (server, notifier):
        known = notifier.identify("user-42", first_name="سارا")
        paid = notifier.track("user-42", name="order_paid", revenue=12.5, time=datetime.fromtimestamp(AT / 1000, UTC))
    assert [(request.method, request.path) for request in server.requests] == [("POST", "/"), ("POST", "/")]
    assert server.requests[0].headers["x-application-id"] == "app-1"
    first, second = bodies(server)
    assert first == {
        "customUserId": "user-42",
        "messages": [
            {"type": "user", "id": known.id, "time": round(known.time.timestamp() * 1000), "firstName": "سارا"}
        ],
    }
    assert second["messages"] == [
        {"type": "revenue", "id": paid.id, "time": AT, "customName": "order_paid", "revenue": 12.5}
    ]
    assert UUID4.fullmatch(known.id)
    assert UUID4.fullmatch(paid.id)
    assert (paid.outcome, paid.attempts, paid.status_code) == (Outcome.ACCEPTED, 1, 200)


def test_an_event_keeps_its_id_and_time_over_retries(tmp_path):
    """Metrix drops the second of two, should it have taken the first."""
    with notifier_of(tmp_path, [Answer(503), Answer(500), Answer(200)]) as (server, notifier):
        receipt = notifier.track("u", name="x")
    first, *others = bodies(server)
    assert len(others) == 2
    assert others == [first, first]
    assert (receipt.attempts, receipt.possible_duplicate) == (3, True)


@pytest.mark.parametrize(
    ("behaviour", "settings", "kind", "outcome"),
    [
        (Answer(400, b"no"), {}, Rejected, Outcome.REJECTED),
        (Answer(403), {}, CredentialsRefused, Outcome.NOT_SENT),
        (Answer(503), {"max_attempts": 2}, Unreachable, Outcome.NOT_SENT),
        (Hang(), {"timeout": "1s", "on_ambiguous": "hold"}, OutcomeUnknown, Outcome.UNKNOWN),
    ],
)
def test_what_is_not_accepted_is_an_error_with_the_receipt(tmp_path, behaviour, settings, kind, outcome):
    """As with messages; `.event` tells what became of it."""
    with notifier_of(tmp_path, [behaviour], **settings) as (_server, notifier), pytest.raises(kind) as raised:
        notifier.track("u", name="x")
    assert raised.value.event.outcome is outcome
    assert raised.value.event.user == "u"


def test_a_time_given_twice_is_refused_before_a_request(tmp_path):
    """Also by another process; but not when the first one was certainly not taken."""
    with notifier_of(tmp_path, [Answer(400), Answer(200)]) as (server, notifier):
        with pytest.raises(Rejected):
            notifier.track("u", name="x", time=AT)
        notifier.track("u", name="x", time=AT)
        for _ in range(2):
            with pytest.raises(EventInvalid) as raised:
                notifier.track("u", name="y", time=AT)
            assert raised.value.code == "event_time_repeated"
        notifier.track("other", name="y", time=AT)
        notifier.track(MetrixUser("u"), name="y", time=AT)
    assert len(server.requests) == 4


def test_a_doubtful_event_may_be_sent_again(tmp_path):
    """With its own time: Metrix drops it, should it have the first."""
    with notifier_of(tmp_path, [Hang(), Answer(200)], timeout="1s", on_ambiguous="hold") as (_server, notifier):
        with pytest.raises(OutcomeUnknown):
            notifier.track("u", name="x", time=AT)
        assert notifier.track("u", name="x", time=AT).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(("status", "kind"), [(500, OutcomeUnknown), (400, Rejected)])
def test_the_outcome_of_an_event_is_told_though_the_ledger_fails(tmp_path, monkeypatch, status, kind):
    """The request was made, so that the ledger cannot be used is not the whole truth."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    locks = []

    def lock(_):
        if locks:
            return Answer(200)
        locks.append(hold_lock(tmp_path / "ledger.db"))
        return Answer(status)

    with notifier_of(tmp_path, lock, max_attempts=1) as (server, notifier):
        with pytest.raises(kind) as caught:
            notifier.track("u", name="x", time=AT)
        with locks[0]:
            pass
        assert (caught.value.event.user, len(server.requests)) == ("u", 1)
        assert notifier.track("u", name="x", time=AT).outcome is Outcome.ACCEPTED


def test_a_ledger_that_fails_between_many_events_halts_with_the_report(tmp_path, monkeypatch):
    """What was sent before is not hidden by an error."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(tracker, "_A_CHUNK", 2)
    locks = []

    def lock(_):
        if not locks:
            locks.append(hold_lock(tmp_path / "ledger.db"))
        return Answer(200)

    with notifier_of(tmp_path, lock, concurrency=1) as (server, notifier):
        report = notifier.track_many([{"user": f"u{number}", "name": "x"} for number in range(5)])
        with locks[0]:
            pass
        assert (report.accepted, report.not_sent, report.pending) == (2, 3, 0)
        assert (report.halted_by.code, len(server.requests)) == ("ledger_locked", 2)


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"name": "x", "revenue": "12.5"}, "revenue_invalid", "`revenue`"),
        ({"name": "x", "time": 1_795_000_000}, "event_time_invalid", "`time`"),
        ({"name": "x", "slug": "abcde"}, "event_name_invalid", "`slug`"),
        ({"name": ""}, "event_name_invalid", "`name`"),
        ({"name": "y"}, "event_name_unknown", "`name`"),
    ],
)
def test_a_wrong_event_makes_no_request(tmp_path, arguments, code, field):
    """Nor does it touch the ledger."""
    with FaultServer([Answer(200)]) as server:
        project = make_project(tmp_path, server.url)
        project.config.write_text(json.dumps(json.loads(project.config.read_text()) | {"taxonomy": ["x"]}))
        with Notifier.from_config(project.config) as notifier, pytest.raises(EventInvalid) as raised:
            notifier.track("u", **arguments)
    assert (raised.value.code, server.requests) == (code, [])
    assert field in raised.value.message
    assert not project.ledger.exists()


def test_a_birthday_in_the_future_makes_no_request(tmp_path):
    """As with events."""
    with notifier_of(tmp_path, [Answer(200)]) as (server, notifier), pytest.raises(EventInvalid) as raised:
        notifier.identify("u", birthday=datetime(2090, 1, 1, tzinfo=UTC))
    assert (raised.value.code, server.requests) == ("birthday_invalid", [])


def test_many_events_share_requests_by_user(tmp_path):
    """Up to 100 of one user; those of others go with their own."""
    records = [{"user": f"u{at % 3}", "name": "x", "attributes": {"n": at}} for at in range(450)]
    with notifier_of(tmp_path, [Answer(200)]) as (server, notifier):
        report = notifier.track_many(records)
    assert (report.events, report.accepted, report.batches, report.pending) == (450, 450, 6, 0)
    sent = [
        (body["customUserId"], message["attributes"]["n"]) for body in bodies(server) for message in body["messages"]
    ]
    assert sorted(sent) == sorted((f"u{at % 3}", at) for at in range(450))
    for body in bodies(server):
        moments = [message["time"] for message in body["messages"]]
        assert moments == sorted(set(moments))


def test_a_refused_message_among_many_is_found(tmp_path):
    """By halving, as with recipients: the others are accepted, and the report names the record."""
    with notifier_of(tmp_path, lambda request: Answer(400 if b'"bad"' in request.body else 200)) as (_server, notifier):
        records = [{"user": "u", "name": "bad" if at == 37 else "x"} for at in range(100)]
        report = notifier.track_many(records)
    assert (report.accepted, report.rejected) == (99, 1)
    [failure] = report.failures
    assert (failure.record, failure.error.code) == (38, "rejected")


def test_one_wrong_record_and_nothing_is_sent(tmp_path):
    """The file is checked whole first; the error names the line."""
    file = tmp_path / "events.jsonl"
    lines = [{"user": "u", "name": "x"}] * 5000 + [{"user": "u", "name": "x", "revenue": "1"}]
    file.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    with notifier_of(tmp_path, [Answer(200)]) as (server, notifier), pytest.raises(EventInvalid) as raised:
        notifier.track_many(file)
    assert (raised.value.code, raised.value.location) == ("revenue_invalid", f"{file}:10001")
    assert server.requests == []


@pytest.mark.parametrize("text", ['{"user": "u", "user": "v", "name": "x"}', "[1]", "{", '{"user": NaN}', "\ufeff\x00"])
def test_a_line_that_is_no_record_is_refused(tmp_path, text):
    """With the reason, and its place."""
    file = tmp_path / "events.jsonl"
    file.write_text(text, encoding="utf-8")
    with notifier_of(tmp_path, [Answer(200)]) as (_, notifier), pytest.raises(EventInvalid) as raised:
        notifier.track_many(file)
    assert (raised.value.code, raised.value.location) == ("record_invalid", f"{file}:1")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    """Missing, no UTF-8, or something that cannot be read twice."""
    foreign = tmp_path / "cp1256.jsonl"
    foreign.write_bytes("سلام".encode("cp1256"))
    with notifier_of(tmp_path, [Answer(200)]) as (server, notifier):
        for path in (tmp_path / "missing.jsonl", foreign, tmp_path):
            with pytest.raises(UsageError) as raised:
                notifier.identify_many(path)
            assert raised.value.code == "file_unreadable"
        with pytest.raises(TypeError, match="a list or a tuple"):
            notifier.identify_many(iter([{"user": "u"}]))
    assert server.requests == []


def test_an_outage_halts_and_the_file_is_sent_again_without_repetition(tmp_path):
    """Few requests are wasted; what was accepted is not sent twice, what was not is."""
    records = [{"user": f"u{at}", "name": "x", "time": AT + at} for at in range(300)]
    asked, is_up = count(1), threading.Event()

    def answer(_request):
        return Answer(200 if next(asked) <= 100 or is_up.is_set() else 503)

    with notifier_of(tmp_path, answer, concurrency=4, max_attempts=2) as (server, notifier):
        first = notifier.track_many(records)
        assert (first.accepted, first.not_sent, first.halted_by.code) == (100, 200, "unavailable")
        assert len(server.requests) <= 100 + 4 * 2
        is_up.set()
        again = notifier.track_many(records)
        assert (again.accepted, again.repeated, again.halted_by) == (200, 100, None)
    arrived = [body["customUserId"] for body in bodies(server)]
    assert set(arrived) == {f"u{at}" for at in range(300)}


def test_nothing_is_reachable(tmp_path):
    """The report says so, and nothing is lost: all of it is not sent."""
    with refusing_address() as url:
        config = make_project(tmp_path, url, max_attempts=2, concurrency=4).config
        with Notifier.from_config(config) as notifier:
            report = notifier.identify_many([{"user": f"u{at}"} for at in range(5000)])
    assert (report.not_sent, report.halted_by.code) == (5000, "unreachable")


def test_events_are_told_of_while_they_go(tmp_path):
    """For a bar: the counts add up each time."""
    seen = []
    with notifier_of(tmp_path, [Answer(200)]) as (_server, notifier):
        notifier.track_many([{"user": f"u{at}", "name": "x"} for at in range(50)], watch=seen.append)
    assert [report.accepted for report in seen] == list(range(1, 51))
    assert all(report.accepted + report.pending == report.events == 50 for report in seen)


def test_a_cancelled_event_may_be_sent_again(tmp_path):
    """Its time stays its own."""

    async def run(config):
        async with AsyncNotifier.from_config(config) as notifier:
            first = asyncio.create_task(notifier.track("u", name="x", time=AT))
            await eventually(lambda: server.requests)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return await notifier.track("u", name="x", time=AT)

    with FaultServer([Hang(), Answer(200)]) as server:
        assert asyncio.run(run(make_project(tmp_path, server.url).config)).outcome is Outcome.ACCEPTED


def test_the_attempt_that_failed_is_kept_for_support(tmp_path):
    """With the request as it was, and the user as its reference."""
    with FaultServer([Answer(400, b"no such event")]) as server:
        project = make_project(tmp_path, server.url)
        with Notifier.from_config(project.config) as notifier, pytest.raises(Rejected):
            notifier.track("user-42", name="x")
    assert project.query("SELECT reference, path, status FROM evidence") == [("user-42", "/", 400)]


@pytest.mark.parametrize(
    ("calls", "events"),
    [(1, 625), (20, 1), pytest.param(625, 1, marks=pytest.mark.long)],
)
def test_no_event_of_one_user_is_dropped(metrix_sandbox, metrix_config, calls, events):
    """10,000 from two processes with eight threads each, in one second: all ids and all times are different.

    In batches, as many as that; each of them a call of its own in `make long`, and a few here.
    """
    began = time.time_ns() // 1_000_000
    track_in_processes(metrix_config(), processes=2, threads=8, calls=calls, events=events)
    found = metrix_sandbox.events()
    assert len(found) == 2 * 8 * calls * events
    assert [event["reason"] for event in found if not event["processed"]] == []
    messages = [event["message"] for event in found]
    assert len({message["id"] for message in messages}) == len(messages)
    moments = {message["time"] for message in messages}
    assert len(moments) == len(messages)
    assert min(moments) >= began
    assert max(moments) <= time.time_ns() // 1_000_000 + 60_000
