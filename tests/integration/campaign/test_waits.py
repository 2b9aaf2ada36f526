"""What begins while requests wait for their turn holds for them too: with real files, sockets and a real clock."""

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import people
from helpers.command_line import wait_until
from metrix_channels import CampaignError

ROWS = 40


class Wall:
    """The wall clock of the whole process, which can be set; as after a machine slept, no other clock notices."""

    def __init__(self, monkeypatch):
        self.ahead = timedelta(0)
        seconds = time.time
        monkeypatch.setattr(time, "time", lambda: seconds() + self.ahead.total_seconds())

    def now(self):
        return datetime.fromtimestamp(time.time(), UTC)


@pytest.fixture
def wall(monkeypatch):
    return Wall(monkeypatch)


def hours(wall, begins, ends):
    """Return quiet hours that begin and end so many hours from now."""
    times = (wall.now() + timedelta(hours=each) for each in (begins, ends))
    begin, end = (f"{moment:%H:%M}" for moment in times)
    return {"from": begin, "to": end, "timezone": "UTC"}


@contextmanager
def begun(project, path):
    """Begin a campaign; end it when the test fails, since it might wait for hours."""
    with project.notifier() as notifier:
        handle = notifier.campaigns.start(path)
        try:
            yield notifier, handle
        finally:
            notifier.stop()


def is_waiting(notifier):
    """Tell whether a run shows that it waits for a time of day."""
    try:
        return notifier.campaigns.status("offer").state == "waiting"
    except CampaignError:
        return False  # not planned yet


class Watched(AccountingServer):
    """Notes when each request arrived, and does something at one of them."""

    def __init__(self, at, what, answer=Taken()):  # noqa: B008 - frozen
        self.moments = []
        lock = threading.Lock()

        def script(*_):
            with lock:
                self.moments.append(time.monotonic())
                if len(self.moments) == at:
                    what()
                    return answer
            return Taken()

        super().__init__(script)

    def is_silent(self, seconds):
        """Tell whether nothing more arrives for some seconds."""
        before = len(self.moments)
        time.sleep(seconds)
        return len(self.moments) == before


LIMITS = [{"campaign": {"limits": {"rate": "2/s"}}}, {"metrix": {"rate_limit": "2/s"}}]


def prepared(project, server, limits, **keys):
    project.configure(server.url, batch_size=1, concurrency=8, **limits.get("metrix", {}))
    project.audience(people(ROWS))
    return project.campaign(**limits.get("campaign", {}), **keys)


@pytest.mark.parametrize("limits", LIMITS)
def test_quiet_hours_hold_for_requests_that_wait_for_their_place(project, wall, limits):
    """They begin after three requests; the others had their places already. They end, and the run goes on at once."""

    def become_quiet():
        wall.ahead += timedelta(hours=2)

    quiet = hours(wall, 1, 3)
    with Watched(3, become_quiet) as server:
        path = prepared(project, server, limits, quiet_hours=quiet)
        with begun(project, path) as (notifier, _):
            wait_until(lambda: is_waiting(notifier), 60)
            assert server.is_silent(3)
            assert len(server.moments) == 3
            wall.ahead += timedelta(hours=2)
            wait_until(lambda: len(server.moments) > 3, 60)
    assert server.twice == set()


@pytest.mark.parametrize("limits", LIMITS)
def test_retry_after_holds_for_requests_that_wait_for_their_place(project, limits):
    """Nothing leaves within the seconds that Metrix asks for, then one alone."""
    answer = Taken(429, taken=False, headers={"Retry-After": "4"})
    with Watched(3, lambda: None, answer) as server:
        path = prepared(project, server, limits)
        with begun(project, path):
            wait_until(lambda: len(server.moments) >= 5, 60)
    assert server.moments[3] - server.moments[2] >= 3.9


@pytest.mark.parametrize("limits", LIMITS)
def test_a_withdrawn_verification_holds_for_requests_that_wait_for_their_place(project, limits):
    """It ends the run at once, with nobody in doubt."""
    with Watched(3, lambda: project.configure(server.url, verified=False, **limits.get("metrix", {}))) as server:
        path = prepared(project, server, limits)
        with project.notifier() as notifier:
            found = notifier.campaigns.run(path)
    assert len(server.moments) == 3
    assert (found.state, found.halted_by.code) == ("halted", "channel_unverified")
    assert (found.accepted, found.pending, found.requests) == (3, ROWS - 3, 3)


@pytest.mark.parametrize("limits", [{"campaign": {"limits": {"rate": "3/m"}}}, {"metrix": {"rate_limit": "3/m"}}])
def test_a_run_that_waits_for_places_stops_at_once(project, limits):
    """With twenty seconds between two places, and eight requests that wait for theirs."""
    with Watched(1, lambda: None) as server:
        path = prepared(project, server, limits)
        with begun(project, path) as (notifier, handle):
            wait_until(lambda: len(server.moments) == 1, 60)
            notifier.stop()
            found = handle.wait(60)
    assert (found.state, found.accepted, len(server.moments)) == ("interrupted", 1, 1)


def test_a_first_request_that_comes_too_late_for_the_schedule_does_not_leave(project, wall):
    """Quiet hours held it back for longer than the schedule allows."""
    with Watched(0, lambda: None) as server:
        at = wall.now()
        schedule = {"at": at.isoformat(), "max_lateness": "30m"}
        path = prepared(project, server, {}, schedule=schedule, quiet_hours=hours(wall, -1, 2))
        with begun(project, path) as (notifier, handle):
            wait_until(lambda: is_waiting(notifier), 60)
            wall.ahead += timedelta(hours=4)
            found = handle.wait()
    assert (found.state, found.halted_by.code) == ("halted", "schedule_missed")
    assert (server.moments, found.pending) == ([], ROWS)


@pytest.mark.parametrize("waits_for", ["the end of quiet hours", "its schedule"])
def test_a_run_goes_on_when_the_clock_says_that_the_time_of_day_has_come(project, wall, waits_for):
    """A machine that slept for hours: its wall clock is ahead, and the clock that counts seconds is not."""
    if waits_for == "its schedule":
        keys = {"schedule": {"at": (wall.now() + timedelta(hours=2)).isoformat(), "max_lateness": "1h"}}
    else:
        keys = {"quiet_hours": hours(wall, -1, 2)}
    with Watched(0, lambda: None) as server:
        path = prepared(project, server, {}, **keys)
        with begun(project, path) as (notifier, handle):
            wait_until(lambda: is_waiting(notifier), 60)
            assert server.moments == []
            wall.ahead += timedelta(hours=2, minutes=1)
            wait_until(lambda: len(server.account) == ROWS, 20)
            assert handle.wait().state == "finished"
