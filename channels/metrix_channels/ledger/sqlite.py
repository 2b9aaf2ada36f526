"""One SQLite file, one thread that talks to it, and transactions that are on disk when they return."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from ..errors import LedgerError
from .database import Connection, Database, Work
from .owners import Owner, is_alive

T = TypeVar("T")

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4D545258  # "MTRX"
BUSY_SECONDS = 5.0
"""How long to wait for another process that writes."""

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

    def lock(self, what: str, *, shared: bool = False) -> None:
        """Do nothing: the transaction has everything to itself."""

    def next_ids(self, table: str, count: int) -> list[int]:
        """See `Connection`."""
        found = self.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        first = (found[0] if found else 0) + 1
        return list(range(first, first + count))

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """See `Connection`."""
        marks = ", ".join("?" * len(columns))
        self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - names

    def clock(self) -> float:
        """Return the machine's monotonic clock: it is the same for all its processes."""
        return time.monotonic()

    def time(self) -> float:
        """See `Connection`."""
        return time.time()

    def need_not_last(self) -> None:
        """Do nothing: a transaction costs the same."""


class SqliteDatabase(Database):
    """The ledger's file.

    Args:
        path: the file; made with mode 0600 when it is not there.
    """

    def __init__(self, path: Path) -> None:
        # The locks of the owners lie beside the file itself, by whatever link it is reached.
        self.path = Path(os.path.realpath(path))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrix-channels-ledger")
        self._connection: SqliteConnection | None = None
        self._file: tuple[int, int] | None = None
        self._owner: Owner | None = None
        self._deferred: deque[Work[object]] = deque()

    @property
    def label(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def owner(self) -> str:
        """See `Database`: known by a lock on a file, which goes with the process."""
        if self._owner is None:
            raise AssertionError("the ledger was not opened yet")
        return self._owner.name

    def is_alive(self, connection: Connection, owner: str) -> bool:
        """See `Database`."""
        return is_alive(self.path, owner)

    async def transact(self, work: Work[T]) -> T:
        """See `Database`."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work))

    def defer(self, work: Work[object]) -> None:
        """See `Database`."""
        self._deferred.append(work)

    async def close(self) -> None:
        """See `Database`."""
        try:
            if self._deferred:
                await self.transact(lambda _: None)
        finally:
            self._deferred.clear()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown(wait=True)
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrix-channels-ledger")

    def _transact(self, work: Work[T]) -> T:
        def whole(connection: Connection) -> T:
            for earlier in deferred:
                earlier(connection)
            return work(connection)

        deferred = list(self._deferred)
        with _TRANSACTION:
            try:
                result = _in_transaction(self._open(), whole)
            except (sqlite3.Error, OSError) as error:
                raise self._explained(error) from error
        for _ in deferred:
            self._deferred.popleft()
        return result

    def _open(self) -> SqliteConnection:
        if self._connection is not None:
            self._require_same_file()
            return self._connection
        self._create_file()
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",  # SQLite itself would make a file that others may read
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
            factory=SqliteConnection,
        )
        try:
            _set_up(connection, self.path)
            found = self.path.stat()
            self._file = (found.st_dev, found.st_ino)
            self._owner = Owner.register(self.path)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _create_file(self) -> None:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
        except FileExistsError:
            return

    def _require_same_file(self) -> None:
        """Writes to a deleted file succeed, and nobody ever reads them."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            raise LedgerError(
                f"The ledger {str(self.path)!r} was deleted or replaced while it was in use.",
                code="ledger_unavailable",
                remedy="Put the file back, then start the process again.",
            )

    def _explained(self, error: sqlite3.Error | OSError) -> LedgerError:
        code = _CODES.get((getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF, "ledger_unavailable")
        return LedgerError(f"The ledger {str(self.path)!r} cannot be used: {error}.", code=code)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._owner is not None:
            self._owner.leave()
            self._owner = None


def _in_transaction(connection: SqliteConnection, work: Work[T]) -> T:
    # A read that turns into a write fails at once when another process wrote in between: begin as a writer.
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _set_up(connection: SqliteConnection, path: Path) -> None:
    journal, synchronous = durable_settings(sqlite3.sqlite_version_info)
    connection.execute("PRAGMA trusted_schema = OFF")
    # From the first write on: a row that a purge forgets was moved about by updates before, and left copies of itself.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    _in_transaction(connection, lambda _: _migrate(connection, path))


def _migrate(connection: SqliteConnection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION_ID and not empty:
        raise LedgerError(f"{str(path)!r} is a database of something else, not a ledger.", code="ledger_corrupt")
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {str(path)!r} has schema {version}; this version knows {SCHEMA_VERSION}.", code="ledger_newer"
        )
    if empty:
        script = files(__package__).joinpath("sqlite.sql").read_text(encoding="utf-8")
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> list[str]:
    """Divide a script: `executescript` would commit the transaction around it."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [statement for statement in "\n".join(lines).split(";\n") if statement.strip()]


def durable_settings(version: tuple[int, int, int]) -> tuple[str, str]:
    """Return journal_mode and synchronous for a SQLite version.

    Write-ahead logging can lose commits of two connections in versions from 3.7.0 on, until the WAL-reset fix of
    3.51.3, 3.50.7 and 3.44.6; there a rollback journal is used, with every commit synced including its folder.
    """
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return ("WAL", "FULL") if fixed else ("TRUNCATE", "EXTRA")
