"""The ledgers that tests run on, one class a backend: opened by several processes, looked into, and harmed.

To test a new backend, write its `Ledger` and add it to `BACKENDS`: the fixture `ledger` then gives it to every test
that holds for all of them, among these the conformance suites of `Database` and `RunBook`.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import psycopg
import pytest
from attrs import frozen

from helpers.postgres import execute
from metrix_channels.ledger import Connection, Database, SqliteDatabase
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.ledger.sqlite import liveness as owners

WITH_HELPERS: Final = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
"""The environment of a script that uses this module."""


@frozen
class Ledger(ABC):
    """Where a ledger is.

    Attributes:
        backend: what test ids call the backend.
        place: a path or a URL.
    """

    backend: ClassVar[str]
    place: str

    @classmethod
    @abstractmethod
    def empty(cls, request: pytest.FixtureRequest) -> Self:
        """Return a new, empty one for a test."""

    @classmethod
    @abstractmethod
    def is_at(cls, place: str) -> bool:
        """Tell whether a path or URL is one of this backend's."""

    @abstractmethod
    def open(self) -> Database:
        """Open it once more, as a process of its own would."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Database]:
        """Open it for the block's time."""
        database = self.open()
        try:
            yield database
        finally:
            await database.close()

    @abstractmethod
    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into it, or change it behind the library's back."""

    @abstractmethod
    def take_everybody_for_dead(self) -> None:
        """Let every process that has a name in it by now look dead, whether it is or not."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[None]:
        """Let nobody write while the block lasts."""


class FileLedger(Ledger):
    """A ledger in SQLite."""

    backend = "sqlite"

    @classmethod
    def empty(cls, request: pytest.FixtureRequest) -> Self:
        """See `Ledger`."""
        return cls(str(request.getfixturevalue("tmp_path") / "l.db"))

    @classmethod
    def is_at(cls, place: str) -> bool:
        """See `Ledger`."""
        return "://" not in place

    def open(self) -> Database:
        """See `Ledger`."""
        return SqliteDatabase(Path(self.place))

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Ledger`."""
        with closing(sqlite3.connect(self.place)) as connection, connection:
            return connection.execute(sql).fetchall()

    def take_everybody_for_dead(self) -> None:
        """See `Ledger`; only owners in this process are alive here in the first place."""
        for file in list(owners._FILES.values()):
            for name in list(file.names):
                owners.Owner(file, name).leave()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `Ledger`."""
        with closing(sqlite3.connect(self.place, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            yield
            holder.execute("COMMIT")

    @contextmanager
    def moved_away(self) -> Iterator[None]:
        """Let the file be missing while the block lasts."""
        path = Path(self.place)
        away = path.rename(path.with_name("away"))
        yield
        away.rename(path)


class PostgresLedger(Ledger):
    """A ledger in PostgreSQL."""

    backend = "postgresql"

    @classmethod
    def empty(cls, request: pytest.FixtureRequest) -> Self:
        """See `Ledger`."""
        return cls(request.getfixturevalue("postgres_url"))

    @classmethod
    def is_at(cls, place: str) -> bool:
        """See `Ledger`."""
        return place.startswith("postgresql://")

    def open(self) -> Database:
        """See `Ledger`."""
        return PostgresDatabase(self.place, lease=5.0)

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Ledger`."""
        return execute(self.place, sql)

    def take_everybody_for_dead(self) -> None:
        """See `Ledger`."""
        self.execute("UPDATE owners SET lease_until = now() - interval '1 second'")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `Ledger`."""
        with psycopg.connect(self.place) as connection:
            connection.execute("LOCK TABLE metrix_channels.sends IN ACCESS EXCLUSIVE MODE")
            yield


BACKENDS: Final[tuple[type[Ledger], ...]] = (FileLedger, PostgresLedger)
"""Every backend; whatever holds for one holds for the others."""


def database_at(place: str) -> Database:
    """Open the ledger at a URL or a path, as a process of its own would."""
    [backend] = [each for each in BACKENDS if each.is_at(place)]
    return backend(place).open()


def statement(sql: str, values: Sequence[object] = ()) -> Callable[[Connection], list[Any]]:
    """Return a transaction that runs one statement and returns its rows."""
    return lambda connection: connection.execute(sql, values).fetchall()


def change(sql: str) -> Callable[[Connection], int]:
    """Return a transaction that runs one statement and returns how many rows it changed."""
    return lambda connection: connection.execute(sql).rowcount
