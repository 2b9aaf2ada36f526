"""Writes an intent to disk before the first byte of a request leaves, and withdraws it if the request may not leave."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from attrs import evolve, frozen

from ...delivery import ANY_TIME, CircuitBreaker, Place, RateLimiter
from ...errors import LedgerError
from ...ledger import Batch, Counts, RunClaim, begin, withdraw
from ...process import wall_clock
from .ending import EndingSignal
from .gate import Gate
from .group_commit import GroupCommit

_LONGEST_BOOKING_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.5


@frozen
class Intent:
    """A request that is about to be sent.

    Attributes:
        batch: in the state SENDING.
        place: under the rate limits.
        flags: of the batch before the intent.
    """

    batch: Batch
    place: Place
    flags: int


class Intents:
    """Records intents, for all lanes of a dispatch.

    Args:
        counts: the counts of the run.
        claim: the part of the run that this process sends.
        group_commit: writes intents to disk.
        breaker: counts all attempts of this process on the run.
        gate: decides whether a request may leave now.
        rate_limiter: assigns each request its place.
        signal: ends the dispatch.
    """

    def __init__(
        self,
        counts: Counts,
        claim: RunClaim,
        group_commit: GroupCommit,
        breaker: CircuitBreaker,
        gate: Gate,
        rate_limiter: RateLimiter,
        signal: EndingSignal,
    ) -> None:
        self._counts = counts
        self._claim = claim
        self._group_commit = group_commit
        self._breaker = breaker
        self._gate = gate
        self._rate_limiter = rate_limiter
        self._signal = signal
        self._polling = asyncio.Lock()

    async def declare(self, batch: Batch) -> Intent | None:
        """Record the intent of a request; return None if the request may not leave now.

        Raises:
            LedgerError: the intent cannot be recorded.
        """
        place = await self._wait_for_place(batch) if self._rate_limiter.has_limits else ANY_TIME
        if place is None:
            return None
        if not self._gate.is_open(batch):  # the rate limiter may have waited for the ledger meanwhile
            await self._rate_limiter.give_back(place)
            return None
        intent = Intent(batch, place, batch.flags)
        begin(batch, self._counts, int(wall_clock.seconds()))
        self._group_commit.write_status(batch)
        await self._group_commit.on_disk()
        return intent

    async def confirm(self, intent: Intent) -> bool:
        """Check again after the last wait and return whether the request may leave; if not, withdraw the intent.

        Raises:
            LedgerError: run_lost, if another process took over the run.
        """
        batch, place = intent.batch, intent.place
        while place.is_late:
            found = await self._wait_for_place(batch)
            if found is None:
                self._take_back(intent)
                return False
            place = found
        if not self._may_leave(batch):
            await self.withdraw(evolve(intent, place=place))
            return False
        if not self._claim.is_held:  # the machine may have slept, and another process may be sending this now
            raise LedgerError(
                "This process did not respond in time, and another process took over the run.", code="run_lost"
            )
        return True

    async def withdraw(self, intent: Intent) -> None:
        """Withdraw an intent whose request was not sent, and return its place."""
        self._take_back(intent)
        await self._rate_limiter.give_back(intent.place)

    def _take_back(self, intent: Intent) -> None:
        withdraw(intent.batch, self._counts, intent.flags, int(wall_clock.seconds()))
        self._group_commit.write_status(intent.batch)

    async def _wait_for_place(self, batch: Batch) -> Place | None:
        """Wait for the next place under the rate limits; None if the request may not leave now."""
        is_open = partial(self._gate.is_open, batch)
        while is_open():
            place = await self._rate_limiter.wait(_LONGEST_BOOKING_SECONDS, is_open, self._signal.sleep)
            if place is not None:
                return place
            async with self._polling:  # one lane at a time, so that all lanes together poll no more often than one
                await self._signal.sleep(_POLL_SECONDS)
        return None

    def _may_leave(self, batch: Batch) -> bool:
        if not self._gate.is_open(batch):
            return False
        if (refusal := self._breaker.began(again=batch.tries > 0)) is not None:
            self._signal.halt(refusal)
            return False
        return True
