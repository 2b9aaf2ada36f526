"""The claim of a worker on one shard of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from ...errors import LedgerError
from ..checksums import checksum, require_checksum
from ..database import Connection, Database
from .balance import require_match
from .batches import Shard, ShardStatus
from .records import Changes, Committed, ControlRequest, Counts, Draft, RunRecord, RunState, Skip
from .run_claim import RunClaim
from .shards import add_drafts, add_failed_attempts, add_skips, opened, shard_of, sum_of

CONTENTS: Final = "p.id, p.canary, p.batches, p.checksum, m.statuses, m.checksum"


@frozen
class Claim:
    """A shard that a worker claimed.

    Attributes:
        record: the run, with its counts at that moment.
        owner: the worker.
        shard: the claimed shard.
        epoch: how often the shard has been claimed so far.
        options: send options of the run.
    """

    record: RunRecord
    owner: str
    shard: Shard
    epoch: int
    options: str


class ShardClaim(RunClaim):
    """A claimed shard. Writes count only while no other worker has claimed it.

    Args:
        database: of the ledger.
        claim: the shard.
    """

    def __init__(self, database: Database, claim: Claim) -> None:
        self.record: RunRecord = claim.record
        self.owner: str = claim.owner
        self.options: str = claim.options
        self.canary: bool = claim.shard.canary
        self.batches: int = len(claim.shard.batches)
        self.epochs: dict[int, int] = {claim.shard.id: claim.epoch}
        self.is_quiet: bool = False
        self._database = database
        self._shard: Shard | None = claim.shard
        self._already_counted = claim.record.counts.copy()

    @property
    def is_held(self) -> bool:
        """See `RunClaim`: as long as the lease of the claim is valid."""
        return self._database.holds(self.owner)

    async def next_shards(self, after: int, *, canary: bool, limit: int) -> list[Shard]:
        """See `RunClaim`."""
        if self._shard is None or canary != self.canary:
            return []
        shard, self._shard = self._shard, None
        return [shard]

    async def commit(self, changes: Changes, counts: Counts) -> Committed:
        """See `RunClaim`."""
        run = self.record.id
        changed_statuses = [ShardStatus.of(shard) for shard in changes.shards]
        now = counts.copy()
        change = now.plus(self._already_counted, -1)

        def work(connection: Connection) -> tuple[list[Any], ControlRequest | None]:
            self._write_statuses(connection, changed_statuses)
            added = add_drafts(connection, run, changes.drafts)
            connection.executemany(
                "UPDATE shard_statuses SET owner = ?, epoch = 1 WHERE shard = ?",
                [(self.owner, shard) for shard, _ in added],
            )
            add_skips(connection, run, changes.skips)
            add_failed_attempts(connection, run, changes.failed_attempts)
            add_to_counts(connection, run, change, changed_statuses, changes.drafts, changes.skips)
            return added, control_of(connection, run)

        added, control = await self._database.transact(work)
        self._already_counted = now
        self.epochs |= dict.fromkeys((shard for shard, _ in added), 1)
        for shard, written in zip(changes.shards, changed_statuses, strict=True):
            shard.written = written.after
            if not written.is_open:
                self.epochs.pop(shard.id)
        return Committed([opened(*each) for each in added], control)

    async def become(self, state: RunState) -> None:
        """Remember quiet hours: a worker does not wait for their end, but hands the shard back."""
        self.is_quiet = state is RunState.WAITING

    async def requested_control(self) -> ControlRequest | None:
        """See `RunClaim`."""
        if self.is_quiet:
            return ControlRequest.PAUSE
        return await self._database.transact(lambda connection: control_of(connection, self.record.id))

    def _write_statuses(self, connection: Connection, changed_statuses: list[ShardStatus]) -> None:
        now = int(connection.time())
        rows = [
            (
                *(int(each.is_open), now, each.statuses, sum_of(each.shard, each.statuses)),
                *(each.is_open, each.shard, self.owner, self.epochs.get(each.shard, -1)),
            )
            for each in changed_statuses
        ]
        changed = connection.executemany(
            "UPDATE shard_statuses SET open = ?, changed = ?, statuses = ?, checksum = ?,"
            " owner = CASE WHEN ? = 1 THEN owner END WHERE shard = ? AND owner = ? AND epoch = ?",
            rows,
        )
        if changed_statuses and changed.rowcount != len(changed_statuses):
            raise LedgerError("Another worker took over the shard that this worker was sending.", code="run_lost")


def control_of(connection: Connection, run: int) -> ControlRequest | None:
    """Return the control request of a run; one that is no longer running is treated as if a pause were requested."""
    row = connection.execute("SELECT state, control FROM runs WHERE id = ?", (run,)).fetchone()
    if row is None or row[0] != RunState.RUNNING:
        return ControlRequest.PAUSE
    return ControlRequest(row[1]) if row[1] else None


def free(connection: Connection, claim: ShardClaim) -> list[Shard]:
    """Release the rest of a claimed shard for other workers, and return it."""
    left = []
    for shard, epoch in sorted(claim.epochs.items()):
        found = connection.execute(
            f"SELECT {CONTENTS} FROM shard_statuses m JOIN shards p ON p.id = m.shard"  # noqa: S608 - constants
            " WHERE m.shard = ? AND m.owner = ? AND m.epoch = ? AND m.open = 1 FOR UPDATE OF m",
            (shard, claim.owner, epoch),
        ).fetchone()
        if found is not None:
            connection.execute("UPDATE shard_statuses SET owner = NULL WHERE shard = ?", (shard,))
            left.append(shard_of(found, claim.record.id))
    return left


def add_to_counts(
    connection: Connection,
    run: int,
    change: Counts,
    changed_statuses: Sequence[ShardStatus],
    drafts: Sequence[Draft] = (),
    skips: Sequence[Skip] = (),
) -> None:
    """Add to the counts of a run. Each connection has its own row, so that writers do not block each other.

    Args:
        connection: the transaction that also writes the batches.
        run: id of the run.
        change: the difference of the counts.
        changed_statuses: the batches that changed.
        drafts: new batches.
        skips: newly skipped rows.

    Raises:
        LedgerError: counts_wrong, if the change does not match the batches.
    """
    require_match(change, changed_statuses, drafts, skips)
    if change == Counts():
        return
    part = connection.name
    found = connection.execute(
        "SELECT counts, checksum FROM run_counts WHERE run = ? AND part = ?", (run, part)
    ).fetchone()
    before = Counts()
    if found is not None:
        require_checksum(found[1], (run, found[0]), f"the counts of the run {run}")
        before = Counts.load(found[0])
    text = before.plus(change).dump()
    connection.execute(
        "INSERT INTO run_counts (run, part, counts, checksum) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (run, part) DO UPDATE SET counts = excluded.counts, checksum = excluded.checksum",
        (run, part, text, checksum((run, text))),
    )
