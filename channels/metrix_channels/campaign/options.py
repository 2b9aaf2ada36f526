"""Send options of a run. They may change when the run is resumed, and are all that workers need of the campaign."""

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
        on_ambiguous: what to do after a request that Metrix may have accepted.
        rate: requests per second; the rate of the configuration applies too.
        cap: how many campaigns may reach one recipient within a time.
        max_failures: the run halts if more recipients are rejected or unknown.
        quiet_hours: when no request starts.
        schedule: when it starts.
    """

    on_ambiguous: OnAmbiguous
    rate: float | None = None
    cap: Cap | None = None
    max_failures: int | None = None
    quiet_hours: QuietHours | None = None
    schedule: Schedule | None = None

    @classmethod
    def of(cls, campaign: Campaign, config: Config) -> SendOptions:
        """Return the options of a campaign file, with defaults from the configuration."""
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
        """Return when the current quiet hours end; None outside quiet hours."""
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
