"""The database interface of the ledger: durable transactions, and which processes are alive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

from ..errors import ConfigError, LedgerError

T = TypeVar("T")


PASSING: Final = frozenset({"ledger_unavailable", "ledger_locked", "ledger_connections", "ledger_read_only"})
"""Codes of temporary errors: the database was available before, and a retry may succeed later."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row; None if there is none."""

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """An open transaction. Statements use the SQL that SQLite and PostgreSQL share, with `?` for values."""

    @property
    def name(self) -> str:
        """Distinguishes this connection from others that write concurrently; empty if there are none."""

    def execute(self, sql: str, values: Sequence[object] = (), /) -> Cursor:
        """Run a statement."""

    def insert(self, sql: str, values: Sequence[object], /) -> int:
        """Run a statement that inserts one row, and return the id that the database gave to it."""

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> Cursor:
        """Run a statement once for each row of values."""

    def lock(self, what: str, *, shared: bool = False) -> None:
        """Block other transactions that take the same lock until this one ends.

        Args:
            what: the name of the lock.
            shared: allow other transactions with a shared lock.
        """

    def lock_row(self, table: str, row: str) -> bool:
        """Block other transactions from changing a row until this one ends.

        Args:
            table: with a column `id`.
            row: its id.

        Returns:
            False if another transaction is changing the row, or if there is no such row.
        """

    def snapshot(self) -> None:
        """Make all further statements read one snapshot; call it first in a transaction."""

    def next_ids(self, table: str, count: int) -> list[int]:
        """Return ids for new rows, in ascending order."""

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Insert many rows."""

    def clock(self) -> float:
        """Return seconds of a monotonic clock that all processes of the ledger share."""

    def time(self) -> float:
        """Return seconds since 1970 by a clock that all processes of the ledger share."""

    def need_not_last(self) -> None:
        """Do not wait for the disk: a crash of the machine may lose this transaction."""


Work = Callable[[Connection], T]
Question = Callable[[], bool]
Left = Callable[[T | None, BaseException | None], None]
"""Receives the result or the error of work whose caller was cancelled."""


def always() -> bool:
    """Return True."""
    return True


def ignore(result: object, error: BaseException | None) -> None:
    """Ignore the result and the error."""


class Database(ABC):
    """The database of a ledger, as one process uses it.

    It opens on first use. It waits for the disk, the network and other processes in its own threads, so that they
    never delay requests in flight.

    Attributes:
        is_distributed: workers on any machine send runs and outbox messages; otherwise the process that started a
            run sends it, and messages wait until a process calls `drain`.
        reads_block_writes: nobody can write during a long read, so that reads must be short.
        file: of the ledger; None if it is not a file.
    """

    is_distributed: ClassVar[bool] = False
    reads_block_writes: ClassVar[bool] = True
    file: Path | None = None

    @property
    @abstractmethod
    def label(self) -> str:
        """The name for messages; contains no secret."""

    @property
    @abstractmethod
    def owner(self) -> str:
        """The name of this process in the ledger; for use within a transaction.

        Other processes use it to check whether this process is alive. It changes after they considered it dead.

        Raises:
            LedgerError: ledger_copied.
        """

    @abstractmethod
    def is_alive(self, connection: Connection, owner: str) -> bool:
        """Tell whether the process with that name is alive."""

    def for_worker(self, lease_seconds: float) -> WorkerDatabase:
        """Return the database for a worker.

        Args:
            lease_seconds: how long after its last sign of life the worker keeps its claims.

        Raises:
            ConfigError: ledger_not_shared, if workers cannot send from this ledger.
        """
        raise ConfigError(
            "Workers need a ledger in PostgreSQL, but this ledger is a file. `campaign run` sends without workers.",
            code="ledger_not_shared",
        )

    @abstractmethod
    async def exists(self) -> bool:
        """Tell whether there is a ledger, without creating one. Its first use creates it.

        Raises:
            LedgerError: the database cannot be reached.
        """

    async def adopt(self) -> bool:
        """Allow the use of a ledger that is a copy; return False if it is not a copy.

        A database that cannot detect copies returns False.
        """
        return False

    def holds(self, owner: str) -> bool:
        """Tell whether the lease of this process under that name is certainly valid.

        True if owners need no lease.
        """
        return True

    @abstractmethod
    async def transact(
        self, work: Work[T], *, together: bool = False, is_wanted: Question = always, left: Left[T] = ignore
    ) -> T:
        """Run `work` as one durable transaction.

        It may run more than once if the connection is lost, but takes effect once. It must change nothing but the
        database. It continues even if the caller is cancelled.

        Args:
            work: its result is returned.
            together: allow `work` to share its transaction with others, if it is short and holds no contended lock. If
                one of them fails, the others still take effect.
            is_wanted: checked while another process has the file locked; False ends the wait.
            left: called in the event loop, with result and error, if the caller was cancelled; it must not raise.

        Raises:
            LedgerError: ledger_corrupt, ledger_newer, or one of `PASSING`; in PostgreSQL also ledger_pooled,
                ledger_login_refused, ledger_denied, ledger_schema_foreign, ledger_unsupported; nothing was written.
        """

    @abstractmethod
    def defer(self, work: Work[object]) -> None:
        """Run `work` with the next transaction, for work that need not or cannot be durable earlier."""

    @abstractmethod
    async def truncate_journal(self) -> None:
        """Remove copies of overwritten data from the journal of the database.

        Only a file has a journal that this process can truncate; PostgreSQL recycles its own journal in time.
        """

    @abstractmethod
    async def close(self) -> None:
        """Write deferred work and close the database; it can be used again."""


class WorkerDatabase(Database):
    """A database for a worker, which can tell whether the worker still has its claims.

    Attributes:
        url: with its password.
        trouble: why the last transaction has not succeeded yet; None if it has.
    """

    url: str
    trouble: LedgerError | None

    @property
    @abstractmethod
    def lease_holds(self) -> bool:
        """Whether the lease is still valid, so that no other process considers this one dead."""

    @abstractmethod
    def give_up_name(self) -> None:
        """Let other processes take over the claims under this name after its lease expires."""
