"""Runs on SQLite: one process works on each run; an OS lock proves that it is alive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ...errors import LedgerError, campaign_error
from ...outcomes import Problem, iso_utc
from ...process import wall_clock
from ..database import Connection, Database
from .balance import require_match, require_over
from .batches import Shard, ShardStatus
from .book import RunBook, count, counts_of, is_open, note, require_own, seal_run
from .canary import is_to_wait, waiting
from .records import OVER, Changes, Committed, ControlRequest, Counts, RunRecord, RunState
from .run_claim import RunClaim
from .sensitive import forget_sensitive_values
from .shards import add_drafts, add_failed_attempts, add_skips, open_shards, opened, read_open, settle, write_statuses
from .transitions import RetryRequest, Transition, cancelled

Which = Callable[[Connection, int], Iterator[Shard]]
"""Yields shards of a run."""


class LocalRunBook(RunBook):
    """Runs that are sent by one process at a time."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._working: set[int] = set()

    async def draft(self, name: str, file: str, pins: Mapping[str, Any]) -> RunRecord:
        """See `RunBook`."""
        record = await super().draft(name, file, pins)
        self._working.add(record.id)
        return record

    async def discard(self, run: int) -> None:
        """See `RunBook`."""
        try:
            await super().discard(run)
        finally:
            self._working.discard(run)

    async def take(self, name: str) -> RunRecord:
        """Claim a run for this process.

        Raises:
            CampaignError: run_missing; run_busy, if another process is alive; run_purged, run_values_forgotten.
        """

        def work(connection: Connection) -> RunRecord:
            record = self._locked(connection, name)
            if record.live or record.id in self._working:
                raise campaign_error(f"Another process is running the campaign {name!r}.", "run_busy", name)
            record.require_sendable()
            state, owner = RunState.RUNNING.value, self._database.owner
            left = _unmet_cancel(connection, record.id)
            seal_run(connection, record.id, state=state, owner=owner, control=left, halted_by=None, finished_at=None)
            note(connection, record.id, "continued", f"was {record.state}")
            return self._require(connection, record.id)

        record = await self._database.transact(work)
        self._working.add(record.id)
        return record

    async def become(self, run: int, state: RunState) -> None:
        """Set the state of a run that this process works on to waiting or running."""

        def work(connection: Connection) -> None:
            require_own(connection, self._database, run)
            seal_run(connection, run, state=state.value)

        await self._database.transact(work)

    async def leave(self, run: int, state: RunState, halted_by: Problem | None = None) -> None:
        """Release a run and set its final state.

        If the state is CANCELLED, its unfinished batches are cancelled. If the run is over, its sensitive values are
        deleted. A cancel request that was not met stays for the process that continues the run. If it cannot be
        written for now, the next transaction releases the run, which is interrupted then.

        Raises:
            LedgerError: run_lost; counts_wrong, if it would be finished but is not over.
        """

        def work(connection: Connection) -> bool:
            require_own(connection, self._database, run)
            if state is RunState.CANCELLED:
                _settle(connection, run, cancelled, open_shards)
            if state in (RunState.FINISHED, RunState.FINISHED_WITH_ERRORS):
                require_over(counts_of(connection, run), is_open=is_open(connection, run))
            over = iso_utc(wall_clock.now()) if state in OVER else None
            reason = halted_by
            if state is RunState.PAUSED and is_to_wait(connection, run):
                reason = waiting(connection, run)
            why = json.dumps(reason.as_dict()) if reason else None
            left = None if state in OVER else _unmet_cancel(connection, run)
            seal_run(connection, run, state=state.value, owner=None, control=left, halted_by=why, finished_at=over)
            note(connection, run, state.value, reason.message if reason else "")
            return state in OVER and forget_sensitive_values(connection, run)

        def end(result: bool | None, error: BaseException | None) -> None:
            self._working.discard(run)
            if error is not None:
                self._defer(run, _release)

        try:
            is_over = await self._database.transact(work, left=end)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            end(None, error)
            raise
        end(is_over, None)
        if is_over:
            await self._database.truncate_journal()

    async def settle_all(
        self, run: int, transition: Transition, which: Which, back: RetryRequest | None = None
    ) -> Counts:
        """Change the statuses of many shards in one transaction, such as those of a process that died.

        Args:
            run: claimed by this process.
            transition: changes the batches of one shard.
            which: the shards to change.
            back: for the journal; None for no entry.

        Returns:
            The new counts.
        """

        def work(connection: Connection) -> Counts:
            require_own(connection, self._database, run)
            counts = _settle(connection, run, transition, which)
            if back is not None:
                note(connection, run, back.what, back.detail)
            return counts

        return await self._database.transact(work)

    def claim(self, run: int) -> LocalRunClaim:
        """Return the claim of a run for a dispatch."""
        return LocalRunClaim(self, self._database, run)

    def _defer(self, run: int, work: Callable[[Connection, int], None]) -> None:
        """Do what could not be written with the next transaction, unless another process took over the run."""

        def later(connection: Connection) -> None:
            with suppress(LedgerError):  # run_lost, ledger_copied
                require_own(connection, self._database, run)
                work(connection, run)

        self._database.defer(later)

    def _is_live(self, connection: Connection, state: RunState, owner: str | None) -> bool:
        return owner is not None and self._database.is_alive(connection, owner)


