"""The wall clock, and waits for a time of day. All dates of the library come from this clock, which tests can set.

A single long sleep until a time of day would end hours late if the machine is suspended or its clock is set. So waits
for a time of day are split into short steps, with a look at the wall clock after each. Waits for a duration use the
event loop's clock instead.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, Protocol

_LONGEST_STEP_SECONDS: Final = 0.5


class Clock(Protocol):
    """A clock that can replace the machine's clock."""

    def seconds(self) -> float:
        """Return the seconds since 1970."""

    def step_towards(self, moment: datetime) -> float:
        """Return the seconds to wait before the next look at the clock; 0 if the moment has come."""


_clock_of_test: Clock | None = None


def use(clock: Clock | None) -> None:
    """Use `clock` in this process; None restores the machine's clock."""
    global _clock_of_test
    _clock_of_test = clock


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.fromtimestamp(seconds(), UTC)


def seconds() -> float:
    """Return the seconds since 1970."""
    return time.time() if _clock_of_test is None else _clock_of_test.seconds()


def milliseconds() -> int:
    """Return the whole milliseconds since 1970."""
    return time.time_ns() // 1_000_000 if _clock_of_test is None else round(_clock_of_test.seconds() * 1000)


def step_towards(moment: datetime) -> float:
    """Return the seconds to wait before the next look at the wall clock, at most 0.5; 0 if the moment has come."""
    if _clock_of_test is not None:
        return _clock_of_test.step_towards(moment)
    return min(max(moment.timestamp() - time.time(), 0.0), _LONGEST_STEP_SECONDS)
