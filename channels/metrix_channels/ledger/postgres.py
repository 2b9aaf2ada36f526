"""A ledger in PostgreSQL, for processes on any number of machines: each transaction takes effect once or not at all.

A connection may be lost at any moment, also while the database commits. Each one therefore numbers its transactions in
a table: who lost it looks there whether the last one was made, and otherwise runs it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from ..errors import LedgerError
from ..redact import Redactor
from .database import Connection, Cursor, Database, Work
from .leases import LEASE_SECONDS, Lease
from .postgres_schema import SCHEMA, prepare_schema
from .postgres_url import AMBIGUOUS_REMEDY, is_ambiguous, label_of, secrets_of

T = TypeVar("T")

PATIENCE: Final = 20.0
"""Seconds in which a lost connection is made again: a restart of the database takes less, a lease more."""
_REMEDY: Final = (
    "See whether the database runs and has room, and check host, port, name, role and password under `ledger`."
)
_CONNECTIONS: Final = 4
_PAUSE: Final = 0.1
_IDLE: Final = 600.0
KEEPALIVE: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A half-open connection is found out within seconds, instead of after the two hours of the kernel."""
_SETTINGS: Final = (
    f"SET search_path = {SCHEMA}; SET lock_timeout = '5s'; SET statement_timeout = '60s';"
    # A process that was frozen within a transaction must not hold its locks for longer.
    " SET idle_in_transaction_session_timeout = '15s'; SET client_min_messages = warning"
)


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

    def overwrite_deleted(self) -> None:
        """Do nothing: PostgreSQL's vacuum takes the place of what is deleted."""

    def need_not_last(self) -> None:
        """See `Connection`."""
        self.raw.execute("SET LOCAL synchronous_commit = off")


