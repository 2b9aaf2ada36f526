"""The batches that wait to be sent, and when the next one may be sent."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count, islice

from ...delivery import Holdback
from ...ledger import Batch


class BatchQueue:
    """Returns batches in order, and batches for a retry when they are due.

    Args:
        clock: returns monotonic seconds.
        holdback: tells when no batch may be taken.
    """

    def __init__(self, clock: Callable[[], float], holdback: Holdback) -> None:
        self._clock = clock
        self._holdback = holdback
        self._ready: deque[Batch] = deque()
        self._delayed: list[tuple[float, int, Batch]] = []
        self._number = count()

    @property
    def ready(self) -> int:
        """The number of batches that are not delayed for a retry."""
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        """Whether no batch waits."""
        return not (self._ready or self._delayed)

    def add(self, batches: Iterable[Batch]) -> None:
        """Add batches at the end."""
        self._ready.extend(batches)

    def add_first(self, batches: Iterable[Batch]) -> None:
        """Add the parts of a split batch in its place."""
        self._ready.extendleft(reversed(list(batches)))

    def add_later(self, batch: Batch, seconds: float) -> None:
        """Add a batch for a retry after some seconds."""
        heapq.heappush(self._delayed, (self._clock() + seconds, next(self._number), batch))

    def upcoming(self, count: int) -> Iterable[Batch]:
        """Return the next batches that are not delayed, at most `count`; they stay in the queue."""
        return islice(self._ready, count)

    def take(self) -> Batch | None:
        """Return a batch that may be sent now; None if there is none."""
        if self._holdback.seconds() > 0:
            return None
        if self._delayed and self._delayed[0][0] <= self._clock():
            batch = heapq.heappop(self._delayed)[2]
        elif self._ready:
            batch = self._ready.popleft()
        else:
            return None
        self._holdback.taken(batch)
        return batch

    def next_due(self) -> float | None:
        """Return the seconds until the next retry is due; None if there is none."""
        return max(self._delayed[0][0] - self._clock(), 0.0) if self._delayed else None
