"""A ledger in a SQLite file: one thread accesses it, and transactions are on disk when they return."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from ...errors import LedgerError
from ...files import NotRegular, remedy_for, require_regular
from ...printable import quoted
from ..database import Connection, Database, Left, Question, Work, always, ignore
from ..descriptors import MORE_DESCRIPTORS, Spares, is_shortage
from ..group_commit import Asked, GroupCommit, NotTogether, give, run_all
from .connection import SqliteConnection, connect, in_transaction, truncate_log
from .liveness import Owner, is_same_file
from .write_ahead import COMMITS_BETWEEN_CHECKPOINTS, checkpoint, files_of, place_of

T = TypeVar("T")

_CODES = {
    sqlite3.SQLITE_BUSY: "ledger_locked",
    sqlite3.SQLITE_LOCKED: "ledger_locked",
    sqlite3.SQLITE_CORRUPT: "ledger_corrupt",
    sqlite3.SQLITE_NOTADB: "ledger_corrupt",
}

_TRANSACTION = threading.Lock()
_DATABASES: WeakSet[SqliteDatabase] = WeakSet()


def _disconnect_all() -> None:
    """Close every connection before a fork; parent and child open their own on demand.

    Otherwise the child would inherit SQLite's state, including locks that belong only to the parent.
    """
    _TRANSACTION.acquire()
    for database in list(_DATABASES):
        database.disconnect()


os.register_at_fork(before=_disconnect_all, after_in_parent=_TRANSACTION.release, after_in_child=_TRANSACTION.release)


class SqliteDatabase(Database):
    """The ledger's file.

    Args:
        path: the file; created with mode 0600 if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = Path(os.path.realpath(path))
        self.file: Path | None = self.path
        self._commits = GroupCommit(1, self._commit, self._copy_log_back)
        self._connection: SqliteConnection | None = None
        self._files = files_of(self.path)
        self._places: list[tuple[int, int] | None] = [None, None, None]
        self._owner: Owner | None = None
        self._is_copy = False
        self._version = b"", 0
        self._commits_in_log = 0
        _DATABASES.add(self)
        self._deferred: deque[Work[object]] = deque()
        self._spares = Spares()

    @property
    def label(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def owner(self) -> str:
        """See `Database`: proved by a lock on the file, which ends with the process.

        Raises:
            LedgerError: ledger_copied; nothing is sent from a copy.
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

    async def transact(
        self, work: Work[T], *, together: bool = False, is_wanted: Question = always, left: Left[T] = ignore
    ) -> T:
        """See `Database`."""
        return await self._commits.run(work, together=together, is_wanted=is_wanted, left=left)

    def defer(self, work: Work[object]) -> None:
        """See `Database`."""
        self._deferred.append(work)

    async def truncate_journal(self) -> None:
        """See `Database`: a write-ahead log keeps old pages until it is overwritten; other journals are empty."""

        def work() -> None:
            with _TRANSACTION:
                try:
                    truncate_log(self._open())
                except (sqlite3.Error, OSError) as error:
                    raise self._explained(error) from error

        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._commits.threads, work))

    async def close(self) -> None:
        """See `Database`."""
        try:
            while self._deferred or not self._commits.is_idle:  # `left` may defer more work
                await self.transact(lambda _: None)
        finally:
            self._deferred.clear()
            await asyncio.get_running_loop().run_in_executor(self._commits.threads, self._close)
            self._commits.threads.shutdown(wait=True)
            self._commits = GroupCommit(1, self._commit, self._copy_log_back)

    def disconnect(self) -> None:
        """Close the connection between two transactions; the next one opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _commit(self, group: Sequence[Asked]) -> None:
        """Run pieces of work in one transaction, and set the result or error of each."""
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
        except BaseException as error:  # noqa: BLE001 - passed on to the callers
            for asked in group:
                asked.error = self._explained(error)
        else:
            for _ in deferred:
                self._deferred.popleft()
            give(group, results)

    def _with_spares(self, work: Work[T], is_wanted: Question) -> T:
        """Run a transaction; if no descriptor is left for the journal, use a reserved one."""
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
        result = in_transaction(connection, work, is_wanted)
        if list(map(place_of, self._files)) != self._places:  # before anything is sent that depends on it
            raise self._replaced()
        return result

    def _copy_log_back(self) -> None:
        """Copy the log back regularly, between two transactions, when no caller waits for this thread."""
        self._commits_in_log += 1
        if self._places[1] is None or self._commits_in_log < COMMITS_BETWEEN_CHECKPOINTS:
            return
        with _TRANSACTION:
            if self._connection is not None and checkpoint(self._connection, self.path):
                self._commits_in_log = 0

    def _open(self, is_wanted: Question = always) -> SqliteConnection:
        if self._connection is None:
            is_first = self._owner is None
            if is_first:
                self._create_file()
                self._owner = Owner.register(self.path)
                self._version, self._is_copy = (b"", 0), True  # until its content was looked at
            else:
                self._require_same_file()
            try:
                self._connection = connect(self.path, self._registered.file.identity, is_wanted)
            except BaseException:
                if is_first:
                    self._leave()
                raise
            self._places = [self._registered.file.place, *map(place_of, self._files[1:])]
            self._commits_in_log = 0
        return self._connection

    def _create_file(self) -> None:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
        except FileExistsError:
            # SQLite itself would wait for ever for a named pipe in place of its journal. Do not open the files here:
            # closing any descriptor of a file releases SQLite's own locks on it.
            for suffix in ("", "-journal", "-wal", "-shm"):
                _require_regular(self.path.with_name(self.path.name + suffix))

    @property
    def _registered(self) -> Owner:
        if self._owner is None:
            raise AssertionError("the ledger was not opened yet")
        return self._owner

    def _require_same_file(self) -> None:
        """Refuse if the path no longer leads to the open file, because writes to it would be lost."""
        if place_of(self._files[0]) != self._places[0]:
            raise self._replaced()

    def _look_at_content(self, connection: Connection) -> None:
        """Detect that the file is a copy, or that an older backup was written over it.

        Call it within the transaction; otherwise another process may be writing or rolling back.
        """
        file = self._registered.file
        version = file.version()
        if version == self._version and not self._is_copy:
            return
        if version[0][:4] < self._version[0][:4]:
            raise self._replaced()
        [(recorded,)] = connection.execute("SELECT identity FROM file").fetchall()
        self._version, self._is_copy = version, not is_same_file(recorded, file.identity)

    def _replaced(self) -> LedgerError:
        return LedgerError(
            f"The ledger {quoted(str(self.path))} was deleted or replaced while it was in use.",
            code="ledger_unavailable",
            remedy="Put the file back, then start the process again.",
        )

    def _explained(self, error: BaseException) -> BaseException:
        """Convert an error of SQLite or of the system to a ledger error; return others unchanged."""
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
            self.disconnect()
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
