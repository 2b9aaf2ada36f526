"""Chooses the next batch: fetches shards on demand, sends the canary first, and retries batches when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from ...delivery import Holdback
from ...errors import LedgerError, problem
from ...ledger import PENDING, Batch, ControlRequest, RunClaim, RunRecord, Shard
from .batch_queue import BatchQueue
from .ending import Ending, EndingSignal
from .gate import Gate

_FEWEST_SHARDS: Final = 16
_BATCHES_PER_LANE: Final = 2
"""How many batches are fetched at once: while the ledger is writing, no lane should wait for a batch."""
_LOOK_AGAIN_SECONDS: Final = 0.5


class Feeder:
    """Gives the pending batches of a run to the lanes.

    Args:
        record: the run.
        claim: the part that this process sends.
        lanes: the number of lanes.
        canary_failures: limit of rejected and unknown recipients of the canary.
        gate: tells how long no request may leave.
        holdback: delays all requests when Metrix asks to wait.
        signal: ends the dispatch.
    """

    def __init__(
        self,
        record: RunRecord,
        claim: RunClaim,
        lanes: int,
        canary_failures: int,
        gate: Gate,
        holdback: Holdback,
        signal: EndingSignal,
    ) -> None:
        self._record = record
        self._claim = claim
        self._lanes = lanes
        self._canary_failures = canary_failures
        self._gate = gate
        self._holdback = holdback
        self._signal = signal
        self._queue = BatchQueue(asyncio.get_running_loop().time, holdback)
        self._shards = _ShardCursor()
        self._under_way = 0
        self._splitting = 0

    async def next(self) -> Batch | None:
        """Wait for the next batch that may be sent; None if none is left or the dispatch ends."""
        while not self._signal.is_set():
            wait = self._gate.closed_seconds()
            if wait <= 0:
                if self._queue.ready < self._lanes and self._shards.may_fetch:
                    await self._fetch()
                    continue
                if batch := self._queue.take():
                    self._under_way += 1
                    return batch
                if self._is_done():
                    if not self._begin_rest():
                        return None
                    continue
                wait = _LOOK_AGAIN_SECONDS if (due := self._queue.next_due()) is None else due
            await self._wait_for_news(wait)
        return None

    def upcoming(self, count: int) -> Iterable[Batch]:
        """Return batches that will probably be next, at most `count`."""
        return self._queue.upcoming(count)

    def done(self, batch: Batch, *, was_sent: bool) -> None:
        """Record that a lane is done with a batch, and whether a request was made for it."""
        self._under_way -= 1
        self._holdback.done(batch, was_sent=was_sent)
        if not self._under_way or self._shards.may_fetch or not self._queue.is_empty:
            self._signal.news.set()  # else there is nothing for the lanes that wait

    def repeat(self, batch: Batch, seconds: float) -> None:
        """Return a batch again after the given seconds."""
        self._queue.add_later(batch, seconds)

    def put_back(self, batch: Batch) -> None:
        """Return a batch again before all others, because its request could not leave yet."""
        self._queue.add_first([batch])

    def expect_parts(self) -> None:
        """Record that a batch was replaced by parts, which arrive with the next commit."""
        self._splitting += 1

    def add_parts(self, shards: Sequence[Shard]) -> None:
        """Queue the parts of split batches in their place."""
        for shard in reversed(shards):
            self._splitting -= 1
            self._shards.known.add(shard.id)
            self._queue.add_first(shard.taken())
        if shards:
            self._signal.news.set()

    async def _fetch(self) -> None:
        cursor = self._shards
        cursor.is_fetching = True
        try:
            found = await self._claim.next_shards(cursor.after, canary=cursor.is_canary, limit=cursor.limit)
        except LedgerError as error:
            self._signal.fail(error)
            return
        finally:
            cursor.is_fetching = False
            self._signal.news.set()
        cursor.found(found, _BATCHES_PER_LANE * self._lanes)
        for shard in found:
            if shard.id not in cursor.known:
                self._queue.add(batch for batch in shard.taken() if batch.state is PENDING)

    def _is_done(self) -> bool:
        nothing_comes = self._shards.is_exhausted and not self._shards.is_fetching
        return nothing_comes and self._queue.is_empty and not (self._under_way or self._splitting)

    def _begin_rest(self) -> bool:
        """After the canary, continue with the others; return whether there is more to do."""
        if not self._shards.is_canary:
            self._signal.news.set()
            return False
        self._shards.begin_rest()
        counts = self._record.counts
        failures = counts.rejected + counts.unknown
        settled = counts.accepted + failures
        if 0 < settled <= self._record.facts["canary"] and failures > self._canary_failures:
            why = f"Rejected or unknown recipients of the canary: {failures}; at most {self._canary_failures} may fail."
            self._signal.halt(problem("canary_failed", why))
        elif self._record.waits_after_canary and counts.pending:
            self._signal.end(Ending(control=ControlRequest.PAUSE))
        return True

    async def _wait_for_news(self, seconds: float) -> None:
        self._signal.news.clear()
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._signal.news.wait()
        except TimeoutError:
            return


class _ShardCursor:
    """How far the shards of a run have been fetched.

    Attributes:
        after: the id of the last fetched shard.
        limit: how many shards to fetch at once.
        known: ids of shards that this dispatch made itself, by splitting batches.
        is_canary: only the canary is being sent.
        is_exhausted: all shards were fetched.
        is_fetching: a fetch is in progress.
    """

    def __init__(self) -> None:
        self.after = 0
        self.limit = _FEWEST_SHARDS
        self.known: set[int] = set()
        self.is_canary = True
        self.is_exhausted = False
        self.is_fetching = False

    @property
    def may_fetch(self) -> bool:
        """Whether there may be more shards and no fetch is in progress."""
        return not (self.is_exhausted or self.is_fetching)

    def found(self, shards: Sequence[Shard], wanted: int) -> None:
        """Note the shards of a fetch; the next one is to return about as many batches as wanted."""
        self.is_exhausted = len(shards) < self.limit
        if shards:
            self.after = shards[-1].id
            batches = sum(len(shard.batches) for shard in shards)
            self.limit = max(_FEWEST_SHARDS, wanted * len(shards) // batches)

    def begin_rest(self) -> None:
        """Start again with the shards after the canary."""
        self.is_canary, self.is_exhausted, self.after = False, False, 0
