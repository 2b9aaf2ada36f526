"""The book of campaigns: the runs, the processes that work on them, and all their steps."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from ...errors import CampaignError, LedgerError, campaign_error
from ...outcomes import Problem, iso_utc
from ...process import wall_clock
from ..checksums import checksum, require_checksum
from ..database import Connection, Database
from .balance import require_batches, require_sound
from .batches import BatchState, Shard, settled, settled_at
from .canary import first_recipients, is_to_wait, released
from .records import LIVE, ControlRequest, Counts, Draft, FailureCount, RunRecord, RunState, Skip
from .shards import add_drafts, add_skips, read_all, read_skips

_COLUMNS: Final = (
    "id", "name", "run", "state", "owner", "file", "pins", "facts", "started_at", "finished_at", "halted_by",
)  # fmt: skip
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)}, checksum FROM runs "  # noqa: S608 - constants
_STATUSES_LOOKED_AT: Final = 400_000
"""Maximum bytes of statuses that are read one by one."""
_TABLES: Final = ("run_counts", "shard_statuses", "shards", "skips", "failed_attempts", "run_journal")


class RunBook(ABC):
    """The runs of campaigns in one ledger: plans them and returns their records.

    Args:
        database: of the ledger.
    """

    planned: ClassVar[RunState] = RunState.RUNNING
    """The state of a run whose plan is complete."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- reading

    async def find(self, name: str) -> RunRecord | None:
        """Return the run of a campaign; None if there is none."""
        return await self._database.transact(lambda connection: self._find(connection, name))

    async def get(self, name: str) -> RunRecord:
        """Return the run of a campaign.

        Raises:
            CampaignError: run_missing.
        """
        record = await self.find(name)
        if record is None:
            raise CampaignError(f"The ledger has no campaign {name!r}.", code="run_missing")
        return record

    async def all(self) -> list[RunRecord]:
        """Return every run, the newest first."""

        def work(connection: Connection) -> list[RunRecord]:
            rows = connection.execute(_SELECT + "ORDER BY id DESC").fetchall()
            return [record for row in rows if (record := self._run(connection, row))]

        return await self._database.transact(work)

    async def now(self) -> float:
        """Return seconds since 1970, by the clock of the changes of shards."""
        return await self._database.transact(lambda connection: connection.time())

    async def shards(self, run: int, after: int = 0, *, limit: int = 20, since: int = 0) -> list[Shard]:
        """Return the next shards of a run that changed since a time, in seconds since 1970."""
        return await self._database.transact(lambda connection: read_all(connection, run, after, limit, since))

    async def skips(self, run: int, after: int = 0) -> list[tuple[int, Skip]]:
        """Return the next skipped rows, with the position to continue from."""
        return await self._database.transact(lambda connection: read_skips(connection, run, after, 20))

    async def failed_attempts(self, run: int) -> list[FailureCount]:
        """Return failed attempts by reason, the most frequent first."""

        def work(connection: Connection) -> list[FailureCount]:
            rows = connection.execute(
                "SELECT disposition, status, max(explanation), count(*) FROM failed_attempts WHERE run = ?"
                " GROUP BY disposition, status ORDER BY 4 DESC",
                (run,),
            )
            return [FailureCount(*row) for row in rows]

        return await self._database.transact(work)

    async def settlements(self, run: int) -> Counter[tuple[BatchState, int]]:
        """Count the batches with an outcome, by outcome and time (seconds since 1970).

        If there are very many, the time is that of the last change of their shard.
        """

        def work(connection: Connection) -> Counter[tuple[BatchState, int]]:
            [(size,)] = connection.execute(
                "SELECT coalesce(sum(length(statuses)), 0) FROM shard_statuses WHERE run = ?", (run,)
            )
            found: Counter[tuple[BatchState, int]] = Counter()
            for changed, statuses in connection.execute(
                "SELECT changed, statuses FROM shard_statuses WHERE run = ?", (run,)
            ):
                if size <= _STATUSES_LOOKED_AT:
                    found.update(settled_at(statuses))
                else:
                    found.update({(state, changed): count for state, count in settled(statuses).items()})
            return found

        return await self._database.transact(work)

    async def events(self, run: int) -> list[tuple[str, str, str]]:
        """Return the run journal: time, action and details."""

        def work(connection: Connection) -> list[tuple[str, str, str]]:
            return connection.execute(
                "SELECT at, what, detail FROM run_journal WHERE run = ? ORDER BY id", (run,)
            ).fetchall()

        return await self._database.transact(work)

    # -- planning

    async def draft(self, name: str, file: str, pins: Mapping[str, Any]) -> RunRecord:
        """Start the plan of a new run; remove plans of dead processes.

        Raises:
            CampaignError: run_busy, if another process plans or runs it; run_exists.
        """

        def work(connection: Connection) -> RunRecord:
            self._sweep(connection)
            if (found := self._find(connection, name)) is not None:
                code = "run_busy" if found.live else "run_exists"
                raise campaign_error(f"The ledger already has a campaign {name!r}; it is {found.state}.", code, name)
            row = (name, uuid.uuid4().hex, RunState.PLANNING.value, self._database.owner, file, json.dumps(pins),
                   "{}", iso_utc(wall_clock.now()))  # fmt: skip
            added = connection.execute(
                "INSERT INTO runs (name, run, state, owner, file, pins, facts, started_at, checksum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (name) DO NOTHING RETURNING id",
                row,
            ).fetchall()
            if not added:  # another process added it concurrently
                raise campaign_error(f"Another process is planning the campaign {name!r}.", "run_busy", name)
            [(run,)] = added
            seal_run(connection, run)
            count(connection, run, Counts())
            return self._require(connection, run)

        return await self._database.transact(work)

    async def add(
        self, run: int, drafts: Sequence[Draft], skips: Sequence[Skip], counts: Counts
    ) -> ControlRequest | None:
        """Write a part of the plan, with the counts so far; return the control request for the run.

        Raises:
            LedgerError: run_lost, if another process took over the run.
        """

        def work(connection: Connection) -> ControlRequest | None:
            control = require_own(connection, self._database, run)
            add_drafts(connection, run, drafts)
            add_skips(connection, run, skips)
            count(connection, run, counts)
            return control

        return await self._database.transact(work)

    async def complete(self, run: int, pins: Mapping[str, Any], facts: Mapping[str, Any], counts: Counts) -> RunRecord:
        """Complete the plan: from now on the run exists, even if this process dies."""

        def work(connection: Connection) -> RunRecord:
            require_own(connection, self._database, run)
            written = {"pins": json.dumps(pins), "facts": json.dumps(facts, ensure_ascii=False)}
            seal_run(connection, run, state=self.planned.value, **written)
            require_batches(connection, run, counts)
            count(connection, run, counts)
            note(connection, run, "planned", f"recipients: {counts.pending}, batches: {counts.batches}")
            return self._require(connection, run)

        return await self._database.transact(work)

    async def discard(self, run: int) -> None:
        """Remove a failed plan, unless another process already has, because it considered this one dead.

        Raises:
            LedgerError: it cannot be removed for now; the next transaction removes it.
        """

        def work(connection: Connection) -> None:
            if _owner_of(connection, run) == self._database.owner:
                _remove(connection, run)

        try:
            await self._database.transact(work)
        except LedgerError:
            self._database.defer(work)
            raise

    # -- control

    async def request_control(self, name: str, control: ControlRequest) -> RunRecord:
        """Send a control request to the processes of a run; without any, the caller acts itself."""

        def work(connection: Connection) -> RunRecord:
            record = self._locked(connection, name)
            if record.live:
                seal_run(connection, record.id, control=control.value)
                note(connection, record.id, f"{control.value} requested", "")
            return record

        return await self._database.transact(work)

    async def requested_control(self, run: int) -> ControlRequest | None:
        """Return the control request for a run that this process works on.

        Raises:
            LedgerError: run_lost, if another process took over the run.
        """
        return await self._database.transact(lambda connection: require_own(connection, self._database, run))

    async def release(self, name: str) -> None:
        """Let a run that pauses after its canary continue; leave any other run as it is."""

        def work(connection: Connection) -> None:
            record = self._locked(connection, name)
            if record.state is RunState.PAUSED and is_to_wait(connection, record.id):
                seal_run(connection, record.id, facts=json.dumps(released(record.facts), ensure_ascii=False))
                note(connection, record.id, "released", "resumed after the canary")

        await self._database.transact(work)

    async def first_recipients(self, run: int, count: int) -> list[str]:
        """Return some of the first recipients, in the order of the plan."""
        return await self._database.transact(lambda connection: first_recipients(connection, run, count))

    # -- rows

    @abstractmethod
    def _is_live(self, connection: Connection, state: RunState, owner: str | None) -> bool:
        """Tell whether a process works on a run, or is about to."""

    def _find(self, connection: Connection, name: str) -> RunRecord | None:
        row = connection.execute(_SELECT + "WHERE name = ?", (name,)).fetchone()
        return self._run(connection, row) if row else None

    def _locked(self, connection: Connection, name: str) -> RunRecord:
        """Return a run, locked until the end of the transaction.

        Raises:
            CampaignError: run_missing.
        """
        found = connection.execute("SELECT id FROM runs WHERE name = ?", (name,)).fetchone()
        if found is not None:
            connection.lock(f"run {found[0]}")
        record = self._find(connection, name)
        if record is None:
            raise CampaignError(f"The ledger has no campaign {name!r}.", code="run_missing")
        return record

    def _run(self, connection: Connection, row: tuple[Any, ...]) -> RunRecord | None:
        record = self._record(connection, row)
        planned = record.live or row[_COLUMNS.index("state")] != RunState.PLANNING
        return record if planned else None  # the plan of a dead process is not a run

    def _require(self, connection: Connection, run: int) -> RunRecord:
        return self._record(connection, connection.execute(_SELECT + "WHERE id = ?", (run,)).fetchone())

    def _record(self, connection: Connection, row: tuple[Any, ...]) -> RunRecord:
        *columns, expected = row
        require_checksum(expected, columns, f"the campaign {columns[1]}")
        found = dict(zip(_COLUMNS, columns, strict=True))
        state = RunState(found["state"])
        live = state in LIVE and self._is_live(connection, state, found["owner"])
        return RunRecord(
            id=found["id"],
            name=found["name"],
            run=found["run"],
            state=RunState.INTERRUPTED if state in LIVE and not live else state,
            live=live,
            file=found["file"],
            pins=json.loads(found["pins"]),
            facts=json.loads(found["facts"]),
            counts=counts_of(connection, found["id"]),
            started_at=datetime.fromisoformat(found["started_at"]),
            finished_at=datetime.fromisoformat(found["finished_at"]) if found["finished_at"] else None,
            halted_by=Problem(**json.loads(found["halted_by"])) if found["halted_by"] else None,
        )

    def _sweep(self, connection: Connection) -> None:
        rows = connection.execute("SELECT id, owner FROM runs WHERE state = 'planning'").fetchall()
        for run, owner in rows:
            if not self._database.is_alive(connection, owner):
                _remove(connection, run)


