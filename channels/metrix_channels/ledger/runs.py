"""The book of campaigns: which runs there are, who works on them, and every step that they take."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import CampaignError, LedgerError
from ..outcomes import Problem, iso_utc
from .database import Database
from .marks import BatchState, Parcel, settled, settled_at
from .owners import is_alive
from .parcels import (
    add_drafts,
    add_skips,
    add_troubles,
    opened,
    read_all,
    read_open,
    read_skips,
    write_marks,
)
from .records import checksum, require_checksum
from .run_records import LIVE, OVER, Changes, Committed, Draft, RunRecord, RunState, Skip, Tally, Wish

_COLUMNS: Final = (
    "id", "name", "run", "state", "owner", "file", "pins", "facts", "started_at", "finished_at", "halted_by",
)  # fmt: skip
_SELECT: Final = (
    f"SELECT {', '.join(f'r.{name}' for name in _COLUMNS)}, r.checksum, t.tally, t.checksum"  # noqa: S608 - constants
    " FROM runs r JOIN tallies t ON t.run = r.id "
)
_MARKS_LOOKED_AT: Final = 400_000
"""Bytes of marks of which each is looked at."""
_TABLES: Final = ("tallies", "marks", "parcels", "skips", "troubles", "events")


class RunBook:
    """Campaigns' runs in one ledger.

    Args:
        database: the ledger's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._working: set[int] = set()

    # -- looking

    async def find(self, name: str) -> RunRecord | None:
        """Return the run of a campaign; None when there is none."""
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

        def work(connection: sqlite3.Connection) -> list[RunRecord]:
            rows = connection.execute(_SELECT + "ORDER BY r.id DESC").fetchall()
            return [record for row in rows if (record := self._run(row))]

        return await self._database.transact(work)

    async def parcels(self, run: int, after: int = 0, *, limit: int = 20, since: int = 0) -> list[Parcel]:
        """Return the next parcels of a run that changed since a time, in seconds since 1970."""
        return await self._database.transact(lambda connection: read_all(connection, run, after, limit, since))

    async def skips(self, run: int, after: int = 0) -> list[tuple[int, Skip]]:
        """Return the next rows that are sent nothing, with the place to go on from."""
        return await self._database.transact(lambda connection: read_skips(connection, run, after, 20))

    async def troubles(self, run: int) -> list[tuple[str, int | None, str, int]]:
        """Return what attempts came to that were not accepted: disposition, status, an explanation, how many."""

        def work(connection: sqlite3.Connection) -> list[tuple[str, int | None, str, int]]:
            return connection.execute(
                "SELECT disposition, status, max(explanation), count(*) FROM troubles WHERE run = ?"
                " GROUP BY disposition, status ORDER BY 4 DESC",
                (run,),
            ).fetchall()

        return await self._database.transact(work)

    async def settlements(self, run: int) -> Counter[tuple[BatchState, int]]:
        """Count the batches that have an outcome, by what it is and by when it came, in seconds since 1970.

        Where there are very many, the time is that of the last change of the parcel that they are kept in.
        """

        def work(connection: sqlite3.Connection) -> Counter[tuple[BatchState, int]]:
            [(size,)] = connection.execute("SELECT coalesce(sum(length(marks)), 0) FROM marks WHERE run = ?", (run,))
            found: Counter[tuple[BatchState, int]] = Counter()
            for changed, marks in connection.execute("SELECT changed, marks FROM marks WHERE run = ?", (run,)):
                if size <= _MARKS_LOOKED_AT:
                    found.update(settled_at(marks))
                else:
                    found.update({(state, changed): count for state, count in settled(marks).items()})
            return found

        return await self._database.transact(work)

    async def events(self, run: int) -> list[tuple[str, str, str]]:
        """Return what was done with a run: time, what, and details."""

        def work(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
            return connection.execute(
                "SELECT at, what, detail FROM events WHERE run = ? ORDER BY id", (run,)
            ).fetchall()

        return await self._database.transact(work)

    # -- planning

    async def draft(self, name: str, file: str, pins: Mapping[str, Any]) -> RunRecord:
        """Begin the plan of a new run; plans whose process died are removed.

        Raises:
            CampaignError: run_busy, while another process plans or runs it; run_exists.
        """

        def work(connection: sqlite3.Connection) -> RunRecord:
            self._sweep(connection)
            if (found := self._find(connection, name)) is not None:
                code = "run_busy" if found.live else "run_exists"
                raise CampaignError(f"The ledger has a campaign {name!r} already: {found.state}.", code=code)
            row = (name, uuid.uuid4().hex, RunState.PLANNING.value, self._database.owner.name, file, json.dumps(pins),
                   "{}", iso_utc(datetime.now(UTC)))  # fmt: skip
            connection.execute(
                "INSERT INTO runs (name, run, state, owner, file, pins, facts, started_at, checksum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                row,
            )
            return self._sealed(connection, name)

        record = await self._database.transact(work)
        self._working.add(record.id)
        return record

    async def add(self, run: int, drafts: Sequence[Draft], skips: Sequence[Skip], tally: Tally) -> None:
        """Write down a part of the plan."""

        def work(connection: sqlite3.Connection) -> None:
            add_drafts(connection, run, drafts)
            add_skips(connection, run, skips)
            _count(connection, run, text)

        text = tally.dump()
        await self._database.transact(work)

    async def complete(self, run: int, pins: Mapping[str, Any], facts: Mapping[str, Any], tally: Tally) -> RunRecord:
        """End the plan: from here on the run is there, whatever happens to this process."""

        def work(connection: sqlite3.Connection) -> RunRecord:
            written = {"pins": json.dumps(pins), "facts": json.dumps(facts, ensure_ascii=False)}
            seal_run(connection, run, state=RunState.RUNNING.value, **written)
            _count(connection, run, text)
            _note(connection, run, "planned", f"{tally.pending} recipients in {tally.batches} batches")
            return self._require(connection, run)

        text = tally.dump()
        return await self._database.transact(work)

    async def discard(self, run: int) -> None:
        """Remove a plan that is not to be."""
        await self._database.transact(lambda connection: _remove(connection, run))
        self._working.discard(run)

    # -- dispatching

    async def take(self, name: str) -> RunRecord:
        """Become the one process that works on a run.

        Raises:
            CampaignError: run_missing; run_busy, beside a live process.
        """

        def work(connection: sqlite3.Connection) -> RunRecord:
            record = self._find(connection, name)
            if record is None:
                raise CampaignError(f"The ledger has no campaign {name!r}.", code="run_missing")
            if record.live or record.id in self._working:
                raise CampaignError(f"Another process works on the campaign {name!r}.", code="run_busy")
            state = RunState.RUNNING.value
            owner = self._database.owner.name
            seal_run(connection, record.id, state=state, owner=owner, wish=None, halted_by=None, finished_at=None)
            _note(connection, record.id, "taken up", f"it was {record.state}")
            return self._require(connection, record.id)

        record = await self._database.transact(work)
        self._working.add(record.id)
        return record

    async def leave(self, run: int, state: RunState, tally: Tally, halted_by: Problem | None = None) -> None:
        """Let go of a run, in the state in which it is left."""

        def work(connection: sqlite3.Connection) -> None:
            over = iso_utc(datetime.now(UTC)) if state in OVER else None
            why = json.dumps(halted_by.as_dict()) if halted_by else None
            changes = {"state": state.value, "owner": None, "wish": None, "halted_by": why, "finished_at": over}
            seal_run(connection, run, **changes)
            _count(connection, run, text)
            _note(connection, run, state.value, halted_by.message if halted_by else "")

        text = tally.dump()
        try:
            await self._database.transact(work)
        finally:
            self._working.discard(run)

    async def commit(self, run: int, changes: Changes, tally: Tally) -> Committed:
        """Write down steps of the dispatch, all or none of them; they are on disk when this returns.

        Raises:
            LedgerError: it cannot be written; run_lost, when another process took this one for dead.
        """
        # As they are now: the dispatch goes on while the disk is waited for.
        marks = [(parcel.id, parcel.is_open, bytes(parcel.marks)) for parcel in changes.parcels]
        text = tally.dump()

        def work(connection: sqlite3.Connection) -> Committed:
            wish = self._own(connection, run)
            write_marks(connection, marks)
            added = add_drafts(connection, run, changes.drafts)
            add_skips(connection, run, changes.skips)
            add_troubles(connection, run, changes.troubles)
            _count(connection, run, text)
            return Committed([opened(*each) for each in added], wish)

        return await self._database.transact(work)

    async def next_parcels(self, run: int, after: int, *, canary: bool, limit: int = 4) -> list[Parcel]:
        """Return the next parcels that have a batch without an outcome."""
        return await self._database.transact(lambda connection: read_open(connection, run, after, limit, canary=canary))

    async def settle_all(
        self,
        run: int,
        tally: Tally,
        settle: Callable[[Parcel], None],
        which: Callable[[sqlite3.Connection, int], Iterator[Parcel]],
    ) -> None:
        """Change the marks of many parcels in one transaction, such as those of a process that died.

        Args:
            run: its id in the ledger.
            tally: the counts, which `settle` changes.
            settle: changes the batches of one parcel.
            which: parcels to look at.
        """

        def work(connection: sqlite3.Connection) -> None:
            self._own(connection, run)
            for parcel in which(connection, run):
                settle(parcel)
                write_marks(connection, [(parcel.id, parcel.is_open, bytes(parcel.marks))])
            _count(connection, run, tally.dump())

        await self._database.transact(work)

    async def become(self, run: int, state: RunState) -> None:
        """Show a state in which a live run is: waiting or running."""
        await self._database.transact(lambda connection: seal_run(connection, run, state=state.value))

    async def note(self, run: int, what: str, detail: str) -> None:
        """Write down what was done with a run."""
        await self._database.transact(lambda connection: _note(connection, run, what, detail))

    async def wish(self, name: str, wish: Wish) -> RunRecord:
        """Ask the process that works on a run for something; without one, the caller does it itself."""

        def work(connection: sqlite3.Connection) -> RunRecord:
            record = self._find(connection, name)
            if record is None:
                raise CampaignError(f"The ledger has no campaign {name!r}.", code="run_missing")
            if record.live:
                seal_run(connection, record.id, wish=wish.value)
                _note(connection, record.id, f"{wish.value} asked for", "")
            return record

        return await self._database.transact(work)

    async def wished(self, run: int) -> Wish | None:
        """Return what another process asks of a run that this one works on."""
        return await self._database.transact(lambda connection: self._own(connection, run))

    # -- rows

    def _find(self, connection: sqlite3.Connection, name: str) -> RunRecord | None:
        row = connection.execute(_SELECT + "WHERE r.name = ?", (name,)).fetchone()
        return self._run(row) if row else None

    def _run(self, row: tuple[Any, ...]) -> RunRecord | None:
        record = self._record(row)
        planned = record.live or row[_COLUMNS.index("state")] != RunState.PLANNING
        return record if planned else None  # the plan of a process that died is no run

    def _require(self, connection: sqlite3.Connection, run: int) -> RunRecord:
        return self._record(connection.execute(_SELECT + "WHERE r.id = ?", (run,)).fetchone())

    def _record(self, row: tuple[Any, ...]) -> RunRecord:
        *columns, expected, tally, expected_of_tally = row
        require_checksum(expected, columns, f"the campaign {columns[1]}")
        require_checksum(expected_of_tally, (columns[0], tally), f"the counts of the campaign {columns[1]}")
        found = dict(zip(_COLUMNS, columns, strict=True))
        state = RunState(found["state"])
        live = state in LIVE and is_alive(self._database.path, found["owner"])
        return RunRecord(
            id=found["id"],
            name=found["name"],
            run=found["run"],
            state=RunState.INTERRUPTED if state in LIVE and not live else state,
            live=live,
            file=found["file"],
            pins=json.loads(found["pins"]),
            facts=json.loads(found["facts"]),
            tally=Tally.load(tally),
            started_at=datetime.fromisoformat(found["started_at"]),
            finished_at=datetime.fromisoformat(found["finished_at"]) if found["finished_at"] else None,
            halted_by=Problem(**json.loads(found["halted_by"])) if found["halted_by"] else None,
        )

    def _own(self, connection: sqlite3.Connection, run: int) -> Wish | None:
        row = connection.execute("SELECT owner, wish FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None or row[0] != self._database.owner.name:
            raise LedgerError("Another process took this campaign's run over.", code="run_lost")
        return Wish(row[1]) if row[1] else None

    def _sealed(self, connection: sqlite3.Connection, name: str) -> RunRecord:
        row = connection.execute("SELECT id FROM runs WHERE name = ?", (name,)).fetchone()
        seal_run(connection, row[0])
        _count(connection, row[0], Tally().dump())
        return self._require(connection, row[0])

    def _sweep(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT id, owner FROM runs WHERE state = 'planning'").fetchall()
        for run, owner in rows:
            if not is_alive(self._database.path, owner):
                _remove(connection, run)


def sealed_run(connection: sqlite3.Connection, run: int) -> dict[str, Any]:
    """Return the columns of a run.

    Raises:
        LedgerError: ledger_corrupt, when they are not as they were written.
    """
    row = connection.execute(f"SELECT {', '.join(_COLUMNS)}, checksum FROM runs WHERE id = ?", (run,))  # noqa: S608
    *columns, expected = row.fetchone()
    require_checksum(expected, columns, f"the campaign {columns[1]}")
    return dict(zip(_COLUMNS, columns, strict=True))


def seal_run(connection: sqlite3.Connection, run: int, **changes: str | None) -> None:
    """Change columns of a run, with its checksum."""
    assignments = "".join(f"{name} = ?, " for name in changes)
    row = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE id = ?", (run,)).fetchone()  # noqa: S608
    after = dict(zip(_COLUMNS, row, strict=True)) | {name: changes[name] for name in changes if name in _COLUMNS}
    sealed = checksum(after[name] for name in _COLUMNS)
    connection.execute(
        f"UPDATE runs SET {assignments}checksum = ? WHERE id = ?",  # noqa: S608 - names of columns
        (*changes.values(), sealed, run),
    )


def _note(connection: sqlite3.Connection, run: int, what: str, detail: str) -> None:
    connection.execute(
        "INSERT INTO events (run, at, what, detail) VALUES (?, ?, ?, ?)",
        (run, iso_utc(datetime.now(UTC)), what, detail),
    )


def _count(connection: sqlite3.Connection, run: int, tally: str) -> None:
    connection.execute(
        "INSERT INTO tallies (run, tally, checksum) VALUES (?, ?, ?)"
        " ON CONFLICT (run) DO UPDATE SET tally = excluded.tally, checksum = excluded.checksum",
        (run, tally, checksum((run, tally))),
    )


def _remove(connection: sqlite3.Connection, run: int) -> None:
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - names of tables
    connection.execute("DELETE FROM runs WHERE id = ?", (run,))
