"""What tests of pages share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def median_seconds(answer: Callable[[], object], times: int = 5) -> float:
    """Return how long an answer takes, the first one left out."""
    answer()
    taken = []
    for _ in range(times):
        began = time.monotonic()
        answer()
        taken.append(time.monotonic() - began)
    return statistics.median(taken)
