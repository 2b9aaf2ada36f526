"""What a run holds to while it is sent; it may change whenever the run is taken up, and workers need no more."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

from ..config import Config
from ..models import OnAmbiguous
from ..process import wall_clock
from ..process.time_zones import zone
from .calendar import quiet_until
from .definition import Campaign, Cap, QuietHours, Schedule


@frozen
class SendOptions:
    """How a run is to be sent.

    Attributes:
        on_ambiguous: what becomes of a request that may have been taken.
        rate: requests a second; the configuration's counts too.
        cap: how many campaigns may reach one recipient within a time.
        max_failures: the run halts when more recipients are rejected or unknown.
        quiet_hours: when no request is begun.
        schedule: when it begins.
    """

    on_ambiguous: OnAmbiguous
    rate: float | None = None
    cap: Cap | None = None
    max_failures: int | None = None
    quiet_hours: QuietHours | None = None
    schedule: Schedule | None = None

    @classmethod
    def of(cls, campaign: Campaign, config: Config) -> SendOptions:
        """Return what a campaign file says, and the configuration where it says nothing."""
        limits = campaign.limits
        return cls(
            on_ambiguous=campaign.on_ambiguous or config.on_ambiguous,
            rate=limits.rate,
            cap=limits.per_recipient,
            max_failures=limits.max_failures,
            quiet_hours=campaign.quiet_hours,
            schedule=campaign.schedule,
        )

    def quiet_until(self) -> datetime | None:
        """Return when the quiet hours end; None outside of them."""
        return quiet_until(wall_clock.now(), self.quiet_hours) if self.quiet_hours else None

    def dump(self) -> str:
        """Return the JSON form."""
        quiet, schedule = self.quiet_hours, self.schedule
        return json.dumps(
            {
                "on_ambiguous": self.on_ambiguous.value,
                "rate": self.rate,
                "cap": self.cap and [self.cap.count, self.cap.window.total_seconds()],
                "max_failures": self.max_failures,
                "quiet_hours": quiet and [quiet.from_.isoformat(), quiet.to.isoformat(), quiet.timezone.key],
                "schedule": schedule and [schedule.at.isoformat(), schedule.max_lateness.total_seconds()],
            }
        )

    @classmethod
    def load(cls, text: str) -> SendOptions:
        """Read what `dump` wrote."""
        found = json.loads(text)
        cap, quiet, schedule = found["cap"], found["quiet_hours"], found["schedule"]
        return cls(
            on_ambiguous=OnAmbiguous(found["on_ambiguous"]),
            rate=found["rate"],
            cap=Cap(cap[0], timedelta(seconds=cap[1])) if cap else None,
            max_failures=found["max_failures"],
            quiet_hours=QuietHours(
                from_=time.fromisoformat(quiet[0]), to=time.fromisoformat(quiet[1]), timezone=_zone(quiet[2])
            )
            if quiet
            else None,
            schedule=Schedule(at=datetime.fromisoformat(schedule[0]), max_lateness=timedelta(seconds=schedule[1]))
            if schedule
            else None,
        )


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    if found is None:
        raise ZoneInfoNotFoundError(name)
    return found
