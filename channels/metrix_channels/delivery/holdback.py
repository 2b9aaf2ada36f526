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

    def seconds(self, batch: object | None = None) -> float:
        """Return the seconds in which a batch may not be sent; 0 when it may be.

        Args:
            batch: None for any that is not known yet.
        """
        if self._probe is not None and self._probe is not batch:
            return _WHILE_PROBING_SECONDS
        return max(self._not_before - self._clock(), 0.0)

    def taken(self, batch: object) -> None:
        """Learn that a batch is sent: after a pause the first one is alone."""
        if self._must_probe:
            self._probe, self._must_probe = batch, False

    def done(self, batch: object, *, was_sent: bool) -> None:
        """Learn that a batch has been dealt with; one that was not sent has told nothing, and another one tries."""
        if self._probe is batch:
            self._probe = None
            self._must_probe = self._must_probe or not was_sent
