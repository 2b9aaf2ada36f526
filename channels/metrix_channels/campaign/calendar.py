"""When a campaign may send: quiet hours and schedules, as pure functions of the time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .definition import QuietHours, Schedule


def quiet_until(now: datetime, quiet: QuietHours) -> datetime | None:
    """Return when the quiet hours that `now` lies in end; None outside of them.

    Args:
        now: aware.
        quiet: a window of wall-clock time, which may lie over midnight. Where the clocks change, and show its
            beginning or end twice or not at all, the longer reading holds.

    Returns:
        In UTC.
    """
    today = now.astimezone(quiet.timezone).date()
    nights = timedelta(days=int(quiet.to < quiet.from_))
    for days in (-1, 0, 1):  # tomorrow's, too: where the clocks skip midnight, its longer reading begins today
        day = today + timedelta(days=days)
        begins = min(_readings(day, quiet.from_, quiet.timezone))
        ends = max(_readings(day + nights, quiet.to, quiet.timezone))
        if begins <= now < ends:
            return ends
    return None


def _readings(day: date, clock: time, zone: ZoneInfo) -> list[datetime]:
    """Return the moments that a time on the wall may mean; they differ only where the clocks change."""
    # In UTC: between times of one zone Python would compare what the clocks on the wall show.
    return [datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1)]


def too_late(now: datetime, schedule: Schedule) -> bool:
    """Tell whether a run may no longer begin."""
    return now - schedule.at > schedule.max_lateness
