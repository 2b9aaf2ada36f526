"""The clock of a test: it stands still until the test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..errors import UsageError
from ..process import wall_clock


class MetrixClock:
    """The time of day for the library and the sandbox, as the fixture `metrix_clock`.

    The clock does not run by itself. Where the library would wait for a time of day, such as the end of quiet hours, it
    moves the clock to that time.
    """

    def __init__(self) -> None:
        self._now = wall_clock.now()

    @property
    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._now

    def set(self, moment: datetime) -> None:
        """Move the clock to `moment`, forwards or back.

        Args:
            moment: a datetime with a time zone.

        Raises:
            UsageError: `usage`, it is not a datetime with a time zone.
        """
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            raise UsageError(
                f"metrix_clock.set takes a datetime with a time zone, not {moment!r:.80}.",
                code="usage",
                remedy='Write metrix_clock.set(datetime(2026, 3, 20, 10, 0, tzinfo=ZoneInfo("Asia/Tehran"))).',
            )
        self._now = moment.astimezone(UTC)

    def advance(self, duration: timedelta) -> None:
        """Move the clock forwards by `duration`, such as `timedelta(hours=1)`."""
        self._now += duration

    def seconds(self) -> float:
        """Return the seconds since 1970, as `time.time()` does."""
        return self._now.timestamp()

    def step_towards(self, moment: datetime) -> float:
        """Move the clock to `moment` if that is later, and return 0. The library calls this instead of waiting."""
        self._now = max(self._now, moment.astimezone(UTC))
        return 0.0
