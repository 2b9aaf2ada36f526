"""Runs on PostgreSQL, sent by any number of workers, a shard at a time. Claims of dead workers are released.

Jobs only notify workers; the ledger decides who sends. A job says that a run has something to send. Its worker claims a
shard, which raises the epoch of the shard; the worker's results count only under this epoch. If a worker no longer
renews its lease, the sweep considers it dead, marks its requests in flight as ambiguous and releases the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...errors import LedgerError, campaign_error
from ...models import OnAmbiguous
from ...outcomes import Problem, iso_utc
from ...process import wall_clock
from ..database import Connection
from ..postgres.jobs import JOBS_AT_ONCE, defer_jobs, fail_stalled_jobs, has_jobs, waiting_jobs
from .balance import require_over
from .batches import Shard, ShardStatus
from .book import RunBook, counts_of, is_open, note, require_own, seal_run
from .canary import is_to_wait, waiting
from .records import LIVE, OVER, ControlRequest, Counts, RunRecord, RunState
from .sensitive import forget_sensitive_values
from .shard_claim import CONTENTS, Claim, ShardClaim, add_to_counts, free
from .shards import add_drafts, add_skips, in_turn, settle, shard_of, write_statuses
from .transitions import FindExcluded, RetryRequest, Transition, cancelled, interrupted, without


class DistributedRunBook(RunBook):
    """Runs that any number of workers send."""

    planned = RunState.PLANNING
    """Until it is launched, a plan is removed if its process dies."""

    # -- control, from any process

    async def launch(self, run: int, options: str, begins: datetime | None) -> RunRecord:
        """Hand a planned run to the workers; from now on it exists, even if this process dies.

        If it was to be paused or cancelled meanwhile, it is.

        Args:
            run: its id in the ledger.
            options: its send options.
            begins: the start time; None for now.

        Raises:
            LedgerError: run_lost, if another process considered this one dead and removed its plan.
        """

        def work(connection: Connection) -> RunRecord:
            require_own(connection, self._database, run)
            # Refresh the statistics of tables that have just grown, so that shards are found without full scans.
            connection.execute("ANALYZE shard_statuses")
            connection.execute("ANALYZE shards")
            self._open(connection, run, options, begins)
            return self._require(connection, run)

        record = await self._database.transact(work)
        await self._fill(run)
        return record

    async def reopen(
        self,
        name: str,
        options: str,
        begins: datetime | None,
        excluded: FindExcluded | None = None,
        back: RetryRequest | None = None,
    ) -> RunRecord:
        """Let workers continue a stopped run.

        Args:
            name: of the campaign.
            options: its send options.
            begins: the start time; None for now.
            excluded: returns recipients to exclude; None if there are none.
            back: batches to send again.

        Raises:
            CampaignError: run_busy, if workers are sending it or have requests in flight; run_purged,
                run_values_forgotten.
        """

        def work(connection: Connection) -> RunRecord:
            record = self._locked(connection, name)
            if record.live or _is_held(connection, record.id):
                message = f"Workers still have requests of the campaign {name!r} in flight."
                raise campaign_error(message, "run_busy", name)
            record.require_sendable()
            if back is not None:
                self._change(connection, record.id, back.transition, "")
                note(connection, record.id, back.what, back.detail)
            if excluded is not None:
                # The parts of a batch in doubt come last, and those with excluded recipients become unknown then.
                for shard in in_turn(connection, record.id, "AND m.open = 1"):
                    self._drop(connection, record.id, shard, excluded)
            note(connection, record.id, "continued", f"was {record.state}")
            seal_run(connection, record.id, control=None)
            self._open(connection, record.id, options, begins)
            return self._require(connection, record.id)

        record = await self._database.transact(work)
        await self._fill(record.id)
        return record

    async def rest(self, name: str, control: ControlRequest) -> None:
        """Pause or cancel a run as soon as no worker has requests of it in flight."""

        def work(connection: Connection) -> None:
            record = self._locked(connection, name)
            seal_run(connection, record.id, control=control.value)
            note(connection, record.id, f"{control.value} requested", "")
            if record.state is not RunState.PLANNING:
                self._advance(connection, record.id)

        await self._database.transact(work)

    async def workers(self) -> int:
        """Return the number of live workers."""

        def work(connection: Connection) -> int:
            rows = connection.execute("SELECT count(*) FROM owners WHERE works AND lease_until > clock_timestamp()")
            return int(rows.fetchone()[0])

        return await self._database.transact(work)

    # -- working

    async def work_here(self) -> None:
        """Register this process as a worker."""
        await self._database.transact(
            lambda connection: connection.execute(
                "UPDATE owners SET works = true WHERE name = ?", (self._database.owner,)
            )
        )

    async def claim(self, run: int) -> ShardClaim | None:
        """Claim a shard of a run; None if none is available.

        Until all recipients of the canary have outcomes, only shards of the canary are available.
        """

        def work(connection: Connection) -> Claim | None:
            connection.lock(f"run {run}", shared=True)
            row = connection.execute("SELECT state, control, send_options FROM runs WHERE id = ?", (run,)).fetchone()
            if row is None or row[0] != RunState.RUNNING or row[1] is not None:
                return None
            phase = _phase(connection, run)
            if not phase and is_to_wait(connection, run):
                return None
            owner = self._database.owner
            found = connection.execute(
                # Materialized: inside the join, it might run for every row and claim all shards.
                "WITH next AS MATERIALIZED ("
                " SELECT shard FROM shard_statuses WHERE run = ? AND open = 1 AND owner IS NULL AND canary = ?"
                " ORDER BY shard LIMIT 1 FOR UPDATE SKIP LOCKED"
                ") UPDATE shard_statuses s SET owner = ?, epoch = epoch + 1 FROM next WHERE s.shard = next.shard"
                " RETURNING s.shard, epoch",
                (run, phase, owner),
            ).fetchone()
            if found is None:
                return None
            contents = connection.execute(
                f"SELECT {CONTENTS} FROM shard_statuses m JOIN shards p ON p.id = m.shard WHERE m.shard = ?",  # noqa: S608
                (found[0],),
            ).fetchone()
            return Claim(self._require(connection, run), owner, shard_of(contents, run), found[1], row[2])

        claim = await self._database.transact(work)
        return None if claim is None else ShardClaim(self._database, claim)

    async def hand_back(
        self, claim: ShardClaim, halted_by: Problem | None = None, rest_until: datetime | None = None
    ) -> None:
        """Release a shard, and update the state of its run if this was its last shard, or its last canary shard.

        Args:
            claim: of the shard.
            halted_by: the problem that halts the run.
            rest_until: the end of the quiet hours, when the run continues.
        """
        run = claim.record.id

        def work(connection: Connection) -> None:
            left = free(connection, claim)
            if not (left or halted_by or rest_until or claim.canary or has_control_or_ended(connection, run)):
                return
            connection.lock(f"run {run}")
            self._settle_interrupted(connection, run, left)
            state, control = connection.execute("SELECT state, control FROM runs WHERE id = ?", (run,)).fetchone()
            if halted_by is not None and state == RunState.RUNNING and control != ControlRequest.CANCEL:
                self._leave(connection, run, RunState.HALTED, halted_by)
            elif rest_until is not None and state == RunState.RUNNING:
                seal_run(connection, run, state=RunState.WAITING.value)
                connection.execute(
                    "UPDATE runs SET wake_at = ?::timestamptz WHERE id = ?", (rest_until.isoformat(), run)
                )
                note(connection, run, "quiet hours", f"until {iso_utc(rest_until)}")
            self._advance(connection, run, len(left))
            if claim.canary:  # after the last canary shard, the others may start
                self._defer_missing(connection, run)

        await self._database.transact(work)

    async def sweep(self) -> None:
        """Release the claims of dead processes, start runs that are due, and replace lost jobs."""

        def work(connection: Connection) -> list[int]:
            [(alone,)] = connection.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('sweep', 0))").fetchall()
            if not alone:
                return []
            self._release_dead(connection)
            self._sweep(connection)
            fail_stalled_jobs(connection)
            connection.execute("DELETE FROM commits WHERE at < now() - interval '1 day'")
            rows = connection.execute(
                "SELECT id FROM runs WHERE state IN ('running', 'waiting') OR control IS NOT NULL"
            )
            return [run for (run,) in rows.fetchall()]

        for run in await self._database.transact(work):
            await self._look_after(run)

    # -- steps

    def _is_live(self, connection: Connection, state: RunState, owner: str | None) -> bool:
        if state is RunState.PLANNING:
            return owner is not None and self._database.is_alive(connection, owner)
        return state in LIVE  # it continues as soon as there are workers

    def _open(self, connection: Connection, run: int, options: str, begins: datetime | None) -> None:
        state = RunState.RUNNING if begins is None else RunState.WAITING
        seal_run(connection, run, state=state.value, owner=None, halted_by=None, finished_at=None)
        connection.execute(
            "UPDATE runs SET send_options = ?, wake_at = ?::timestamptz WHERE id = ?",
            (options, begins and begins.isoformat(), run),
        )
        self._advance(connection, run)
        self._defer_missing(connection, run)

    async def _fill(self, run: int) -> None:
        """Defer jobs that exceeded the limit of one transaction, and replace lost jobs."""
        while await self._database.transact(lambda connection: self._defer_missing(connection, run)):
            continue

    def _defer_missing(self, connection: Connection, run: int) -> bool:
        """Defer a job for each waiting shard, up to a limit; return True if there are more to defer."""
        connection.lock(f"run {run}")
        row = connection.execute("SELECT state, control FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None or row[0] != RunState.RUNNING or row[1] is not None or is_to_wait(connection, run):
            return False
        [(waiting,)] = connection.execute(
            "SELECT count(*) FROM shard_statuses WHERE run = ? AND open = 1 AND owner IS NULL AND canary = ?",
            (run, _phase(connection, run)),
        ).fetchall()
        missing = int(waiting) - waiting_jobs(connection, run)
        if missing > 0:
            defer_jobs(connection, run, min(missing, JOBS_AT_ONCE))
        return missing > JOBS_AT_ONCE

    async def _look_after(self, run: int) -> None:
        def work(connection: Connection) -> None:
            connection.lock(f"run {run}")
            row = connection.execute(
                "SELECT state, wake_at IS NULL OR wake_at <= clock_timestamp() FROM runs WHERE id = ?", (run,)
            ).fetchone()
            if row is not None and row[0] == RunState.WAITING and row[1]:
                seal_run(connection, run, state=RunState.RUNNING.value)
                note(connection, run, "wait ended", "")
            if row is not None:
                self._advance(connection, run)

        await self._database.transact(work)

    def _release_dead(self, connection: Connection) -> None:
        """Release the claims of processes that have left or whose lease has expired."""
        # If the database's clock was set back, such a lease would last by that much longer.
        connection.execute(
            "UPDATE owners SET lease_until = clock_timestamp() + lease"
            " WHERE lease_until > clock_timestamp() + 2 * lease"
        )
        dead = connection.execute(
            "SELECT name, host, process FROM owners WHERE lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED"
        ).fetchall()
        gone = connection.execute(
            "SELECT DISTINCT m.owner, '(gone)', 0 FROM shard_statuses m LEFT JOIN owners o ON o.name = m.owner"
            " WHERE m.owner IS NOT NULL AND o.name IS NULL"
        ).fetchall()
        for owner, host, process in [*dead, *gone]:
            runs = connection.execute(
                "SELECT DISTINCT run FROM shard_statuses WHERE owner = ? ORDER BY run", (owner,)
            ).fetchall()
            for (run,) in runs:
                connection.lock(f"run {run}")
                rows = connection.execute(
                    f"SELECT {CONTENTS} FROM shard_statuses m JOIN shards p ON p.id = m.shard"  # noqa: S608 - constants
                    " WHERE m.owner = ? AND m.run = ? ORDER BY m.shard FOR UPDATE OF m",
                    (owner, run),
                ).fetchall()
                connection.execute(
                    "UPDATE shard_statuses SET owner = NULL, epoch = epoch + 1 WHERE owner = ? AND run = ?",
                    (owner, run),
                )
                self._settle_interrupted(connection, run, [shard_of(row, run) for row in rows])
                note(connection, run, "worker lost", f"process {process} on {host}; released shards: {len(rows)}")
                self._advance(connection, run, len(rows))
            connection.execute("DELETE FROM owners WHERE name = ?", (owner,))

    def _settle_interrupted(self, connection: Connection, run: int, shards: Sequence[Shard]) -> None:
        """Settle the requests in flight of a worker that stopped: Metrix may have accepted them."""
        if shards:
            [(options,)] = connection.execute("SELECT send_options FROM runs WHERE id = ?", (run,)).fetchall()
            self._settle(connection, run, shards, interrupted(OnAmbiguous(json.loads(options)["on_ambiguous"])))

    def _settle(self, connection: Connection, run: int, shards: Any, transition: Transition) -> None:
        change = Counts()
        add_to_counts(connection, run, change, settle(connection, shards, transition, change))

    def _drop(self, connection: Connection, run: int, shard: Shard, excluded: FindExcluded) -> None:
        change = Counts()
        drafts, skips = without(shard, change, excluded, int(connection.time()))
        if change != Counts():
            changed_statuses = [ShardStatus.of(shard)]
            write_statuses(connection, changed_statuses)
            add_drafts(connection, run, drafts)
            add_skips(connection, run, skips)
            add_to_counts(connection, run, change, changed_statuses, drafts, skips)

    def _change(self, connection: Connection, run: int, transition: Transition, condition: str) -> None:
        self._settle(connection, run, in_turn(connection, run, condition), transition)

    def _advance(self, connection: Connection, run: int, freed: int = 0) -> None:
        """Finish, pause or cancel a locked run, or defer more jobs for it."""
        state, control = connection.execute("SELECT state, control FROM runs WHERE id = ?", (run,)).fetchone()
        live = state in (RunState.RUNNING, RunState.WAITING)
        if live and not is_open(connection, run):
            self._finish(connection, run)
        elif control is not None:
            if not _is_held(connection, run):
                if control == ControlRequest.CANCEL:
                    self._change(connection, run, cancelled, "AND m.open = 1")
                self._leave(connection, run, ControlRequest(control).leads_to)
        elif live and is_to_wait(connection, run):
            self._leave(connection, run, RunState.PAUSED, waiting(connection, run))
        elif live and freed:
            defer_jobs(connection, run, freed)
        elif live and not has_jobs(connection, run):
            self._defer_missing(connection, run)

    def _finish(self, connection: Connection, run: int) -> None:
        counts = counts_of(connection, run)
        failed = counts.rejected + counts.unknown
        try:
            require_over(counts, is_open=False)
            self._leave(connection, run, RunState.FINISHED_WITH_ERRORS if failed else RunState.FINISHED)
        except LedgerError as error:  # otherwise every worker would fail here
            self._leave(connection, run, RunState.HALTED, error.problem)

    def _leave(self, connection: Connection, run: int, state: RunState, halted_by: Problem | None = None) -> None:
        over = iso_utc(wall_clock.now()) if state in OVER else None
        if over:
            forget_sensitive_values(connection, run)
        why = json.dumps(halted_by.as_dict()) if halted_by else None
        seal_run(connection, run, state=state.value, control=None, halted_by=why, finished_at=over)
        note(connection, run, state.value, halted_by.message if halted_by else "")


def has_control_or_ended(connection: Connection, run: int) -> bool:
    """Tell whether a run has a control request, or no open shard."""
    row = connection.execute("SELECT control FROM runs WHERE id = ?", (run,)).fetchone()
    return row is not None and (row[0] is not None or not is_open(connection, run))


def _phase(connection: Connection, run: int) -> int:
    """Return which shards are to be sent now: 1 for the canary, 0 for the others."""
    rows = connection.execute("SELECT 1 FROM shard_statuses WHERE run = ? AND open = 1 AND canary = 1 LIMIT 1", (run,))
    return len(rows.fetchall())


def _is_held(connection: Connection, run: int) -> bool:
    rows = connection.execute("SELECT 1 FROM shard_statuses WHERE run = ? AND owner IS NOT NULL LIMIT 1", (run,))
    return bool(rows.fetchall())
