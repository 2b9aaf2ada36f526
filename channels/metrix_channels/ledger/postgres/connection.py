"""A ledger in PostgreSQL, for processes on any number of machines: each transaction takes effect once or not at all.

A connection may be lost at any moment, even during a commit. Each connection therefore numbers its transactions in a
table. After a loss, the table shows whether the last transaction was committed; if not, it runs again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from typing import Any, ClassVar, Final, Generic, TypeVar

import psycopg

from ...errors import LedgerError
from ...logs import say
from ..database import Connection, Left, Question, Work, WorkerDatabase, always, ignore
from ..group_commit import Asked, GroupCommit, NotTogether, give, run_all
from ..threads import Threads
from .connecting import SETTINGS, open_connection, require_fit, served_within
from .errors import explained, passes
from .liveness import LEASE_SECONDS, Lease
from .schema import has_schema, prepare_schema
from .sessions import Again, Session
from .url import label_of

T = TypeVar("T")

PATIENCE_SECONDS: Final = 20.0
"""Seconds to retry a lost connection: longer than a restart of the database, shorter than a lease."""
_CONNECTIONS: Final = 4
_POOLED: Final = 2
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
_LEASE_WAITS_SECONDS: Final = 0.2
_IDLE_SECONDS: Final = 600.0


class PostgresDatabase(WorkerDatabase):
    """A ledger in PostgreSQL.

    Args:
        url: of the database, in the format of libpq.
        lease: seconds without a sign of life after which this process counts as dead.

    Attributes:
        url: with its password.
        lease_seconds: for the next name that this process takes.
        is_patient: whether to wait for a database that was not reachable yet, as for a lost one.
        connections: maximum of concurrent transactions, each on its own connection; fewer behind a pooler, whose pool
            is shared by many processes.
        trouble: why the last transaction has not succeeded yet; None if it has.
    """

    is_distributed: ClassVar[bool] = True
    reads_block_writes: ClassVar[bool] = False

    def __init__(self, url: str, *, lease: float = LEASE_SECONDS) -> None:
        self.url = url
        self.lease_seconds: float = lease
        self.is_patient: bool = False
        self.connections: int = _CONNECTIONS
        self.trouble: LedgerError | None = None
        self._commits: GroupCommit | None = None
        self._lock = threading.RLock()
        self._deferring = threading.Lock()  # a separate lock, which is never held while waiting for the database
        self._idle: list[Session] = []
        self._in_use = self._waiting = 0
        self._given_back = threading.Condition(self._lock)
        self._within = threading.local()
        self._deferred: deque[Work[object]] = deque()
        self._lease: Lease | None = None
        self._was_open = False

    @property
    def label(self) -> str:
        """Host and name of the database."""
        return label_of(self.url)

    def for_worker(self, lease_seconds: float) -> PostgresDatabase:
        """See `Database`: waits for a database that is not reachable yet, and uses few connections."""
        self.lease_seconds = lease_seconds
        self.is_patient = True
        return self

    @property
    def owner(self) -> str:
        """See `Database`: proved by a lease on the clock of the database."""
        return self.lease.name

    @property
    def lease(self) -> Lease:
        """The lease of this process; a new one after other processes considered it dead."""
        with self._lock:
            if self._lease is None or self._lease.is_lost:
                if getattr(self._within, "transaction", False):
                    raise _Nameless  # only a connection outside any transaction makes the name visible to others
                self._lease = Lease(self.apart, self.lease_seconds)
            return self._lease

    @property
    def lease_holds(self) -> bool:
        """See `WorkerDatabase`."""
        return self._lease is not None and self._lease.holds

    def holds(self, owner: str) -> bool:
        """See `Database`: by the clock of this machine, without a query."""
        lease = self._lease
        return lease is not None and lease.name == owner and lease.holds

    def give_up_name(self) -> None:
        """Let other processes take over the claims under this name after its lease expires."""
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

    async def exists(self) -> bool:
        """See `Database`."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> bool:
        try:
            with closing(open_connection(self.url)) as connection:
                return has_schema(connection, self.url)
        except psycopg.Error as error:
            raise explained(error, self.url) from error

    async def transact(
        self, work: Work[T], *, together: bool = False, is_wanted: Question = always, left: Left[T] = ignore
    ) -> T:
        """See `Database`."""
        if self._commits is None:
            self._commits = GroupCommit(_CONNECTIONS, self._commit)
        return await self._commits.run(work, together=together, is_wanted=is_wanted, left=left)

    def defer(self, work: Work[object]) -> None:
        """See `Database`."""
        with self._deferring:
            self._deferred.append(work)

    async def truncate_journal(self) -> None:
        """See `Database`: does nothing, because the server owns the journal."""

    async def close(self) -> None:
        """See `Database`."""
        try:
            while self._deferred or not (self._commits is None or self._commits.is_idle):  # `left` may defer more work
                await self.transact(lambda _: None)
        finally:
            self._deferred.clear()
            commits, self._commits = self._commits, None
            closer = Threads(1, "metrix-channels-ledger-closer")
            await asyncio.get_running_loop().run_in_executor(closer, self._close, commits)
            closer.shutdown(wait=False)

    def connect(self) -> psycopg.Connection[Any]:
        """Open a separate connection, outside any transaction.

        Raises:
            psycopg.Error: the database cannot be reached.
            LedgerError: the database is not usable, such as ledger_pooled, ledger_read_only or ledger_newer.
        """
        connection = open_connection(self.url)
        try:
            if not self._was_open:
                self.connections = _POOLED if require_fit(connection, self.url) else _CONNECTIONS
            with served_within(connection):
                connection.execute(SETTINGS)
            if not self._was_open:
                prepare_schema(connection, self.url)
        except BaseException:
            connection.close()
            raise
        self._was_open = True
        return connection

    def apart(self, sql: str, values: Sequence[object]) -> int:
        """Run a statement outside any transaction; return how many rows it changed.

        Raises:
            psycopg.Error, LedgerError: the statement was not run, or its result is not known.
        """
        session = self.session(self.lease_seconds * _LEASE_WAITS_SECONDS)
        try:
            return session.run_apart(sql, values)
        finally:
            self.give_back(session)

    def _commit(self, group: Sequence[Asked]) -> None:
        """Run pieces of work in one transaction, and set the result or error of each."""
        try:
            results = self._transact(lambda connection: run_all(connection, group))
        except NotTogether:
            for asked in group:
                self._commit([asked])
        except BaseException as error:  # noqa: BLE001 - passed on to the callers
            for asked in group:
                asked.error = error
        else:
            give(group, results)

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
        ends, pause = time.monotonic() + PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS
        attempt = _Once(self, work)
        while True:
            try:
                result = self._made(attempt)
            except Again:
                if time.monotonic() > ends:
                    raise LedgerError(f"{self.label} is busy.", code="ledger_locked") from None
            except psycopg.Error as error:
                why = self._troubled(error)
                if not passes(error) or not (self._was_open or self.is_patient) or time.monotonic() > ends:
                    raise why from error
            else:
                self._well()
                return result
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _made(self, attempt: _Once[T]) -> T:
        self._within.transaction = True
        try:
            return attempt.made()
        except _Nameless:
            self._within.transaction = False
            _ = self.lease
            return self._made(attempt)
        finally:
            self._within.transaction = False

    def _troubled(self, error: psycopg.Error) -> LedgerError:
        """Remember, and log once, that the database cannot be used."""
        why = explained(error, self.url)
        with self._lock:
            is_new, self.trouble = self.trouble is None, why
        if is_new and (self._was_open or self.is_patient) and passes(error):
            say(logging.WARNING, f"{why.message} metrix-channels tries again.", code=why.code)
        return why

    def _well(self) -> None:
        if self.trouble is not None:
            with self._lock:
                self.trouble = None
            say(logging.WARNING, f"The ledger {self.label} can be used again.")

    def session(self, patience: float = 0.0) -> Session:
        """Return an unused connection: a released one or a new one.

        Args:
            patience: 0 to wait while all are in use; otherwise, go before all other waiters, and open one more
                connection after this many seconds.
        """
        first = patience > 0
        with self._given_back:
            self._waiting += first
            self._given_back.wait_for(lambda: self._has_room() and (first or not self._waiting), patience or None)
            self._waiting -= first
            self._given_back.notify_all()
            session = self._idle.pop() if self._idle else None
            self._in_use += 1
        try:
            if session is not None and time.monotonic() - session.used_at > _IDLE_SECONDS:
                session.close()  # the connection may be stale
                session = None
            return session or Session(self.connect())
        except BaseException:
            with self._given_back:
                self._in_use -= 1
                self._given_back.notify_all()
            raise

    def give_back(self, session: Session) -> None:
        """Release a connection for others, or close it if it is lost or surplus."""
        with self._given_back:
            self._in_use -= 1
            is_kept = self._has_room() and not session.is_broken
            if is_kept:
                self._idle.append(session)
            self._given_back.notify_all()
        if not is_kept:
            session.close()

    def _has_room(self) -> bool:
        return bool(self._idle) or self._in_use < self.connections

    def _close(self, commits: GroupCommit | None) -> None:
        if commits is not None:
            commits.threads.shutdown(wait=True)  # work that nobody waits for finishes first and releases its connection
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.leave()
        with self._lock:
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.close()


class _Once(Generic[T]):
    """One piece of work that takes effect once, even if the connection is lost."""

    def __init__(self, database: PostgresDatabase, work: Work[T]) -> None:
        self._database = database
        self._work = work
        self._doubt: tuple[Session, T] | None = None

    def made(self) -> T:
        """Run the work, unless the last try was committed.

        Raises:
            psycopg.Error, Again: the work was not committed, or that is not known yet; call again.
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
            session.undo()
            raise
        finally:
            self._database.give_back(session)
        return result

    def _commit(self, session: Session, result: T) -> None:
        try:
            session.commit()
        except BaseException:
            if session.is_broken:
                self._doubt = session, result
            raise


class _Nameless(Exception):
    """A transaction needs the name of this process, which does not have one yet."""
