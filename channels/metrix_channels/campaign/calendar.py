"""When a campaign may send: quiet hours and schedules, as pure functions of the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .definition import QuietHours, Schedule


def quiet_until(now: datetime, quiet: QuietHours) -> datetime | None:
    """Return when the quiet hours that `now` lies in end; None outside of them.

    Args:
        now: aware.
        quiet: a window of wall-clock time, which may lie over midnight.
    """
    local = now.astimezone(quiet.timezone)
    over_midnight = quiet.to <= quiet.from_
    for days in (-1, 0):
        day = local.date() + timedelta(days=days)
        begins = datetime.combine(day, quiet.from_, quiet.timezone)
        ends = datetime.combine(day + timedelta(days=int(over_midnight)), quiet.to, quiet.timezone)
        # In UTC: between times of one zone Python would compare what the clocks on the wall show.
        if begins.astimezone(UTC) <= now < ends.astimezone(UTC):
            return ends.astimezone(UTC)
    return None


def too_late(now: datetime, schedule: Schedule) -> bool:
    """Tell whether a run may no longer begin."""
    return now > schedule.at + schedule.max_lateness
