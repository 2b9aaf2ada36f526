"""When a campaign may send: quiet hours and schedules."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..errors import CampaignError
from ..process import wall_clock
from .definition import QuietHours, Schedule


def quiet_until(now: datetime, quiet: QuietHours) -> datetime | None:
    """Return when the quiet hours that `now` lies in end, in UTC; None outside of them; see `next_quiet_hours`."""
    begins, ends = next_quiet_hours(now, quiet)
    return ends if begins <= now else None


def next_quiet_hours(now: datetime, quiet: QuietHours) -> tuple[datetime, datetime]:
    """Return when the quiet hours begin and end that `now` lies in, or the next ones.

    Args:
        now: aware.
        quiet: a window of wall-clock time, which may lie over midnight. Where the clocks change, and show its
            beginning or end twice or not at all, the longer reading holds.

    Returns:
        In UTC.
    """
    day = now.astimezone(quiet.timezone).date() - timedelta(days=1)
    nights = timedelta(days=int(quiet.to < quiet.from_))
    while True:
        begins = min(_readings(day, quiet.from_, quiet.timezone))
        ends = max(_readings(day + nights, quiet.to, quiet.timezone))
        if now < ends:
            return begins, ends
        day += timedelta(days=1)


def _readings(day: date, clock: time, zone: ZoneInfo) -> list[datetime]:
    """Return the moments that a time on the wall may mean; they differ only where the clocks change."""
    # In UTC: between times of one zone Python would compare what the clocks on the wall show.
    return [datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1)]


def too_late(now: datetime, schedule: Schedule) -> bool:
    """Tell whether a run may no longer begin."""
    return now - schedule.at > schedule.max_lateness


def require_in_time(name: str, schedule: Schedule | None) -> None:
    """Refuse a first request that comes too late: an old schedule must not fire from a restored backup.

    Args:
        name: the campaign's.
        schedule: of a run that has made no request yet.

    Raises:
        CampaignError: schedule_missed.
    """
    if schedule is not None and too_late(wall_clock.now(), schedule):
        raise CampaignError(
            f"The campaign {name!r} was scheduled for {schedule.at.isoformat()}, which has passed.",
            code="schedule_missed",
        )
