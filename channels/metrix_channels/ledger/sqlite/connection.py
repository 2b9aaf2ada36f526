"""One SQLite file, one thread that talks to it, and transactions that are on disk when they return."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...errors import LedgerError
from ...files import NotRegular, remedy_for, require_regular
from ...printable import quoted
from ...process import wall_clock
from ..database import Connection, Database, Question, Work, always
from ..descriptors import MORE_DESCRIPTORS, Spares, is_shortage
from ..group_commit import Asked, GroupCommit, NotTogether, give, run_all
from .liveness import Owner, is_same_file
from .schema import prepare_schema

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long to wait for another process that writes."""

_LOOK_AGAIN_SECONDS = 0.000_5, 0.004
"""How long to sleep while another process writes: so little, and a random time, that each of them gets its turn."""

_CODES = {
    sqlite3.SQLITE_BUSY: "ledger_locked",
    sqlite3.SQLITE_LOCKED: "ledger_locked",
    sqlite3.SQLITE_CORRUPT: "ledger_corrupt",
    sqlite3.SQLITE_NOTADB: "ledger_corrupt",
}

_TRANSACTION = threading.Lock()
# A child inherits what SQLite knows of its files. With a transaction open it would find the ledger locked for ever, and
# roll the parent's transaction back when the connection is thrown away; between transactions it does no harm.
os.register_at_fork(
    before=_TRANSACTION.acquire, after_in_parent=_TRANSACTION.release, after_in_child=_TRANSACTION.release
)


class SqliteConnection(sqlite3.Connection):
    """A connection; SQLite lets only one process at a time write, so that its transactions need no further locks."""

    name = ""

    def lock(self, what: str, *, shared: bool = False) -> None:
        """Do nothing: the transaction has everything to itself."""

    def lock_row(self, table: str, row: str) -> bool:
        """See `Connection`: the transaction has everything to itself."""
        return bool(self.execute(f"SELECT id FROM {table} WHERE id = ?", (row,)).fetchall())  # noqa: S608 - a name

    def snapshot(self) -> None:
        """Do nothing: the transaction has everything to itself."""

    def next_ids(self, table: str, count: int) -> list[int]:
        """See `Connection`."""
        found = self.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        first = (found[0] if found else 0) + 1
        return list(range(first, first + count))

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """See `Connection`."""
        statuses = ", ".join("?" * len(columns))
        self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({statuses})", rows)  # noqa: S608 - names

    def clock(self) -> float:
        """Return the machine's monotonic clock: it is the same for all its processes."""
        return time.monotonic()

    def time(self) -> float:
        """See `Connection`."""
        return wall_clock.seconds()

    def need_not_last(self) -> None:
        """Do nothing: a transaction costs the same."""


