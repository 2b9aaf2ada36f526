"""The wall clock, and waits for a time of day. Whatever the library dates, it dates by this clock, which tests can set.

A machine sleeps, and its wall clock is set: a single long sleep, which counts seconds, would end hours late. So whoever
waits for a time of day takes short steps and looks at the wall clock after each. A wait for a duration counts seconds
on the event loop's clock instead.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, Protocol

_LONGEST_STEP_SECONDS: Final = 0.5


class Clock(Protocol):
    """What can take the place of the machine's clock."""

    def seconds(self) -> float:
        """Return the seconds since 1970."""

    def step_towards(self, moment: datetime) -> float:
        """Return the seconds to wait before the next look at the clock; 0 when the moment has come."""


_clock_of_test: Clock | None = None


def use(clock: Clock | None) -> None:
    """Let `clock` tell the time in this process; None for the machine's clock again."""
    global _clock_of_test
    _clock_of_test = clock


def now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.fromtimestamp(seconds(), UTC)


def seconds() -> float:
    """Return the seconds since 1970."""
    return time.time() if _clock_of_test is None else _clock_of_test.seconds()


def milliseconds() -> int:
    """Return the whole milliseconds since 1970."""
    return time.time_ns() // 1_000_000 if _clock_of_test is None else round(_clock_of_test.seconds() * 1000)


def step_towards(moment: datetime) -> float:
    """Return the seconds to wait before the next look at the wall clock, at most 0.5; 0 when the moment has come."""
    if _clock_of_test is not None:
        return _clock_of_test.step_towards(moment)
    return min(max(moment.timestamp() - time.time(), 0.0), _LONGEST_STEP_SECONDS)
