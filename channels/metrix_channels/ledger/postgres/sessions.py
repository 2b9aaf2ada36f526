"""One connection to PostgreSQL and the transactions on it, each with a number by which its commit can be looked up."""

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
    psycopg.errors.LockNotAvailable,  # somebody was frozen who held it; the database ends that soon
)


class Again(Exception):
    """The database undid a transaction for the sake of another one."""


class PostgresConnection:
    """A transaction under way, in the terms of `Connection`.

    Args:
        connection: it is made on.
        name: of that connection, unlike that of any other.
    """

    def __init__(self, connection: psycopg.Connection[Any], name: str) -> None:
        self.raw = connection
        self.name = name

    def execute(self, sql: str, values: Sequence[object] = ()) -> Cursor:
        """See `Connection`."""
        return self.raw.execute(_translated(sql), _plain(values) if values else None)

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
        """Return the database's clock: it is the same for all machines."""
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
        """The connection is lost or closed."""
        return self._connection.closed

    def run(self, work: Work[T]) -> T:
        """Begin a transaction and do everything but commit it."""
        try:
            self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            return work(PostgresConnection(self._connection, self._name))
        except _PASSING as error:
            raise Again from error

    def commit(self) -> None:
        """Commit it: in one round trip with its number, which only a transaction that wrote something needs."""
        self._serial += 1
        self._connection.execute(f"SELECT committed('{self._name}', {self._serial}); COMMIT")
        self.used_at = time.monotonic()

    def was_committed(self, connect: Any) -> bool:
        """Find out whether the last transaction was made; if it was not, it never will be."""
        with connect() as connection:
            # Removed: should the lost connection's commit still be under way, it finds its row gone and fails.
            found = connection.execute(
                "DELETE FROM commits WHERE connection = %s RETURNING serial", (self._name,)
            ).fetchone()
        return found is not None and found[0] == self._serial

    def run_apart(self, sql: str, values: Sequence[object]) -> int:
        """Run a statement that is a transaction by itself; return how many rows it changed.

        It does not count as a use: the number of the last transaction is not renewed.
        """
        return self._connection.execute(sql, values).rowcount

    def undo(self) -> None:
        """Undo what is under way; when that fails, the connection is closed."""
        if not self.is_broken:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()

    def close(self) -> None:
        """Close the connection; that of a parent process is left alone."""
        if self._process == os.getpid():
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("DELETE FROM commits WHERE connection = %s", (self._name,))
            self._connection.close()


@lru_cache(maxsize=512)
def _translated(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode() if "?" in sql else sql.encode()


def _plain(values: Sequence[object]) -> list[object]:
    """Return values as the tables hold them: numbers for truth, and no text that PostgreSQL refuses."""
    return [
        int(value)
        if isinstance(value, bool)
        else value.replace("\0", "␀")
        if isinstance(value, str) and "\0" in value
        else value
        for value in values
    ]
