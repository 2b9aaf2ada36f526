"""A 429 or 503 with `Retry-After` pauses the whole run in this process; then a single request tries alone.

Without the header only the batch itself waits, by its backoff. `campaign.dispatch.settlement` starts the pause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_WHILE_PROBING_SECONDS: Final = 0.5
"""Seconds until a request that waits for the one that tries alone looks again."""


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
        self._probe: object | None = None

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
            return _WHILE_PROBING_SECONDS
        return max(self._not_before - self._clock(), 0.0)

    def taken(self, batch: object) -> None:
        """Learn that a batch is sent: after a pause the first one is alone."""
        if self._must_probe:
            self._probe, self._must_probe = batch, False

    def done(self, batch: object) -> None:
        """Learn that the request for a batch has ended."""
        if self._probe is batch:
            self._probe = None
