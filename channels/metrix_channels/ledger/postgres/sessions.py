"""One connection to PostgreSQL and its transactions; each has a number to look up whether it was committed."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import psycopg

from ..database import Cursor, Work
from .connecting import SCHEMA

T = TypeVar("T")

_PASSING: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,  # held by a frozen process; the database ends its transaction soon
)


class Again(Exception):
    """The database rolled back a transaction because of a conflict with another one."""


class PostgresConnection:
    """An open transaction, with the interface of `Connection`.

    Args:
        connection: of the transaction.
        name: the unique name of that connection.
    """

    def __init__(self, connection: psycopg.Connection[Any], name: str) -> None:
        self.raw = connection
        self.name = name

    def execute(self, sql: str, values: Sequence[object] = ()) -> Cursor:
        """See `Connection`."""
        return self.raw.execute(_translated(sql), _plain(values) if values else None)

    def insert(self, sql: str, values: Sequence[object]) -> int:
        """See `Connection`."""
        [(number,)] = self.execute(f"{sql} RETURNING id", values).fetchall()
        return int(number)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> Cursor:
        """See `Connection`."""
        cursor = self.raw.cursor()
        cursor.executemany(_translated(sql), [_plain(row) for row in rows])
        return cursor

    def lock(self, what: str, *, shared: bool = False) -> None:
        """See `Connection`."""
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        self.raw.execute(f"SELECT {function}(hashtextextended(%s, 0))", (f"{SCHEMA} {what}",))

    def lock_row(self, table: str, row: str) -> bool:
        """See `Connection`."""
        sql = f"SELECT id FROM {table} WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"  # noqa: S608 - a name
        return bool(self.raw.execute(sql, (row,)).fetchall())

    def snapshot(self) -> None:
        """See `Connection`."""
        self.raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def next_ids(self, table: str, count: int) -> list[int]:
        """See `Connection`."""
        rows = self.raw.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", (table, count)
        )
        return sorted(number for (number,) in rows)

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """See `Connection`."""
        copy = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self.raw.cursor() as cursor, cursor.copy(copy) as into:
            for row in rows:
                into.write_row(_plain(row))

    def clock(self) -> float:
        """Return the clock of the database, which is the same for all machines."""
        [(seconds,)] = self.raw.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(seconds)

    def time(self) -> float:
        """See `Connection`."""
        return self.clock()

    def need_not_last(self) -> None:
        """See `Connection`."""
        self.raw.execute("SET LOCAL synchronous_commit = off")


class Session:
    """One connection and the number of its last transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._name = uuid.uuid4().hex
        self._serial = 0
        self._process = os.getpid()
        self.used_at: float = time.monotonic()
        try:
            connection.execute("INSERT INTO commits (connection, serial) VALUES (%s, 0)", (self._name,))
        except BaseException:
            connection.close()
            raise

    @property
    def is_broken(self) -> bool:
        """Whether the connection is lost or closed."""
        return self._connection.closed

    def run(self, work: Work[T]) -> T:
        """Run work in a new transaction without committing it."""
        try:
            self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            return work(PostgresConnection(self._connection, self._name))
        except _PASSING as error:
            raise Again from error

    def commit(self) -> None:
        """Commit, in one round trip with the number of the transaction, which only a transaction with writes needs."""
        self._serial += 1
        self._connection.execute(f"SELECT committed('{self._name}', {self._serial}); COMMIT")
        self.used_at = time.monotonic()

    def was_committed(self, connect: Any) -> bool:
        """Find out whether the last transaction was committed; if not, it never will be."""
        with connect() as connection:
            # Delete the row: if the commit of the lost connection is still in progress, it does not find it and fails.
            found = connection.execute(
                "DELETE FROM commits WHERE connection = %s RETURNING serial", (self._name,)
            ).fetchone()
        return found is not None and found[0] == self._serial

    def run_apart(self, sql: str, values: Sequence[object]) -> int:
        """Run a statement as its own transaction; return how many rows it changed.

        It does not change the number of the last transaction.
        """
        return self._connection.execute(sql, values).rowcount

    def undo(self) -> None:
        """Roll back the transaction; close the connection if that fails."""
        if not self.is_broken:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()

    def close(self) -> None:
        """Close the connection, unless it belongs to the parent process."""
        if self._process == os.getpid():
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("DELETE FROM commits WHERE connection = %s", (self._name,))
            self._connection.close()


@lru_cache(maxsize=512)
def _translated(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode() if "?" in sql else sql.encode()


def _plain(values: Sequence[object]) -> list[object]:
    """Convert values for the tables: booleans to numbers, and text without characters that PostgreSQL refuses."""
    return [
        int(value)
        if isinstance(value, bool)
        else value.replace("\0", "␀")
        if isinstance(value, str) and "\0" in value
        else value
        for value in values
    ]
