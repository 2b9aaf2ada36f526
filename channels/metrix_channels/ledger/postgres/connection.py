"""A ledger in PostgreSQL, for processes on any number of machines: each transaction takes effect once or not at all.

A connection may be lost at any moment, also while the database commits. Each one therefore numbers its transactions in
a table: who lost it looks there whether the last one was made, and otherwise runs it again.
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
from ..database import Connection, Question, Work, WorkerDatabase, always
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
"""Seconds in which a lost connection is made again: a restart of the database takes less, a lease more."""
_CONNECTIONS: Final = 4
_POOLED: Final = 2
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
_LEASE_WAITS_SECONDS: Final = 0.2
_IDLE_SECONDS: Final = 600.0


class PostgresDatabase(WorkerDatabase):
    """A ledger in PostgreSQL.

    Args:
        url: of the database, as libpq understands it.
        lease: seconds after its last sign of life in which this process counts as alive.

    Attributes:
        url: with its password.
        lease_seconds: for the next name that this process takes.
        is_patient: wait for a database that cannot be reached yet, as for one that no longer can.
        connections: transactions at one time, each on a connection of its own; fewer behind a pooler, whose pool many
            processes share.
        trouble: why the last transaction did not succeed yet; None while all is well.
    """

    is_distributed: ClassVar[bool] = True

    def __init__(self, url: str, *, lease: float = LEASE_SECONDS) -> None:
        self.url = url
        self.lease_seconds: float = lease
        self.is_patient: bool = False
        self.connections: int = _CONNECTIONS
        self.trouble: LedgerError | None = None
        self._commits: GroupCommit | None = None
        self._lock = threading.RLock()
        self._deferring = threading.Lock()  # apart: nobody holds it while waiting for the database
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
        """See `Database`: it waits for a database that cannot be reached yet, and makes do with few connections."""
        self.lease_seconds = lease_seconds
        self.is_patient = True
        return self

    @property
    def owner(self) -> str:
        """See `Database`: known by a lease, on the database's own clock."""
        return self.lease.name

    @property
    def lease(self) -> Lease:
        """The sign of life of this process; a new one after others took it for dead."""
        with self._lock:
            if self._lease is None or self._lease.is_lost:
                if getattr(self._within, "transaction", False):
                    raise _Nameless  # others see the name only on a connection that is within no transaction
                self._lease = Lease(self.apart, self.lease_seconds)
            return self._lease

    @property
    def lease_holds(self) -> bool:
        """See `WorkerDatabase`."""
        return self._lease is not None and self._lease.holds

    def holds(self, owner: str) -> bool:
        """See `Database`: by this machine's own clock, without a look into the database."""
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

    async def exists(self) -> bool:
        """See `Database`."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> bool:
        try:
            with closing(open_connection(self.url)) as connection:
                return has_schema(connection, self.url)
        except psycopg.Error as error:
            raise explained(error, self.url) from error

    async def transact(self, work: Work[T], *, together: bool = False, is_wanted: Question = always) -> T:
        """See `Database`."""
        if self._commits is None:
            self._commits = GroupCommit(_CONNECTIONS, self._commit)
        return await self._commits.run(work, together=together, is_wanted=is_wanted)

    def defer(self, work: Work[object]) -> None:
        """See `Database`."""
        with self._deferring:
            self._deferred.append(work)

    async def truncate_journal(self) -> None:
        """See `Database`: its journal is the server's own."""

    async def close(self) -> None:
        """See `Database`."""
        try:
            if self._deferred:
                await self.transact(lambda _: None)
        finally:
            self._deferred.clear()
            commits, self._commits = self._commits, None
            closer = Threads(1, "metrix-channels-ledger-closer")
            await asyncio.get_running_loop().run_in_executor(closer, self._close, commits)
            closer.shutdown(wait=False)

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection of its own, outside of any transaction.

        Raises:
            psycopg.Error: it cannot be reached.
            LedgerError: ledger_pooled, ledger_read_only, ledger_newer, and whatever else makes it unfit.
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
        """Run a statement outside of any transaction; return how many rows it changed.

        Raises:
            psycopg.Error, LedgerError: it was not run, or that is not known.
        """
        session = self.session(self.lease_seconds * _LEASE_WAITS_SECONDS)
        try:
            return session.run_apart(sql, values)
        finally:
            self.give_back(session)

    def _commit(self, group: Sequence[Asked]) -> None:
        """Make one transaction of some pieces of work, and give each of them its result or error."""
        try:
            results = self._transact(lambda connection: run_all(connection, group))
        except NotTogether:
            for asked in group:
                self._commit([asked])
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
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
        """Remember, and say once, that the database cannot be used."""
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
        """Return a connection that nobody uses: one that was given back, or a new one.

        Args:
            patience: 0 to wait for as long as all are in use; seconds to go before all others who wait, and after
                which to open one more.
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
                session.close()  # others may have forgotten it
                session = None
            return session or Session(self.connect())
        except BaseException:
            with self._given_back:
                self._in_use -= 1
                self._given_back.notify_all()
            raise

    def give_back(self, session: Session) -> None:
        """Let others use a connection, unless it is lost or one too many."""
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
            commits.threads.shutdown(wait=True)  # what nobody waits for ends first, and gives its connection back
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.leave()
        with self._lock:
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.close()


class _Once(Generic[T]):
    """One piece of work that takes effect once, however often the connection is lost on the way."""

    def __init__(self, database: PostgresDatabase, work: Work[T]) -> None:
        self._database = database
        self._work = work
        self._doubt: tuple[Session, T] | None = None

    def made(self) -> T:
        """Do it, unless the last try turns out to have done it.

        Raises:
            psycopg.Error, Again: it was not done, or that is not known yet; call again.
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
    """A transaction asks for the name of this process, which has none yet."""
