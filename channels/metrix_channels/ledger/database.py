"""What the books need of a database: transactions that are durable when they return, and who of its users is alive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

from ..errors import ConfigError, LedgerError

T = TypeVar("T")


PASSING: Final = frozenset({"ledger_unavailable", "ledger_locked", "ledger_connections", "ledger_read_only"})
"""Codes of errors after which the same may succeed later: the database was there, and cannot be written for now."""


class Cursor(Protocol):
    """The rows that a statement found."""

    @property
    def rowcount(self) -> int:
        """Rows that the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row; None when there is none."""

    def fetchall(self) -> list[Any]:
        """Return the other rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A transaction under way. Statements are in the SQL that SQLite and PostgreSQL share, with `?` for values."""

    @property
    def name(self) -> str:
        """What tells this connection from others that write at the same time; empty where no others do."""

    def execute(self, sql: str, values: Sequence[object] = (), /) -> Cursor:
        """Run a statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> Cursor:
        """Run a statement once for each row of values."""

    def lock(self, what: str, *, shared: bool = False) -> None:
        """Keep other transactions that lock the same out until this one ends.

        Args:
            what: a name.
            shared: let those in that share it, too.
        """

    def lock_row(self, table: str, row: str) -> bool:
        """Keep other transactions from changing a row until this one ends.

        Args:
            table: with a column `id`.
            row: its id.

        Returns:
            False when another transaction is changing it now, or when there is no such row.
        """

    def snapshot(self) -> None:
        """Let all statements from here on see one moment; the first of a transaction calls it."""

    def next_ids(self, table: str, count: int) -> list[int]:
        """Return ids for new rows, in ascending order."""

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Insert many rows."""

    def clock(self) -> float:
        """Return seconds of a clock that goes forward and that all processes of the ledger share."""

    def time(self) -> float:
        """Return seconds since 1970, by a clock that all processes of the ledger share."""

    def need_not_last(self) -> None:
        """Let this transaction be lost when the machine fails: for what is worth nothing then."""


Work = Callable[[Connection], T]
Question = Callable[[], bool]


def always() -> bool:
    """Say yes."""
    return True


class Database(ABC):
    """A ledger's database, as one process uses it.

    It opens at the first use, and waits for the disk, the network and other processes on threads of its own, so that
    they never hold up the requests in flight.

    Attributes:
        is_distributed: workers on any machine send its runs and the messages of its outbox; else the process that
            began a run sends it, and messages wait until a process calls `drain`.
        file: the file that holds it; None where it is no file.
    """

    is_distributed: ClassVar[bool] = False
    file: Path | None = None

    @property
    @abstractmethod
    def label(self) -> str:
        """What messages call it; without any secret."""

    @property
    @abstractmethod
    def owner(self) -> str:
        """The name under which this process works here; for use within a transaction.

        Others find out by it whether this process is alive. It changes when they took it for dead.

        Raises:
            LedgerError: ledger_copied.
        """

    @abstractmethod
    def is_alive(self, connection: Connection, owner: str) -> bool:
        """Tell whether the process of that name still works here."""

    def for_worker(self, lease_seconds: float) -> WorkerDatabase:
        """Return it as a worker uses it.

        Args:
            lease_seconds: how long after its last sign of life others leave alone what the worker has claimed.

        Raises:
            ConfigError: ledger_not_shared, where no worker can send.
        """
        raise ConfigError(
            "Workers need a ledger in PostgreSQL, but this ledger is a file. `campaign run` sends without workers.",
            code="ledger_not_shared",
        )

    @abstractmethod
    async def exists(self) -> bool:
        """Tell whether there is a ledger: the first send, or another use, makes one. Nothing is made by the question.

        Raises:
            LedgerError: the database cannot be asked.
        """

    async def adopt(self) -> bool:
        """Let processes work here from now on, although the ledger is a copy; False when it was none.

        Where a database cannot tell whether it is a copy, it is none.
        """
        return False

    def holds(self, owner: str) -> bool:
        """Tell whether the lease of this process under that name is certainly valid.

        True where an owner needs no lease.
        """
        return True

    @abstractmethod
    async def transact(self, work: Work[T], *, together: bool = False, is_wanted: Question = always) -> T:
        """Run `work` as one durable transaction.

        It may run more than once, when the connection was lost in between, and takes effect once: so it changes
        nothing but the database.

        Args:
            work: returns what this returns.
            together: it may share its transaction with others like it: it is short, and locks nothing that many need.
                When one of them fails, the others take effect none the less.
            is_wanted: asked while another process keeps the file to itself; once it says no, the wait ends.

        Raises:
            LedgerError: ledger_corrupt, ledger_newer, or one of `PASSING`; in PostgreSQL also ledger_pooled,
                ledger_login_refused, ledger_denied, ledger_schema_foreign, ledger_unsupported; nothing was written.
        """

    @abstractmethod
    def defer(self, work: Work[object]) -> None:
        """Let `work` be part of the next transaction: for what need not be, or cannot be, durable before that one."""

    @abstractmethod
    async def truncate_journal(self) -> None:
        """Let the database's own journal keep no copy of what earlier transactions overwrote.

        Only a file has a journal that is this process's to truncate: PostgreSQL recycles its own in time.
        """

    @abstractmethod
    async def close(self) -> None:
        """Write what was deferred and let go of it; it may be used again."""


class WorkerDatabase(Database):
    """A database as a worker uses it, which must say whether it still holds what it claimed.

    Attributes:
        url: with its password.
        trouble: why the last transaction did not succeed yet; None while all is well.
    """

    url: str
    trouble: LedgerError | None

    @property
    @abstractmethod
    def lease_holds(self) -> bool:
        """The lease has not expired: no other process may have taken this one for dead."""

    @abstractmethod
    def give_up_name(self) -> None:
        """Let others take over what this process has under its name, once its lease has run out."""
