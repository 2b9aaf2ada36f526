"""A connection to a ledger's file: its settings, and transactions that are on disk when they return."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ...process import wall_clock
from ..database import Question, Work, always
from .schema import prepare_schema
from .write_ahead import LOG_BYTES, durable_settings

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long to wait for another process that writes."""

_LOOK_AGAIN_SECONDS = 0.000_5, 0.004
"""How long to sleep while another process writes: so little, and a random time, that each of them gets its turn."""


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


def connect(path: Path, identity: str, is_wanted: Question) -> SqliteConnection:
    """Open a ledger's file; make the tables of a new one.

    Args:
        path: of the file, which is there.
        identity: of the file, which a copy does not have.
        is_wanted: asked while another process keeps the file to itself; once it says no, the wait ends.

    Raises:
        sqlite3.Error: the file cannot be opened or read.
        LedgerError: ledger_corrupt, ledger_newer, ledger_older.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",  # SQLite itself would make a file that others may read
        uri=True,
        isolation_level=None,
        timeout=0,  # `_when_free` waits,
        check_same_thread=False,
        factory=SqliteConnection,
    )
    try:
        _set_up(connection, path, identity, is_wanted)
    except BaseException:
        connection.close()
        raise
    return connection


def in_transaction(connection: SqliteConnection, work: Work[T], is_wanted: Question) -> T:
    """Run `work` as one transaction; the arguments are those of `Database.transact`."""
    # A read that turns into a write fails at once when another process wrote meanwhile: begin as a writer.
    _when_free(connection, "BEGIN IMMEDIATE", is_wanted)
    try:
        result = work(connection)
        _when_free(connection, "COMMIT", always)  # with a rollback journal it waits until nobody reads
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def truncate_log(connection: SqliteConnection) -> None:
    """Copy a write-ahead log back, and cut it off; nobody can commit meanwhile."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


def _set_up(connection: SqliteConnection, path: Path, identity: str, is_wanted: Question) -> None:
    journal, synchronous = durable_settings(path)
    connection.execute("PRAGMA trusted_schema = OFF")
    # From the first write on: a row that a purge forgets was moved about by updates before, and left copies of itself.
    _when_free(connection, "PRAGMA secure_delete = ON", is_wanted)
    _when_free(connection, f"PRAGMA journal_mode = {journal}", is_wanted)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `write_ahead`
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: what `fsync` says there is no promise
    connection.execute("PRAGMA foreign_keys = ON")
    in_transaction(connection, lambda _: prepare_schema(connection, path, identity), is_wanted)


def _when_free(connection: SqliteConnection, statement: str, is_wanted: Question) -> None:
    """Run a statement as soon as no other process has the file to itself, for `BUSY_SECONDS` or while it is wanted.

    SQLite itself looks ten times a second. A process that has something to write all the time would leave the others no
    moment to begin in.
    """
    ends = 0.0
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            now = time.monotonic()
            ends = ends or now + BUSY_SECONDS
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or now > ends or not is_wanted():
                raise
        else:
            return
        time.sleep(random.uniform(*_LOOK_AGAIN_SECONDS))
