"""What one worker holds of a run: a parcel at a time, and the parts that it divides it into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from ...errors import LedgerError
from ..checksums import checksum, require_checksum
from ..database import Connection
from ..postgres.connection import PostgresDatabase
from ..postgres.sessions import PostgresConnection
from .balance import require_match
from .batches import Marked, Parcel
from .records import Changes, Committed, Draft, RunRecord, RunState, Skip, Tally, Wish
from .run_claim import Hold
from .shards import add_drafts, add_skips, add_troubles, opened, parcel_of, sum_of

CONTENTS: Final = "p.id, p.canary, p.batches, p.checksum, m.marks, m.checksum"


@frozen
class Claim:
    """A parcel that a worker claimed.

    Attributes:
        record: the run, with its counts at that moment.
        owner: the worker.
        parcel: what it claimed.
        epoch: how often the parcel has been claimed by now.
        orders: how the run is to be sent.
    """

    record: RunRecord
    owner: str
    parcel: Parcel
    epoch: int
    orders: str


class Share(Hold):
    """A claim and what becomes of it. What it writes counts only while nobody else has claimed the parcel.

    Args:
        database: the ledger's.
        claim: the parcel.
    """

    def __init__(self, database: PostgresDatabase, claim: Claim) -> None:
        self.record = claim.record
        self.owner = claim.owner
        self.orders = claim.orders
        self.canary = claim.parcel.canary
        self.batches = len(claim.parcel.batches)
        self.epochs = {claim.parcel.id: claim.epoch}
        self.is_quiet = False
        self._database = database
        self._parcel: Parcel | None = claim.parcel
        self._counted = claim.record.tally.copy()

    @property
    def is_held(self) -> bool:
        """See `Hold`: as long as the lease that the parcel was claimed under."""
        return self._database.holds(self.owner)

    async def next_parcels(self, after: int, *, canary: bool, limit: int) -> list[Parcel]:
        """See `Hold`."""
        if self._parcel is None or canary != self.canary:
            return []
        parcel, self._parcel = self._parcel, None
        return [parcel]

    async def commit(self, changes: Changes, tally: Tally) -> Committed:
        """See `Hold`."""
        run = self.record.id
        marked = [Marked.of(parcel) for parcel in changes.parcels]
        now = tally.copy()
        change = now.plus(self._counted, -1)

        def work(connection: Connection) -> tuple[list[Any], Wish | None]:
            self._mark(connection, marked)
            added = add_drafts(connection, run, changes.drafts)
            connection.executemany(
                "UPDATE marks SET owner = ?, epoch = 1 WHERE parcel = ?", [(self.owner, parcel) for parcel, _ in added]
            )
            add_skips(connection, run, changes.skips)
            add_troubles(connection, run, changes.troubles)
            add_to_tally(connection, run, change, marked, changes.drafts, changes.skips)
            return added, wish_of(connection, run)

        added, wish = await self._database.transact(work)
        self._counted = now
        self.epochs |= dict.fromkeys((parcel for parcel, _ in added), 1)
        for parcel, written in zip(changes.parcels, marked, strict=True):
            parcel.written = written.after
            if not written.is_open:
                self.epochs.pop(parcel.id)
        return Committed([opened(*each) for each in added], wish)

    async def become(self, state: RunState) -> None:
        """Remember that it is quiet now: a worker does not wait for hours, it hands back."""
        self.is_quiet = state is RunState.WAITING

    async def wished(self) -> Wish | None:
        """See `Hold`."""
        if self.is_quiet:
            return Wish.PAUSE
        return await self._database.transact(lambda connection: wish_of(connection, self.record.id))

    def _mark(self, connection: Connection, marked: list[Marked]) -> None:
        now = int(connection.time())
        rows = [
            (int(each.is_open), now, each.marks, sum_of(each.parcel, each.marks), each.is_open, each.parcel, self.owner,
             self.epochs.get(each.parcel, -1))
            for each in marked
        ]  # fmt: skip
        changed = connection.executemany(
            "UPDATE marks SET open = ?, changed = ?, marks = ?, checksum = ?,"
            " owner = CASE WHEN ? = 1 THEN owner END WHERE parcel = ? AND owner = ? AND epoch = ?",
            rows,
        )
        if marked and changed.rowcount != len(marked):
            raise LedgerError("Another worker took over what this one was sending.", code="run_lost")


def wish_of(connection: Connection, run: int) -> Wish | None:
    """Return what somebody asks of a run: workers leave one that does not go on as they leave one that is to rest."""
    row = connection.execute("SELECT state, wish FROM runs WHERE id = ?", (run,)).fetchone()
    if row is None or row[0] != RunState.RUNNING:
        return Wish.PAUSE
    return Wish(row[1]) if row[1] else None


def free(connection: Connection, share: Share) -> list[Parcel]:
    """Let others claim what is left of a share; return it, as it was left."""
    left = []
    for parcel, epoch in sorted(share.epochs.items()):
        found = connection.execute(
            f"SELECT {CONTENTS} FROM marks m JOIN parcels p ON p.id = m.parcel"  # noqa: S608 - constants
            " WHERE m.parcel = ? AND m.owner = ? AND m.epoch = ? AND m.open = 1 FOR UPDATE OF m",
            (parcel, share.owner, epoch),
        ).fetchone()
        if found is not None:
            connection.execute("UPDATE marks SET owner = NULL WHERE parcel = ?", (parcel,))
            left.append(parcel_of(found, share.record.id))
    return left


def add_to_tally(
    connection: Connection,
    run: int,
    change: Tally,
    marked: Sequence[Marked],
    drafts: Sequence[Draft] = (),
    skips: Sequence[Skip] = (),
) -> None:
    """Add to the counts of a run, in the part that only this connection writes: nobody waits for anybody.

    Args:
        connection: a transaction, in which the batches are written too.
        run: whose counts.
        change: what is added.
        marked: the batches that changed.
        drafts: new batches.
        skips: rows that are sent nothing after all.

    Raises:
        LedgerError: counts_wrong, when the counts would change otherwise than the batches.
    """
    require_match(change, marked, drafts, skips)
    if change == Tally():
        return
    part = connection.name if isinstance(connection, PostgresConnection) else ""
    found = connection.execute("SELECT tally, checksum FROM tallies WHERE run = ? AND part = ?", (run, part)).fetchone()
    before = Tally()
    if found is not None:
        require_checksum(found[1], (run, found[0]), f"the counts of the run {run}")
        before = Tally.load(found[0])
    text = before.plus(change).dump()
    connection.execute(
        "INSERT INTO tallies (run, part, tally, checksum) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (run, part) DO UPDATE SET tally = excluded.tally, checksum = excluded.checksum",
        (run, part, text, checksum((run, text))),
    )
