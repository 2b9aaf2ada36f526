"""The wall clock is set while a run goes on: what only lasts takes no notice, what waits for a time of day follows."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import people
from helpers.command_line import wait_until

AHEAD = timedelta(days=365, hours=6)
ROWS = 60


class Wall:
    """By how much the wall clock is set ahead."""

    def __init__(self) -> None:
        self.shift = timedelta(0)


@pytest.fixture
def wall(monkeypatch):
    """The wall clock of the whole process, which can be set."""
    clock, seconds = Wall(), time.time
    monkeypatch.setattr(time, "time", lambda: seconds() + clock.shift.total_seconds())
    return clock


def is_still(server):
    """Whether nothing is under way any more, so that nothing but the clock could make the run go on."""
    before = len(server.requests)
    time.sleep(1)
    return len(server.requests) == before


@contextmanager
def stopping(notifier):
    """End the run when the test fails: it would go on waiting."""
    try:
        yield
    finally:
        notifier.stop()


def jumping(wall, answer):
    """Answer as a server does whose clock, too, is set a year ahead after 20 requests, and back after 40."""
    count = 0

    def decide(*_):
        nonlocal count
        count += 1
        wall.shift = AHEAD if 20 <= count < 40 else timedelta(0)
        return answer(count)

    return decide


def taken(_count):
    return Taken()


def busy(count):
    """Every tenth answer asks to wait, by a date of a clock that is a year ahead."""
    now = datetime.now(UTC) + AHEAD
    dates = {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(now, usegmt=True)}
    return Taken(503, taken=False, headers=dates) if count % 10 == 0 else Taken()


@pytest.mark.parametrize("answer", [taken, busy])
@pytest.mark.parametrize("limits", [{}, {"rate_limit": "60/s"}])
def test_a_run_goes_on_when_the_clock_is_set(project, wall, answer, limits):
    """A year ahead and back: limits, waits and the circuit breaker count seconds, whatever the date is."""
    with AccountingServer(jumping(wall, answer)) as server:
        project.configure(server.url, batch_size=1, concurrency=4, **limits)
        project.audience(people(ROWS))
        with project.notifier() as notifier, stopping(notifier):
            handle = notifier.campaigns.start(project.campaign())
            wait_until(lambda: len(server.account) == ROWS, 60)
            assert server.twice == set()
            assert handle.wait().state == "finished"


def test_quiet_hours_end_when_the_clock_is_set_back(project, wall):
    """Into them and out again: nobody waits for an end that lies hours ahead no longer."""
    then = datetime.now(UTC) + AHEAD
    window = {
        "from": f"{then - timedelta(hours=1):%H:%M}",
        "to": f"{then + timedelta(hours=2):%H:%M}",
        "timezone": "UTC",
    }
    with AccountingServer() as server:
        project.configure(server.url, batch_size=1, concurrency=2, rate_limit="40/s")
        project.audience(people(ROWS))
        with project.notifier() as notifier, stopping(notifier):
            handle = notifier.campaigns.start(project.campaign(quiet_hours=window))
            wait_until(lambda: len(server.account) >= 10, 60)
            wall.shift = AHEAD
            wait_until(lambda: notifier.campaigns.status("offer").state == "waiting", 60)
            wait_until(lambda: is_still(server), 60)
            wall.shift = timedelta(0)
            wait_until(lambda: len(server.account) == ROWS, 60)
            assert handle.wait().state == "finished"