def require_own(connection: Connection, database: Database, run: int) -> ControlRequest | None:
    """Return the control request for a run, and require that this process still works on it.

    Raises:
        LedgerError: run_lost.
    """
    if _owner_of(connection, run) != database.owner:
        raise LedgerError("Another process took over the run of this campaign.", code="run_lost")
    [(control,)] = connection.execute("SELECT control FROM runs WHERE id = ?", (run,)).fetchall()
    return ControlRequest(control) if control else None


def _owner_of(connection: Connection, run: int) -> str | None:
    row = connection.execute("SELECT owner FROM runs WHERE id = ?", (run,)).fetchone()
    return str(row[0]) if row and row[0] else None


def sealed_run(connection: Connection, run: int) -> dict[str, Any]:
    """Return the columns of a run.

    Raises:
        LedgerError: ledger_corrupt, if they do not match their checksum.
    """
    row = connection.execute(f"SELECT {', '.join(_COLUMNS)}, checksum FROM runs WHERE id = ?", (run,))  # noqa: S608
    *columns, expected = row.fetchone()
    require_checksum(expected, columns, f"the campaign {columns[1]}")
    return dict(zip(_COLUMNS, columns, strict=True))


def seal_run(connection: Connection, run: int, **changes: str | None) -> None:
    """Change columns of a run, with its checksum."""
    connection.lock(f"run {run}")
    assignments = "".join(f"{name} = ?, " for name in changes)
    row = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE id = ?", (run,)).fetchone()  # noqa: S608
    after = dict(zip(_COLUMNS, row, strict=True)) | {name: changes[name] for name in changes if name in _COLUMNS}
    sealed = checksum(after[name] for name in _COLUMNS)
    connection.execute(
        f"UPDATE runs SET {assignments}checksum = ? WHERE id = ?",  # noqa: S608 - names of columns
        (*changes.values(), sealed, run),
    )


