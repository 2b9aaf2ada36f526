"""Groups the ledger changes of all lanes into few commits, which the lanes wait for together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ...errors import LedgerError
from ...ledger import Batch, Changes, Committed, Draft, FailedAttempt, RunClaim, RunRecord, Shard, Skip

_GATHER_SECONDS: Final = 0.005


class GroupCommit:
    """Commits pending changes until none are left.

    Args:
        claim: the part of the run that is written to.
        record: the run; its counts are written with every commit.
        committed: called after each commit.
        failed: called once if the ledger cannot be written.
        lanes: how many lanes may wait for a commit.

    Attributes:
        commits: the number of commits so far.
    """

    def __init__(
        self,
        claim: RunClaim,
        record: RunRecord,
        committed: Callable[[Committed], None],
        failed: Callable[[LedgerError], None],
        lanes: int,
    ) -> None:
        self._claim = claim
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._committed = committed
        self._failed = failed
        self._enough = max(lanes // 2, 1)
        self._shards: dict[int, Shard] = {}
        self._changes = Changes()
        self._waiting: list[asyncio.Future[None]] = []
        self._news = asyncio.Event()
        self._gathered = asyncio.Event()
        self._closing = False
        self._error: LedgerError | None = None
        self.commits: int = 0
        self._task = asyncio.create_task(self._work())

    def write_status(self, batch: Batch) -> None:
        """Write a batch's status with the next commit."""
        self._shards[batch.shard.id] = batch.shard
        self._news.set()

    def add(self, draft: Draft | None = None, skips: tuple[Skip, ...] = ()) -> None:
        """Write a new shard, or skipped recipients, with the next commit."""
        if draft is not None:
            self._changes.drafts.append(draft)
        self._changes.skips += skips
        self._news.set()

    def add_failed_attempt(self, failed_attempt: FailedAttempt) -> None:
        """Write an attempt that was not accepted with the next commit."""
        self._changes.failed_attempts.append(failed_attempt)

    def on_disk(self) -> asyncio.Future[None]:
        """Return when all added changes are on disk: a future, which one caller may wait for.

        Raises:
            LedgerError: it cannot be written; nothing may be sent. The future may raise it too.
        """
        if self._error is not None:
            raise self._error
        future = self._loop.create_future()
        self._waiting.append(future)
        self._news.set()
        if len(self._waiting) >= self._enough:
            self._gathered.set()
        return future

    async def close(self) -> None:
        """Commit the remaining changes.

        Raises:
            LedgerError: it cannot be written.
        """
        self._closing = True
        self._news.set()
        self._gathered.set()
        await self._task
        if self._error is not None:
            raise self._error

    async def _work(self) -> None:
        while True:
            await self._news.wait()
            await self._gather()
            self._news.clear()
            changes, self._changes = self._changes, Changes()
            changes.shards = list(self._shards.values())
            self._shards.clear()
            waiting, self._waiting = self._waiting, []
            self.commits += 1
            try:
                committed = await self._claim.commit(changes, self._record.counts)
            except LedgerError as error:
                self._give_up(error, waiting)
                return
            for future in waiting:
                if not future.done():
                    future.set_result(None)
            self._committed(committed)
            if self._closing and not self._news.is_set():
                return

    async def _gather(self) -> None:
        """Wait until half of the lanes have changes to commit, because one commit costs the same for all of them.

        A single lane waits no longer than a request takes.
        """
        if len(self._waiting) < self._enough and not self._closing:
            self._gathered.clear()
            longest = self._loop.call_later(_GATHER_SECONDS, self._gathered.set)
            await self._gathered.wait()
            longest.cancel()

    def _give_up(self, error: LedgerError, waiting: list[asyncio.Future[None]]) -> None:
        self._error = error
        for future in (*waiting, *self._waiting):
            if not future.done():
                future.set_exception(error)
        self._failed(error)
