"""When a campaign may send."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from metrix_channels.campaign.calendar import quiet_until, too_late
from metrix_channels.campaign.definition import QuietHours, Schedule


def quiet(begins: str, ends: str, zone: str) -> QuietHours:
    """Make quiet hours of two clock times in a zone."""
    return QuietHours(from_=time.fromisoformat(begins), to=time.fromisoformat(ends), timezone=ZoneInfo(zone))


def until(now: str, hours: QuietHours) -> str | None:
    """Return when the quiet ends, both times in UTC."""
    end = quiet_until(datetime.fromisoformat(now).replace(tzinfo=UTC), hours)
    assert end is None or end.tzinfo is UTC
    return None if end is None else end.isoformat(" ", "minutes").removesuffix("+00:00")


NIGHT = quiet("22:00", "08:00", "Asia/Tehran")
NOON = quiet("12:00", "14:00", "Asia/Tehran")
BERLIN = quiet("22:00", "08:00", "Europe/Berlin")
LORD_HOWE = quiet("22:00", "08:00", "Australia/Lord_Howe")


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-20 18:29:59.999999", None),
        ("2026-11-20 18:30", "2026-11-21 04:30"),
        ("2026-11-20 20:29:59", "2026-11-21 04:30"),
        ("2026-11-20 20:30", "2026-11-21 04:30"),
        ("2026-11-21 04:29:59.999999", "2026-11-21 04:30"),
        ("2026-11-21 04:30", None),
        ("2026-11-21 12:00", None),
    ],
)
def test_a_window_over_midnight(now: str, end: str | None) -> None:
    """It begins in the evening and ends the next morning; its end is outside."""
    assert until(now, NIGHT) == end


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-20 08:29:59", None),
        ("2026-11-20 08:30", "2026-11-20 10:30"),
        ("2026-11-20 10:29:59", "2026-11-20 10:30"),
        ("2026-11-20 10:30", None),
        ("2026-11-20 20:30", None),
    ],
)
def test_a_window_within_a_day(now: str, end: str | None) -> None:
    """It begins and ends on one day."""
    assert until(now, NOON) == end


@pytest.mark.parametrize("now", ["2026-03-21 19:00", "2026-03-22 19:00", "2026-06-21 19:00", "2026-09-21 19:00"])
def test_tehran_has_one_offset_all_year(now: str) -> None:
    """Since 2022 Iran does not change its clocks; at Nowruz neither."""
    end = until(now, NIGHT)
    assert end is not None
    assert end.endswith(" 04:30")


def test_midnight_itself() -> None:
    """It can begin a window and end one."""
    evening = quiet("20:00", "00:00", "UTC")
    morning = quiet("00:00", "06:00", "UTC")
    assert until("2026-11-20 23:59", evening) == "2026-11-21 00:00"
    assert until("2026-11-21 00:00", evening) is None
    assert until("2026-11-20 23:59", morning) is None
    assert until("2026-11-21 00:00", morning) == "2026-11-21 06:00"


def test_any_zone_of_now_is_the_same_moment() -> None:
    """The answer does not depend on how the moment is written."""
    now = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    for zone in ("Asia/Tehran", "America/New_York", "Pacific/Kiritimati"):
        assert quiet_until(now.astimezone(ZoneInfo(zone)), NIGHT) == datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "end", "hours"),
    [
        ("2026-03-28 20:59", None, BERLIN),
        ("2026-03-28 21:00", "2026-03-29 06:00", BERLIN),
        ("2026-03-29 05:59", "2026-03-29 06:00", BERLIN),
        ("2026-03-29 06:00", None, BERLIN),
        ("2026-10-24 19:59", None, BERLIN),
        ("2026-10-24 20:00", "2026-10-25 07:00", BERLIN),
        ("2026-10-25 06:59", "2026-10-25 07:00", BERLIN),
        ("2026-10-25 07:00", None, BERLIN),
        ("2026-10-03 12:00", "2026-10-03 21:00", LORD_HOWE),
        ("2026-04-04 12:00", "2026-04-04 21:30", LORD_HOWE),
    ],
)
def test_a_night_in_which_the_clocks_change(now: str, end: str | None, hours: QuietHours) -> None:
    """It lasts an hour less in spring and an hour more in autumn: eight o'clock is eight on the wall."""
    assert until(now, hours) == end


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-10-25 00:14", None),
        ("2026-10-25 00:15", "2026-10-25 01:45"),  # 02:15, the first time
        ("2026-10-25 01:14", "2026-10-25 01:45"),  # 02:14, the second time
        ("2026-10-25 01:44", "2026-10-25 01:45"),  # 02:44, the second time
        ("2026-10-25 01:45", None),
    ],
)
def test_times_that_the_clocks_show_twice(now: str, end: str | None) -> None:
    """Quiet from the first beginning to the last end."""
    assert until(now, quiet("02:15", "02:45", "Europe/Berlin")) == end


@pytest.mark.parametrize("window", [("02:30", "05:00"), ("23:00", "02:30")])
def test_times_that_the_clocks_skip(window: tuple[str, str]) -> None:
    """Whenever the clock on the wall shows a time of the window, it is quiet."""
    hours = quiet(*window, "Europe/Berlin")
    start = datetime(2026, 3, 28, 20, tzinfo=UTC)
    for minutes in range(0, 12 * 60, 5):
        now = start + timedelta(minutes=minutes)
        shown = now.astimezone(hours.timezone).time()
        inside = hours.from_ <= shown < hours.to if hours.from_ < hours.to else not hours.to <= shown < hours.from_
        if inside:
            assert quiet_until(now, hours) is not None, now


def test_a_midnight_that_the_clocks_skip() -> None:
    """In Beirut 00:00 is followed by 01:00 in spring: what begins at 00:15 has begun at 01:00."""
    hours = quiet("00:15", "06:00", "Asia/Beirut")
    assert until("2026-03-28 22:00", hours) == "2026-03-29 03:00"
    assert until("2026-03-28 21:15", hours) == "2026-03-29 03:00"
    assert until("2026-03-28 21:14", hours) is None


def test_too_late() -> None:
    """The last moment is still in time, and early is never late."""
    at = datetime(2026, 3, 20, 10, tzinfo=ZoneInfo("Asia/Tehran"))
    schedule = Schedule(at=at, max_lateness=timedelta(minutes=30))
    last = datetime(2026, 3, 20, 7, tzinfo=UTC)
    assert not too_late(at - timedelta(days=1), schedule)
    assert not too_late(last, schedule)
    assert too_late(last + timedelta(microseconds=1), schedule)


def test_the_end_of_time() -> None:
    """A schedule at the calendar's last moment is no fault of arithmetic."""
    schedule = Schedule(at=datetime.max.replace(tzinfo=UTC), max_lateness=timedelta(days=3660))
    assert not too_late(datetime(2026, 3, 20, tzinfo=UTC), schedule)
