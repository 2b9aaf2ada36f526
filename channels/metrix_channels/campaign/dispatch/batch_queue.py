"""The batches that wait to be sent, and when the next of them may be: now, after a pause, or alone to try."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from ...ledger import Batch

_WHILE_PROBING: Final = 0.5


class Holdback:
    """Holds all requests of a process for a run back, since Metrix asked to wait; then lets one through to try.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._not_before = 0.0
        self._paused_at = 0.0
        self._must_probe = False
        self._probe: Batch | None = None

    def pause(self, seconds: float, began: float) -> bool:
        """Hold everything back, since Metrix asked to wait; then one request tells whether that was long enough.

        Args:
            seconds: to wait.
            began: when the request began that was answered so.

        Returns:
            Whether this counts as a failure of its own: requests that were under way together when Metrix first asked
            to wait have failed once, together.
        """
        now = self._clock()
        own = began >= self._paused_at
        self._paused_at, self._must_probe = now, True
        self._not_before = max(self._not_before, now + seconds)
        return own

    def seconds(self) -> float:
        """Return the seconds in which nothing may be taken; 0 when something may be."""
        if self._probe is not None:
            return _WHILE_PROBING
        return max(self._not_before - self._clock(), 0.0)

    def taken(self, batch: Batch) -> None:
        """Learn that a batch is sent: after a pause the first one is alone."""
        if self._must_probe:
            self._probe, self._must_probe = batch, False

    def done(self, batch: Batch) -> None:
        """Learn that the request for a batch has ended."""
        if self._probe is batch:
            self._probe = None


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
