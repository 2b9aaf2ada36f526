"""The intent of a request: on disk before its first byte leaves, and everything that may forbid it looked at before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from ...delivery import CircuitBreaker
from ...errors import LedgerError
from ...ledger import APPROVED, Batch, Counts, RunClaim, begin, withdraw
from ...outcomes import Problem
from .ending import EndingSignal
from .group_commit import GroupCommit

_LATE_SECONDS: Final = 0.03
"""A place under the rate limit that is older than this has passed: others have begun to use its moment."""


class Intents:
    """Declares requests, for all lanes of a dispatch.

    Args:
        counts: the counts of the run.
        claim: what of the run this process sends.
        group_commit: puts intents on disk.
        breaker: follows all attempts of this process on the run.
        admit: says why no request may be made now, such as a withdrawn verification; None when it may.
        turn: books the next place under the rate limits and returns the seconds until then; None without any limit.
        signal: ends the dispatch.
    """

    def __init__(
        self,
        counts: Counts,
        claim: RunClaim,
        group_commit: GroupCommit,
        breaker: CircuitBreaker,
        admit: Callable[[], Problem | None],
        turn: Callable[[], Awaitable[float]] | None,
        signal: EndingSignal,
    ) -> None:
        self._counts = counts
        self._claim = claim
        self._group_commit = group_commit
        self._breaker = breaker
        self._admit = admit
        self._turn = turn
        self._signal = signal
        self._clock = asyncio.get_running_loop().time
        self._looked_before = -1

    async def declare(self, batch: Batch) -> bool:
        """Write down that a request is about to leave; tells whether it may.

        Raises:
            LedgerError: it cannot be written down, or others took this process for dead.
        """
        place = await self._wait_for_place()
        refusal = self._refusal()
        if refusal is None and not self._signal.is_set():
            refusal = self._breaker.began(again=batch.tries > 0)
        if refusal is not None:
            self._signal.halt(refusal)
        if self._signal.is_set():
            return False
        begin(batch, self._counts, int(time.time()))
        self._group_commit.write_status(batch)
        await self._group_commit.on_disk()
        while self._turn and self._clock() - place > _LATE_SECONDS and not self._signal.is_set():
            place = await self._wait_for_place()
        if self._signal.is_set():  # while the disk was waited for, something else ended the run
            self.withdraw(batch)
            return False
        if not self._claim.is_held:  # a machine that slept meanwhile: others may be sending this by now
            raise LedgerError("Others took this process for dead while it slept.", code="run_lost")
        batch.flags &= ~APPROVED
        return True

    def withdraw(self, batch: Batch) -> None:
        """Take back an intent of which nothing has left."""
        withdraw(batch, self._counts, int(time.time()))
        self._group_commit.write_status(batch)

    async def _wait_for_place(self) -> float:
        """Wait for the next place under the rate limits and return its moment."""
        wait = await self._turn() if self._turn else 0.0
        place = self._clock() + wait
        await self._signal.sleep(wait)
        return place

    def _refusal(self) -> Problem | None:
        """Look whether requests may still be made: once for all intents that become one commit."""
        if self._looked_before == self._group_commit.commits:
            return None
        self._looked_before = self._group_commit.commits
        return self._admit()