def _release(connection: Connection, run: int) -> None:
    seal_run(connection, run, owner=None, control=_unmet_cancel(connection, run))


def _unmet_cancel(connection: Connection, run: int) -> str | None:
    """Return the control request that outlives the process it was sent to, because to cancel is permanent."""
    rows = connection.execute("SELECT 1 FROM runs WHERE id = ? AND control = ?", (run, ControlRequest.CANCEL.value))
    return ControlRequest.CANCEL.value if rows.fetchone() else None


def _settle(connection: Connection, run: int, transition: Transition, which: Which) -> Counts:
    before = counts_of(connection, run)
    counts = before.copy()
    changed = settle(connection, which(connection, run), transition, counts)
    require_match(counts.plus(before, -1), changed)
    count(connection, run, counts)
    return counts


class LocalRunClaim(RunClaim):
    """A run that this process claimed."""

    def __init__(self, book: LocalRunBook, database: Database, run: int) -> None:
        self._book = book
        self._database = database
        self._run = run

    @property
    def is_held(self) -> bool:
        """See `RunClaim`: always true, because the lock lasts as long as the process."""
        return True

    async def next_shards(self, after: int, *, canary: bool, limit: int) -> list[Shard]:
        """See `RunClaim`."""
        return await self._database.transact(
            lambda connection: read_open(connection, self._run, after, limit, canary=canary)
        )

    async def commit(self, changes: Changes, counts: Counts) -> Committed:
        """See `RunClaim`."""
        changed_statuses = [ShardStatus.of(shard) for shard in changes.shards]
        counts = counts.copy()

        def work(connection: Connection) -> Committed:
            control = require_own(connection, self._database, self._run)
            require_match(
                counts.plus(counts_of(connection, self._run), -1), changed_statuses, changes.drafts, changes.skips
            )
            write_statuses(connection, changed_statuses)
            added = add_drafts(connection, self._run, changes.drafts)
            add_skips(connection, self._run, changes.skips)
            add_failed_attempts(connection, self._run, changes.failed_attempts)
            count(connection, self._run, counts)
            return Committed([opened(*each) for each in added], control)

        committed = await self._database.transact(work)
        for shard, written in zip(changes.shards, changed_statuses, strict=True):
            shard.written = written.after
        return committed

    async def become(self, state: RunState) -> None:
        """See `RunClaim`."""
        await self._book.become(self._run, state)

    async def requested_control(self) -> ControlRequest | None:
        """See `RunClaim`."""
        return await self._book.requested_control(self._run)
