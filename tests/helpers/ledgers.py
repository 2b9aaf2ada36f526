"""A ledger of either kind, as the books' own tests need it: opened by several processes, looked into, and harmed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from attrs import frozen

from helpers.postgres import execute
from metrix_channels.ledger import Database, SqliteDatabase
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.ledger.sqlite import liveness as owners

WITH_HELPERS: Final = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
"""The environment of a script that uses this module."""


def database_at(place: str) -> Database:
    """Open the ledger at a URL or a path, as a process of its own would."""
    return PostgresDatabase(place, lease=5.0) if place.startswith("postgresql://") else SqliteDatabase(Path(place))


@frozen
class Ledger:
    """Where a ledger is.

    Attributes:
        place: a path or a URL.
    """

    place: str

    def open(self) -> Database:
        """Open it once more."""
        return database_at(self.place)

    @property
    def is_file(self) -> bool:
        """It is SQLite's."""
        return not self.place.startswith("postgresql://")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into it, or change it behind the library's back."""
        if not self.is_file:
            return execute(self.place, sql)
        with closing(sqlite3.connect(self.place)) as connection, connection:
            return connection.execute(sql).fetchall()

    def take_everybody_for_dead(self) -> None:
        """Let every process look dead, whether it is or not; with a file: every owner in this process."""
        if self.is_file:
            for file in list(owners._FILES.values()):
                for name in list(file.names):
                    owners.Owner(file, name).leave()
        else:
            self.execute("UPDATE owners SET lease_until = now() - interval '1 second'")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody write while the block lasts."""
        if self.is_file:
            with closing(sqlite3.connect(self.place, isolation_level=None)) as holder:
                holder.execute("BEGIN EXCLUSIVE")
                yield
                holder.execute("COMMIT")
        else:
            with psycopg.connect(self.place) as connection:
                connection.execute("LOCK TABLE metrix_channels.sends IN ACCESS EXCLUSIVE MODE")
                yield

    @contextmanager
    def moved_away(self) -> Iterator[None]:
        """Let the file be missing while the block lasts."""
        path = Path(self.place)
        away = path.rename(path.with_name("away"))
        yield
        away.rename(path)
