"""Checks a ledger: verifies every checksum, and recounts every run from its batches.

Live runs continue meanwhile. The recipients of each batch, which never change, are read first, a page at a time. Then
one short transaction reads the statuses of the batches together with the counts.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from attrs import define, field, frozen

from ...errors import LedgerError
from ..checksums import checksum
from ..database import Connection, Database
from ..sends.rows import COLUMNS
from .balance import is_sound
from .batches import SIZE, BatchState, states_of
from .book import counts_of, sealed_run
from .records import COUNTED, FORGOTTEN, Counts, RunState, SkipReason
from .shards import read_skips, sum_of

_PAGE: Final = 100
_SKIPS: Final = 20
_SENDS: Final = 2_000


@define
class RunCheck:
    """The result for one run.

    Attributes:
        campaign: its name.
        run: its id, unique among all ledgers.
        counts: as stored; None if they are damaged.
        recounted: from batches and skipped rows; None if they were purged or some are damaged.
        damaged: descriptions of damaged records.
    """

    campaign: str
    run: str
    counts: Counts | None = None
    recounted: Counts | None = None
    damaged: list[str] = field(factory=list)

    @property
    def differs(self) -> list[str]:
        """The names of the counts that differ from the recount."""
        if self.counts is None or self.recounted is None:
            return []
        difference = self.counts.plus(self.recounted, -1)
        names = [name for name in COUNTS if getattr(difference, name)]
        return names + [f"skipped.{why}" for why, count in difference.skipped.items() if count]

    @property
    def adds_up(self) -> bool:
        """Whether the counts add up to the rows and none is negative."""
        return self.counts is not None and is_sound(self.counts)

    @property
    def is_ok(self) -> bool:
        """Whether nothing is damaged and the counts are correct."""
        return self.adds_up and not self.differs and not self.damaged


COUNTS: Final = ("rows", "accepted", "rejected", "unknown", "pending", "cancelled", "sending", "batches")
"""The counts that can be recounted, besides those of skipped rows."""


@frozen
class LedgerCheck:
    """The result for a ledger.

    Attributes:
        runs: of the ledger, the oldest first.
        damaged: descriptions of damaged records of single messages.
    """

    runs: list[RunCheck]
    damaged: list[str]

    @property
    def is_ok(self) -> bool:
        """Whether all checks passed."""
        return not self.damaged and all(each.is_ok for each in self.runs)


async def check_ledger(database: Database) -> LedgerCheck:
    """Verify all checksums and recount every run; change nothing.

    Raises:
        LedgerError: the ledger cannot be read at all.
    """
    runs = []
    for run, name, unique in await database.transact(_all_runs):
        found = RunCheck(name, unique)
        await _Recount(database, run, found).made()
        runs.append(found)
    return LedgerCheck(runs, [*await _damaged(database, _sends, ""), *await _damaged(database, _attempts, 0)])


def _all_runs(connection: Connection) -> list[tuple[int, str, str]]:
    return connection.execute(
        "SELECT id, name, run FROM runs WHERE state <> ? ORDER BY id", (RunState.PLANNING.value,)
    ).fetchall()


class _Recount:
    """Recounts one run.

    Args:
        database: of the ledger.
        run: its id in the ledger.
        found: receives the result.
    """

    def __init__(self, database: Database, run: int, found: RunCheck) -> None:
        self._database = database
        self._run = run
        self._found = found
        self._sizes: dict[int, list[int]] = {}
        self._skipped = Counts()
        self._last_shard = 0
        self._last_skip = 0

    async def made(self) -> None:
        """Read the data that does not change, then the data that does."""
        while rows := await self._database.transact(self._shards):
            self._measure(rows)
        try:
            while await self._database.transact(self._skips):
                continue
            forgotten, statuses = await self._database.transact(self._read_statuses)
        except LedgerError as error:
            self._found.damaged.append(error.message)
            return
        if not forgotten:
            self._count(statuses)

    def _shards(self, connection: Connection) -> list[tuple[int, bytes, int]]:
        return connection.execute(
            "SELECT id, batches, checksum FROM shards WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
            (self._run, self._last_shard, _PAGE),
        ).fetchall()

    def _measure(self, rows: Sequence[tuple[int, bytes, int]]) -> None:
        for shard, batches, expected in rows:
            self._last_shard = shard
            if sum_of(self._run, batches) != expected:
                self._found.damaged.append(f"The ledger's record of shard {shard} is damaged.")
            else:
                self._sizes[shard] = [len(recipients) for _, recipients in json.loads(zlib.decompress(batches))]

    def _skips(self, connection: Connection) -> bool:
        page = read_skips(connection, self._run, self._last_skip, _SKIPS)
        for number, skip in page:
            self._last_skip = number
            self._skipped.skip(len(skip.rows), SkipReason(skip.reason))
        return bool(page)

    def _read_statuses(self, connection: Connection) -> tuple[bool, list[tuple[int, int, bytes, int]]]:
        """Read a snapshot of the counts and statuses, and shards that were added meanwhile."""
        connection.snapshot()
        record = sealed_run(connection, self._run)
        self._found.counts = counts_of(connection, self._run)
        while rows := self._shards(connection):
            self._measure(rows)
        while self._skips(connection):
            continue
        statuses = connection.execute(
            "SELECT shard, open, statuses, checksum FROM shard_statuses WHERE run = ? ORDER BY shard", (self._run,)
        ).fetchall()
        return FORGOTTEN in json.loads(record["facts"]), statuses

    def _count(self, rows: Sequence[tuple[int, int, bytes, int]]) -> None:
        counts, damaged = self._skipped, self._found.damaged
        for shard, is_open, statuses, expected in rows:
            sizes = self._sizes.pop(shard, None)
            if sum_of(shard, statuses) != expected or (sizes is not None and len(statuses) != SIZE * len(sizes)):
                damaged.append(f"The ledger's record of the statuses of shard {shard} is damaged.")
            elif sizes is not None:
                states = states_of(statuses)
                _add(counts, states, sizes)
                if (min(states) < BatchState.ACCEPTED) != bool(is_open):
                    damaged.append(f"Shard {shard} is wrongly marked as {'open' if is_open else 'done'}.")
        damaged += [f"The statuses of shard {shard} are missing in the ledger." for shard in self._sizes]
        counts.rows = -counts.balance
        self._found.recounted = None if damaged else counts


def _add(counts: Counts, states: bytes, sizes: Sequence[int]) -> None:
    """Count the batches of one shard."""
    recipients = [0] * len(BatchState)
    for state, size in zip(states, sizes, strict=True):
        recipients[state] += size
    for kind in BatchState:
        if (name := COUNTED[kind]) is not None:
            setattr(counts, name, getattr(counts, name) + recipients[kind])
    counts.sending += states.count(BatchState.SENDING)
    counts.batches += len(states) - states.count(BatchState.REPLACED)


_Read = Callable[..., list[tuple[Any, bool, str]]]
"""Returns the records after a key: the key of each, whether it is intact, and its name."""


async def _damaged(database: Database, read: _Read, after: Any) -> list[str]:
    found = []
    while page := await database.transact(partial(read, after=after)):
        found += [f"The ledger's record of {what} is damaged." for _, is_intact, what in page if not is_intact]
        after = page[-1][0]
    return found


def _sends(connection: Connection, after: str) -> list[tuple[str, bool, str]]:
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)}, checksum FROM sends WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - constants
        (after, _SENDS),
    ).fetchall()
    return [(send, checksum((send, *others)) == expected, f"the send {send}") for send, *others, expected in rows]


def _attempts(connection: Connection, after: int) -> list[tuple[int, bool, str]]:
    rows = connection.execute(
        "SELECT id, send, recipients, disposition, checksum FROM attempts WHERE id > ? ORDER BY id LIMIT ?",
        (after, _SENDS),
    ).fetchall()
    return [
        (number, checksum((send, named, disposition)) == expected, f"an attempt of the send {send}")
        for number, send, named, disposition, expected in rows
    ]
