"""Connections to the file of a ledger, with settings that make transactions durable."""

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
"""Seconds to wait for another process that writes."""

_LOOK_AGAIN_SECONDS = 0.000_5, 0.004
"""Seconds to sleep while another process writes: short and random, so that every process gets its turn."""


class SqliteConnection(sqlite3.Connection):
    """A connection. SQLite allows only one writer at a time, so its transactions need no more locks."""

    name = ""

    def lock(self, what: str, *, shared: bool = False) -> None:
        """Do nothing: the transaction is exclusive."""

    def lock_row(self, table: str, row: str) -> bool:
        """See `Connection`: the transaction is exclusive."""
        return bool(self.execute(f"SELECT id FROM {table} WHERE id = ?", (row,)).fetchall())  # noqa: S608 - a name

    def insert(self, sql: str, values: Sequence[object], /) -> int:
        """See `Connection`; without `RETURNING`, for whose rows SQLite keeps a table."""
        return int(self.execute(sql, values).lastrowid or 0)

    def snapshot(self) -> None:
        """Do nothing: the transaction is exclusive."""

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
        """Return the monotonic clock of the machine, which is the same for all its processes."""
        return time.monotonic()

    def time(self) -> float:
        """See `Connection`."""
        return wall_clock.seconds()

    def need_not_last(self) -> None:
        """Do nothing: it would not be faster."""


def connect(path: Path, identity: str, is_wanted: Question) -> SqliteConnection:
    """Open the file of a ledger; create the tables of a new one.

    Args:
        path: of an existing file.
        identity: of the file; a copy has a different one.
        is_wanted: checked while another process has the file locked; False ends the wait.

    Raises:
        sqlite3.Error: the file cannot be opened or read.
        LedgerError: ledger_corrupt, ledger_newer, ledger_older.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",  # SQLite itself would create a file that others can read
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
    """Run `work` as one transaction; the arguments are as for `Database.transact`."""
    # Begin as a writer: a read that becomes a write fails at once if another process wrote meanwhile.
    _when_free(connection, "BEGIN IMMEDIATE", is_wanted)
    try:
        result = work(connection)
        _when_free(connection, "COMMIT", always)  # with a rollback journal, it waits for readers
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def truncate_log(connection: SqliteConnection) -> None:
    """Copy the write-ahead log back into the file and truncate it; no process can commit meanwhile."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


def _set_up(connection: SqliteConnection, path: Path, identity: str, is_wanted: Question) -> None:
    journal, synchronous = durable_settings(path)
    connection.execute("PRAGMA trusted_schema = OFF")
    # From the first write on, because updates move a row and leave copies that a purge would not overwrite.
    _when_free(connection, "PRAGMA secure_delete = ON", is_wanted)
    _when_free(connection, f"PRAGMA journal_mode = {journal}", is_wanted)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `write_ahead`
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA fullfsync = ON")  # on macOS, `fsync` alone does not guarantee durability
    connection.execute("PRAGMA foreign_keys = ON")
    in_transaction(connection, lambda _: prepare_schema(connection, path, identity), is_wanted)


def _when_free(connection: SqliteConnection, statement: str, is_wanted: Question) -> None:
    """Run a statement as soon as no other process locks the file; wait up to `BUSY_SECONDS`, or while it is wanted.

    SQLite itself checks only ten times per second. A process that writes all the time would leave the others no chance.
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
