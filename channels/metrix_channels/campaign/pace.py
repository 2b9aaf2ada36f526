"""The place of each request under the rate limits: the campaign's own, and the one that all processes share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Pace:
    """Gives out places, evenly spaced.

    Args:
        rate: requests a second of this run; None: no limit of its own.
        shared: waits for a place under the limit that all processes of a ledger share, and returns the seconds until
            then; None: there is none.
    """

    def __init__(self, rate: float | None, shared: Callable[[], Awaitable[float]] | None) -> None:
        self._rate = rate
        self._shared = shared
        self._next = 0.0

    async def turn(self) -> float:
        """Book the next place and return the seconds until then."""
        wait = 0.0
        if self._rate is not None:
            now = asyncio.get_running_loop().time()
            place = max(self._next, now)
            self._next = place + 1 / self._rate
            wait = place - now
        if self._shared is not None:
            wait = max(wait, await self._shared())
        return wait