class SqliteDatabase(Database):
    """The ledger's file.

    Args:
        path: the file; made with mode 0600 when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = Path(os.path.realpath(path))
        self.file: Path | None = self.path
        self._commits = GroupCommit(1, self._commit)
        self._connection: SqliteConnection | None = None
        self._owner: Owner | None = None
        self._is_copy = False
        self._changes = 0
        self._deferred: deque[Work[object]] = deque()
        self._spares = Spares()

    @property
    def label(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def owner(self) -> str:
        """See `Database`: known by a lock on the file, which goes with the process.

        Raises:
            LedgerError: ledger_copied: nobody works on a copy, so that nothing is sent from it.
        """
        if self._is_copy:
            raise LedgerError(
                f"The ledger {quoted(str(self.path))} is a copy of another file. Both could send the same messages.",
                code="ledger_copied",
            )
        return self._registered.name

    def is_alive(self, connection: Connection, owner: str) -> bool:
        """See `Database`."""
        return self._registered.is_alive(owner)

    async def exists(self) -> bool:
        """See `Database`."""
        return self.path.exists()

    async def adopt(self) -> bool:
        """See `Database`."""

        def work(connection: Connection) -> bool:
            connection.execute("UPDATE file SET identity = ?", (self._registered.file.identity,))
            return self._is_copy

        return await self.transact(work)

    async def transact(self, work: Work[T], *, together: bool = False, is_wanted: Question = always) -> T:
        """See `Database`."""
        return await self._commits.run(work, together=together, is_wanted=is_wanted)

    def defer(self, work: Work[object]) -> None:
        """See `Database`."""
        self._deferred.append(work)

    async def truncate_journal(self) -> None:
        """See `Database`: a write-ahead log holds old pages until it is written over; other journals are empty."""

        def work() -> None:
            with _TRANSACTION:
                try:
                    self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                except (sqlite3.Error, OSError) as error:
                    raise self._explained(error) from error

        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._commits.threads, work))

    async def close(self) -> None:
        """See `Database`."""
        try:
            if self._deferred:
                await self.transact(lambda _: None)
        finally:
            self._deferred.clear()
            await asyncio.get_running_loop().run_in_executor(self._commits.threads, self._close)
            self._commits.threads.shutdown(wait=True)
            self._commits = GroupCommit(1, self._commit)

    def _commit(self, group: Sequence[Asked]) -> None:
        """Make one transaction of some pieces of work, and give each of them its result or error."""
        deferred = list(self._deferred)

        def whole(connection: Connection) -> list[Any]:
            self._look_at_content(connection)
            for earlier in deferred:
                earlier(connection)
            return run_all(connection, group)

        def is_wanted() -> bool:
            return any(asked.is_wanted() for asked in group)

        try:
            with _TRANSACTION:
                results = self._with_spares(whole, is_wanted)
        except NotTogether:
            for asked in group:
                self._commit([asked])
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            for asked in group:
                asked.error = self._explained(error)
        else:
            for _ in deferred:
                self._deferred.popleft()
            give(group, results)

    def _with_spares(self, work: Work[T], is_wanted: Question) -> T:
        """Make a transaction; where no descriptor is left for the journal, with one that was kept for it."""
        try:
            return self._transact(work, is_wanted)
        except (sqlite3.Error, OSError) as error:
            if not is_shortage(error) or not self._spares.release():
                raise
            return self._transact(work, is_wanted)
        finally:
            self._spares.take()

    def _transact(self, work: Work[T], is_wanted: Question) -> T:
        connection = self._open(is_wanted)
        self._require_same_file()
        result = _in_transaction(connection, work, is_wanted)
        self._require_same_file()  # before anything is sent on the strength of it
        return result

    def _open(self, is_wanted: Question = always) -> SqliteConnection:
        if self._connection is not None:
            return self._connection
        self._create_file()
        self._owner = Owner.register(self.path)
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode=rw",  # SQLite itself would make a file that others may read
                uri=True,
                isolation_level=None,
                timeout=BUSY_SECONDS,
                check_same_thread=False,
                factory=SqliteConnection,
            )
            try:
                _set_up(connection, self.path, self._owner.file.identity, is_wanted)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._leave()
            raise
        self._connection = connection
        self._changes = 0
        return connection

    def _create_file(self) -> None:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
        except FileExistsError:
            # SQLite itself would wait for ever for a named pipe in its journal's place. They are not opened here: to
            # close any descriptor of a file ends SQLite's own locks on it.
            for suffix in ("", "-journal", "-wal", "-shm"):
                _require_regular(self.path.with_name(self.path.name + suffix))

    @property
    def _registered(self) -> Owner:
        if self._owner is None:
            raise AssertionError("the ledger was not opened yet")
        return self._owner

    def _require_same_file(self) -> None:
        """Refuse when the path no longer leads to the opened file: what is written to it would be lost."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._registered.file.place:
            raise self._replaced()

    def _look_at_content(self, connection: Connection) -> None:
        """Detect that the file is a copy, or that an older backup was written over it.

        Within the transaction: else another process may be just writing, or undoing what it wrote.
        """
        changes = self._registered.file.change_counter()
        if changes < self._changes:
            raise self._replaced()
        self._changes = changes
        [(recorded,)] = connection.execute("SELECT identity FROM file").fetchall()
        self._is_copy = not is_same_file(recorded, self._registered.file.identity)

    def _replaced(self) -> LedgerError:
        return LedgerError(
            f"The ledger {quoted(str(self.path))} was deleted or replaced while it was in use.",
            code="ledger_unavailable",
            remedy="Put the file back, then start the process again.",
        )

    def _explained(self, error: BaseException) -> BaseException:
        """Return the error of the ledger that stands for one of SQLite or of the system; others as they are."""
        if not isinstance(error, (sqlite3.Error, OSError)):
            return error
        code = _CODES.get((getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF, "ledger_unavailable")
        why, remedy = error.strerror if isinstance(error, OSError) else error, None
        if is_shortage(error):
            why, remedy = "this process has no file descriptor left", MORE_DESCRIPTORS
        explained = LedgerError(f"The ledger {quoted(str(self.path))} cannot be used: {why}.", code=code, remedy=remedy)
        explained.__cause__ = error
        return explained

    def _close(self) -> None:
        with _TRANSACTION:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._spares.release()
            self._leave()

    def _leave(self) -> None:
        if self._owner is not None:
            self._owner.leave()
            self._owner = None


def _require_regular(path: Path) -> None:
    try:
        require_regular(path.stat())
    except FileNotFoundError:
        return
    except NotRegular as error:
        message = f"The ledger's file {quoted(str(path))} cannot be used: {error.strerror}."
        raise LedgerError(message, code="ledger_unavailable", remedy=remedy_for(error)) from error


def _when_free(connection: SqliteConnection, statement: str, is_wanted: Question) -> None:
    """Run a statement as soon as no other process has the file to itself, for `BUSY_SECONDS` or while it is wanted.

    SQLite itself looks ten times a second. A process that has something to write all the time would leave the others no
    moment to begin in.
    """
    ends = time.monotonic() + BUSY_SECONDS
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute(statement)
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() > ends or not is_wanted():
                    raise
            else:
                return
            time.sleep(random.uniform(*_LOOK_AGAIN_SECONDS))
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")


def _in_transaction(connection: SqliteConnection, work: Work[T], is_wanted: Question) -> T:
    # A read that turns into a write fails at once when another process wrote meanwhile: begin as a writer.
    _when_free(connection, "BEGIN IMMEDIATE", is_wanted)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _set_up(connection: SqliteConnection, path: Path, identity: str, is_wanted: Question) -> None:
    journal, synchronous = durable_settings(sqlite3.sqlite_version_info)
    connection.execute("PRAGMA trusted_schema = OFF")
    # From the first write on: a row that a purge forgets was moved about by updates before, and left copies of itself.
    _when_free(connection, "PRAGMA secure_delete = ON", is_wanted)
    _when_free(connection, f"PRAGMA journal_mode = {journal}", is_wanted)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    _in_transaction(connection, lambda _: prepare_schema(connection, path, identity), is_wanted)


def durable_settings(version: tuple[int, int, int]) -> tuple[str, str]:
    """Return journal_mode and synchronous for a SQLite version.

    Write-ahead logging can lose commits of two connections in versions from 3.7.0 on, until the WAL-reset fix of
    3.51.3, 3.50.7 and 3.44.6; there a rollback journal is used, with every commit synced including its folder.
    """
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return ("WAL", "FULL") if fixed else ("TRUNCATE", "EXTRA")
