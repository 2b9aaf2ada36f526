"""The wall clock, and waits for a time of day.

A machine sleeps, and its wall clock is set: a single long sleep, which counts seconds, would end hours late. So whoever
waits for a time of day takes short steps and looks at the wall clock after each. A wait for a duration counts seconds
on the event loop's clock instead.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

_LONGEST_STEP_SECONDS: Final = 0.5


def now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def step_towards(moment: datetime) -> float:
    """Return the seconds to wait before the next look at the wall clock, at most 0.5; 0 when the moment has come."""
    return min(max(moment.timestamp() - time.time(), 0.0), _LONGEST_STEP_SECONDS)
