"""When a campaign may send: quiet hours and schedules."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..errors import CampaignError
from ..process import wall_clock
from .definition import QuietHours, Schedule


def quiet_until(now: datetime, quiet: QuietHours) -> datetime | None:
    """Return the end (UTC) of the quiet hours at `now`; None outside quiet hours. See `next_quiet_hours`."""
    begins, ends = next_quiet_hours(now, quiet)
    return ends if begins <= now else None


def next_quiet_hours(now: datetime, quiet: QuietHours) -> tuple[datetime, datetime]:
    """Return the start and end of the current or next quiet hours.

    Args:
        now: aware.
        quiet: a window of local time, which may span midnight. If a clock change makes its start or end ambiguous or
            nonexistent, the longer window applies.

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
    """Return the moments that a local time may mean; they differ only at a clock change."""
    # In UTC, because Python compares times of one zone by their local time.
    return [datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1)]


def too_late(now: datetime, schedule: Schedule) -> bool:
    """Tell whether it is too late to start a run."""
    return now - schedule.at > schedule.max_lateness


def require_in_time(name: str, schedule: Schedule | None) -> None:
    """Refuse a first request after `max_lateness`: an old schedule in a restored backup must not start a run.

    Args:
        name: of the campaign.
        schedule: of a run that has made no request yet.

    Raises:
        CampaignError: schedule_missed.
    """
    if schedule is not None and too_late(wall_clock.now(), schedule):
        raise CampaignError(
            f"The campaign {name!r} was scheduled for {schedule.at.isoformat()}, which has passed.",
            code="schedule_missed",
        )
