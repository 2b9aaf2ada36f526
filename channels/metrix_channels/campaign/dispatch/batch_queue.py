"""The batches that wait to be sent, and when the next of them may be: now, after a pause, or alone to try."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

from ...delivery import Holdback
from ...ledger import Batch


class BatchQueue:
    """Gives out batches in their order; those that must be repeated when their time has come.

    Args:
        clock: seconds that only go forward.
        holdback: says when nothing may be taken.
    """

    def __init__(self, clock: Callable[[], float], holdback: Holdback) -> None:
        self._clock = clock
        self._holdback = holdback
        self._ready: deque[Batch] = deque()
        self._delayed: list[tuple[float, int, Batch]] = []
        self._number = count()

    @property
    def ready(self) -> int:
        """How many need no wait of their own."""
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        """Nothing waits."""
        return not (self._ready or self._delayed)

    def add(self, batches: Iterable[Batch]) -> None:
        """Add batches at the end."""
        self._ready.extend(batches)

    def add_first(self, batches: Iterable[Batch]) -> None:
        """Add parts of a batch that was divided, in its place."""
        self._ready.extendleft(reversed(list(batches)))

    def add_later(self, batch: Batch, seconds: float) -> None:
        """Add a batch that is to be repeated."""
        heapq.heappush(self._delayed, (self._clock() + seconds, next(self._number), batch))

    def take(self) -> Batch | None:
        """Return a batch that may be sent now; None when there is none."""
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
        """Return the seconds until a batch is to be repeated; None when none is."""
        return max(self._delayed[0][0] - self._clock(), 0.0) if self._delayed else None