class PostgresDatabase(Database):
    """A ledger in PostgreSQL.

    Args:
        url: of the database, as libpq understands it.
        lease: seconds after its last sign of life in which this process counts as alive.

    Attributes:
        url: with its password.
        lease_seconds: for the next name that this process takes.
        is_patient: wait for a database that cannot be reached yet, as for one that no longer can.
    """

    def __init__(self, url: str, *, lease: float = LEASE_SECONDS) -> None:
        self.url = url
        self.lease_seconds = lease
        self.is_patient = False
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="metrix-channels-ledger")
        self._lock = threading.RLock()
        self._deferring = threading.Lock()  # apart: nobody holds it while waiting for the database
        self._idle: list[_Session] = []
        self._deferred: deque[Work[object]] = deque()
        self._lease: Lease | None = None
        self._was_open = False

    @property
    def label(self) -> str:
        """Host and name of the database."""
        return label_of(self.url)

    @property
    def owner(self) -> str:
        """See `Database`: known by a lease, on the database's own clock."""
        return self.lease.name

    @property
    def lease(self) -> Lease:
        """The sign of life of this process; a new one after others took it for dead."""
        with self._lock:
            if self._lease is None or self._lease.is_lost:
                self._lease = Lease(self.connect, self.lease_seconds)
            return self._lease

    @property
    def lease_holds(self) -> bool:
        """Nobody may have taken this process for dead."""
        return self._lease is not None and self._lease.holds

    def holds(self, owner: str) -> bool:
        """Tell whether this process still is whom that name was given to, and nobody may have taken it for dead."""
        lease = self._lease
        return lease is not None and lease.name == owner and lease.holds

    def give_up_name(self) -> None:
        """Let others take over what this process has under its name, once its lease has run out."""
        with self._lock:
            if self._lease is not None:
                self._lease.expire()
                self._lease = None

    def is_alive(self, connection: Connection, owner: str) -> bool:
        """See `Database`."""
        found = connection.execute(
            "SELECT 1 FROM owners WHERE name = ? AND lease_until > clock_timestamp()", (owner,)
        ).fetchone()
        return found is not None

    async def transact(self, work: Work[T]) -> T:
        """See `Database`."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, self._transact, work))

    def defer(self, work: Work[object]) -> None:
        """See `Database`."""
        with self._deferring:
            self._deferred.append(work)

    async def close(self) -> None:
        """See `Database`."""
        try:
            if self._deferred:
                await self.transact(lambda _: None)
        finally:
            self._deferred.clear()
            await asyncio.get_running_loop().run_in_executor(self._threads, self._close)
            self._threads.shutdown(wait=True)
            self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="metrix-channels-ledger")

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection of its own, outside of any transaction.

        Raises:
            psycopg.Error: it cannot be reached.
            LedgerError: ledger_newer, ledger_unavailable.
        """
        connection = psycopg.connect(make_conninfo(self.url, **KEEPALIVE), autocommit=True)
        try:
            if not self._was_open:
                prepare_schema(connection, self.label)
            connection.execute(_SETTINGS)
        except BaseException:
            connection.close()
            raise
        self._was_open = True
        return connection

    def _transact(self, work: Work[T]) -> T:
        with self._deferring:
            deferred, self._deferred = self._deferred, deque()

        def whole(connection: Connection) -> T:
            for earlier in deferred:
                earlier(connection)
            return work(connection)

        try:
            return self._until_done(whole)
        except BaseException:
            with self._deferring:
                self._deferred.extendleft(reversed(deferred))
            raise

    def _until_done(self, work: Work[T]) -> T:
        ends = time.monotonic() + PATIENCE
        attempt = _Once(self, work)
        while True:
            try:
                return attempt.made()
            except _Again:
                if time.monotonic() > ends:
                    raise LedgerError(f"{self.label} is busy.", code="ledger_locked") from None
            except psycopg.OperationalError as error:
                if not _is_loss(error) or not (self._was_open or self.is_patient) or time.monotonic() > ends:
                    raise self._explained(error) from error
            except psycopg.Error as error:
                raise self._explained(error) from error
            time.sleep(_PAUSE)

    def session(self) -> _Session:
        """Return a connection that nobody uses."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        if session is not None and time.monotonic() - session.used_at > _IDLE:
            session.close()  # others may have forgotten it
            session = None
        return session or _Session(self.connect())

    def give_back(self, session: _Session) -> None:
        """Let others use a connection."""
        with self._lock:
            self._idle.append(session)

    def _explained(self, error: psycopg.Error) -> LedgerError:
        locked = isinstance(error, psycopg.errors.QueryCanceled)
        code = "ledger_locked" if locked else "ledger_unavailable"
        remedy = None if code == "ledger_locked" else _REMEDY
        if is_ambiguous(self.url):
            said, remedy = "its URL cannot be read.", AMBIGUOUS_REMEDY
        else:
            # Not the rest of what the database says: it quotes rows, whose values may be sensitive.
            whole = " ".join((error.diag.message_primary or str(error)).split())
            said = Redactor(*secrets_of(self.url)).clean(whole, "error")
        _say_only(error, said)
        return LedgerError(f"The ledger {self.label} cannot be used: {said}", code=code, remedy=remedy)

    def _close(self) -> None:
        with self._lock:
            lease, self._lease = self._lease, None
            sessions, self._idle = self._idle, []
        if lease is not None:
            lease.leave()
        for session in sessions:
            session.close()


class _Once(Generic[T]):
    """One piece of work that takes effect once, however often the connection is lost on the way."""

    def __init__(self, database: PostgresDatabase, work: Work[T]) -> None:
        self._database = database
        self._work = work
        self._doubt: tuple[_Session, T] | None = None

    def made(self) -> T:
        """Do it, unless the last try turns out to have done it.

        Raises:
            psycopg.Error, _Again: it was not done, or that is not known yet; call again.
        """
        if self._doubt is not None:
            session, result = self._doubt
            if session.was_committed(self._database.connect):
                return result
            self._doubt = None
        session = self._database.session()
        try:
            result = session.run(self._work)
            self._commit(session, result)
        except BaseException:
            if not session.discard_if_broken():
                self._database.give_back(session)
            raise
        self._database.give_back(session)
        return result

    def _commit(self, session: _Session, result: T) -> None:
        try:
            session.commit()
        except BaseException:
            if session.is_broken:
                self._doubt = session, result
            raise


_PASSING: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,  # somebody was frozen who held it; the database ends that soon
)


class _Again(Exception):
    """The database undid a transaction for the sake of another one."""


class _Session:
    """One connection and the number of its last transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._name = uuid.uuid4().hex
        self._serial = 0
        self._process = os.getpid()
        self.used_at = time.monotonic()
        connection.execute("INSERT INTO commits (connection, serial) VALUES (%s, 0)", (self._name,))

    @property
    def is_broken(self) -> bool:
        return self._connection.closed

    def run(self, work: Work[T]) -> T:
        """Begin a transaction and do everything but commit it."""
        try:
            self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            return work(PostgresConnection(self._connection, self._name))
        except _PASSING as error:
            raise _Again from error

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

    def discard_if_broken(self) -> bool:
        """Undo what is under way; True when the connection cannot be used any more."""
        if not self.is_broken:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()
        return self.is_broken

    def close(self) -> None:
        if self._process == os.getpid():
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("DELETE FROM commits WHERE connection = %s", (self._name,))
            self._connection.close()


def _say_only(error: BaseException, said: str) -> None:
    """Let an error, and those behind it, say no more than that: a traceback shows them."""
    behind: BaseException | None = error
    while behind is not None:
        behind.args = (said,)
        behind = behind.__cause__ or behind.__context__


def _is_loss(error: psycopg.OperationalError) -> bool:
    """Tell whether the connection is gone, or none could be made, and the next one may do better."""
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state in ("53300", "25P03")


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
