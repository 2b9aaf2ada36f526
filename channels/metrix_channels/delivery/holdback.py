"""Pauses a whole run in this process after a 429 or 503 with `Retry-After`; then sends a single request as a probe.

Without the header, only the batch itself waits for its backoff. `campaign.dispatch.settlement` starts the pause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_WHILE_PROBING_SECONDS: Final = 0.5
"""Seconds until a request that waits for the probe checks again."""


class Holdback:
    """Holds back all requests of a process for a run when Metrix asks to wait, then lets one through as a probe.

    Args:
        clock: returns seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._not_before = 0.0
        self._paused_at = 0.0
        self._must_probe = False
        self._probe: object | None = None

    def pause(self, seconds: float, began: float) -> bool:
        """Hold back all requests because Metrix asked to wait; then let one request probe whether that was enough.

        Args:
            seconds: how long to wait.
            began: when the request that got this answer began.

        Returns:
            Whether this counts as a new failure. Requests that were in flight together when Metrix first asked to wait
            count as one failure.
        """
        now = self._clock()
        own = began >= self._paused_at
        self._paused_at, self._must_probe = now, True
        self._not_before = max(self._not_before, now + seconds)
        return own

    def seconds(self, batch: object | None = None) -> float:
        """Return how many seconds a batch must wait; 0 if it may be sent.

        Args:
            batch: the batch; None if it is not known yet.
        """
        if self._probe is not None and self._probe is not batch:
            return _WHILE_PROBING_SECONDS
        if not self._not_before:
            return 0.0
        left = self._not_before - self._clock()
        if left <= 0:
            self._not_before = left = 0.0
        return left

    def taken(self, batch: object) -> None:
        """Note that a batch is being sent; after a pause, the first one is the probe."""
        if self._must_probe:
            self._probe, self._must_probe = batch, False

    def done(self, batch: object, *, was_sent: bool) -> None:
        """Note that a batch is finished; if the probe was not sent, the next batch becomes the probe."""
        if self._probe is batch:
            self._probe = None
            self._must_probe = self._must_probe or not was_sent
