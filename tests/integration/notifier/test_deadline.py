"""`deadline=`: whatever holds a send up, its caller hears within that time what is known.

The configuration allows an hour for everything, so that a wait which the deadline does not end would be noticed.
"""

import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest
from attrs import frozen

from helpers.fault_server import Answer, FaultServer, Hang
from helpers.project import make_project, takes, unanswering_address
from metrix_channels import Notifier
from metrix_channels.errors import LedgerError, OutcomeUnknown, Unreachable, UsageError
from metrix_channels.ledger.sqlite import connection as sqlite

HELLO = ("sms", "u1", "hello", {"name": "x"})


def patient(folder, url, **metrix):
    return make_project(folder, url, **{"timeout": "1h", "deadline": "1h", **metrix})


@contextmanager
def locked(project, lock="IMMEDIATE"):
    """Hold the lock that writers need, as a backup or another tool might; EXCLUSIVE keeps readers out too."""
    with closing(sqlite3.connect(project.ledger, isolation_level=None, timeout=30)) as connection:
        connection.execute(f"BEGIN {lock}")
        yield
        connection.execute("ROLLBACK")


@frozen
class AnswerWhen:
    """Answers once it may, and says when it was asked."""

    asked: threading.Event
    may: threading.Event
    answer: Answer

    def play(self, conversation):
        self.asked.set()
        self.may.wait(60)
        return self.answer.play(conversation)


def test_a_metrix_that_hangs(tmp_path):
    """The request had left: unknown. The same holds for a coroutine and for a thread."""
    with FaultServer([Hang()]) as server:
        project = patient(tmp_path, server.url)

        async def run():
            async with project.notifier() as notifier:
                await notifier.send(*HELLO, deadline=2)

        with takes(0, 30), pytest.raises(OutcomeUnknown) as caught:
            asyncio.run(run())
        assert caught.value.receipt.attempts == 1
        with Notifier.from_config(project.config) as notifier, takes(0, 30), pytest.raises(OutcomeUnknown):
            notifier.send(*HELLO, deadline=2)
    assert project.query("SELECT state FROM sends") == [("settled",)] * 2


def test_an_address_that_does_not_answer(tmp_path):
    """No byte left: not sent."""
    with unanswering_address() as url:
        notifier = Notifier.from_config(patient(tmp_path, url).config)
        with notifier, takes(0, 30), pytest.raises(Unreachable) as caught:
            notifier.send(*HELLO, deadline=0.5)
    assert caught.value.receipt.outcome == "not_sent"


def test_a_busy_metrix_that_asks_to_come_back_later(tmp_path):
    """A wait that would end after the deadline is not begun."""
    with FaultServer([Answer(503, headers={"Retry-After": "30"})]) as server:
        notifier = Notifier.from_config(patient(tmp_path, server.url).config)
        with notifier, takes(0, 25), pytest.raises(Unreachable) as caught:
            notifier.send(*HELLO, deadline=5)
    assert (caught.value.code, caught.value.receipt.attempts) == ("unavailable", 1)


def test_a_rate_limit_without_a_place(tmp_path):
    """One an hour: the second is not sent, and hears so."""
    with FaultServer() as server:
        with Notifier.from_config(patient(tmp_path, server.url, rate_limit="1/h").config) as notifier:
            notifier.send(*HELLO)
            with takes(0, 30), pytest.raises(Unreachable) as caught:
                notifier.send(*HELLO, deadline=5)
        assert len(server.requests) == 1
    assert (caught.value.code, caught.value.receipt.outcome) == ("unavailable", "not_sent")


def test_another_call_under_the_key(tmp_path):
    """It is waited for until the deadline."""
    asked, may = threading.Event(), threading.Event()
    with FaultServer([AnswerWhen(asked, may, Answer())]) as server:
        config = patient(tmp_path, server.url).config
        with Notifier.from_config(config) as first, Notifier.from_config(config) as second:
            thread = threading.Thread(target=lambda: first.send(*HELLO, key="k"))
            thread.start()
            assert asked.wait(60)
            with takes(0, 30), pytest.raises(LedgerError) as caught:
                second.send(*HELLO, key="k", deadline=2)
            may.set()
            thread.join()
    assert caught.value.code == "key_busy"


@pytest.mark.parametrize("key", [None, "k"])
def test_a_ledger_that_is_locked_before_the_request(tmp_path, key):
    """Nothing left, nothing is in doubt, and the key is free as soon as the ledger is."""
    with FaultServer() as server:
        project = patient(tmp_path, server.url)
        with Notifier.from_config(project.config) as notifier:
            notifier.send(*HELLO)
            with locked(project), takes(0, 30), pytest.raises((LedgerError, Unreachable)) as caught:
                notifier.send(*HELLO, key=key, deadline=0.5)
            assert (caught.value.code, caught.value.receipt.outcome) == ("deadline_passed", "not_sent")
            assert len(server.requests) == 1
            assert notifier.send(*HELLO, key=key).possible_duplicate is False
        assert len(server.requests) == 2
    assert project.query("SELECT count(*) FROM attempts WHERE disposition IS NULL") == [(0,)]


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_process_ends_while_the_ledger_is_still_locked(tmp_path, monkeypatch, key, lock):
    """Nothing left, so that nothing has to be written down: closing waits for no other process then."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 600)
    with FaultServer() as server:
        project = patient(tmp_path, server.url)
        project.send()
        with locked(project, lock):
            with Notifier.from_config(project.config) as notifier, pytest.raises((LedgerError, Unreachable)) as caught:
                notifier.send(*HELLO, key=key, deadline=0.5)
            assert caught.value.receipt.outcome == "not_sent"
        assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "disposition"), [(200, "accepted"), (400, "refused")])
def test_a_ledger_that_is_locked_after_the_request(tmp_path, monkeypatch, status, disposition):
    """The caller hears that the outcome is not written down yet; it is, as soon as the ledger can be written."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 600)
    asked, may = threading.Event(), threading.Event()
    with FaultServer([Answer(), AnswerWhen(asked, may, Answer(status))]) as server:
        project = patient(tmp_path, server.url)
        with Notifier.from_config(project.config) as notifier:
            notifier.send(*HELLO)
            found = []

            def send():
                with pytest.raises(LedgerError) as caught:
                    notifier.send(*HELLO, key="k", deadline=4)
                found.append(caught.value)

            thread = threading.Thread(target=send)
            thread.start()
            assert asked.wait(60)
            with locked(project):
                may.set()
                thread.join(60)
                assert found[0].code == "outcome_unrecorded"
        assert len(server.requests) == 2
    assert project.query("SELECT disposition FROM attempts")[1:] == [(disposition,)]


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf"), 86_401, True, "3s", "3"])
def test_a_deadline_is_a_number_of_seconds(tmp_path, deadline):
    """Anything else is a slip of the caller's, and nothing is sent."""
    with FaultServer() as server, Notifier.from_config(make_project(tmp_path, server.url).config) as notifier:
        with pytest.raises(UsageError, match="number of seconds above 0"):
            notifier.send(*HELLO, deadline=deadline)
        assert server.requests == []
