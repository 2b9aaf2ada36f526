"""The place of each request under the rate limits: the campaign's own, and the one that all processes share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence


class RateLimiter:
    """Gives out places, evenly spaced.

    Args:
        rate: requests a second of this run; None: no limit of its own.
        shared: each books a place under a limit that all processes of a ledger share, and returns the seconds until
            then.
    """

    def __init__(self, rate: float | None, shared: Sequence[Callable[[], Awaitable[float]]] = ()) -> None:
        self._rate = rate
        self._shared = shared
        self._next = 0.0

    @property
    def is_limited(self) -> bool:
        """There is a limit, so that a place is a moment rather than now."""
        return self._rate is not None or bool(self._shared)

    async def turn(self) -> float:
        """Book the next place and return the seconds until then."""
        wait = 0.0
        if self._rate is not None:
            now = asyncio.get_running_loop().time()
            place = max(self._next, now)
            self._next = place + 1 / self._rate
            wait = place - now
        for book in self._shared:
            wait = max(wait, await book())
        return wait