def note(connection: Connection, run: int, what: str, detail: str) -> None:
    """Add an entry to the run journal."""
    connection.execute(
        "INSERT INTO run_journal (run, at, what, detail) VALUES (?, ?, ?, ?)",
        (run, iso_utc(wall_clock.now()), what, detail),
    )


def counts_of(connection: Connection, run: int) -> Counts:
    """Return the counts of a run.

    Raises:
        LedgerError: ledger_corrupt, if they do not match their checksum.
    """
    rows = connection.execute("SELECT counts, checksum FROM run_counts WHERE run = ?", (run,)).fetchall()
    together = Counts()
    for text, expected in rows:
        require_checksum(expected, (run, text), f"the counts of the run {run}")
        together = together.plus(Counts.load(text))
    if not rows:
        raise LedgerError(f"The ledger's counts of the run {run} are missing.", code="ledger_corrupt")
    return together


def count(connection: Connection, run: int, counts: Counts) -> None:
    """Write the counts of a run that one process works on.

    Raises:
        LedgerError: counts_wrong, if they do not add up.
    """
    require_sound(counts)
    text = counts.dump()
    sealed = checksum((run, text))
    if not connection.execute(
        "UPDATE run_counts SET counts = ?, checksum = ? WHERE run = ?", (text, sealed, run)
    ).rowcount:
        connection.execute("INSERT INTO run_counts (run, counts, checksum) VALUES (?, ?, ?)", (run, text, sealed))


def is_open(connection: Connection, run: int) -> bool:
    """Tell whether a batch of a run has no outcome yet."""
    rows = connection.execute("SELECT 1 FROM shard_statuses WHERE run = ? AND open = 1 LIMIT 1", (run,))
    return bool(rows.fetchall())


def _remove(connection: Connection, run: int) -> None:
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - names of tables
    connection.execute("DELETE FROM runs WHERE id = ?", (run,))
