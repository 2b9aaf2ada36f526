"""Opens the database that `ledger` in the configuration names."""

from __future__ import annotations

from ..config import Config
from ..errors.extras import missing_extra
from .database import Database
from .sqlite.database import SqliteDatabase


def open_database(config: Config) -> Database:
    """Return the database of the ledger; it opens on first use.

    Raises:
        ConfigError: extra_missing, if the ledger is in PostgreSQL and the driver is not installed.
    """
    if config.ledger_path is not None:
        return SqliteDatabase(config.ledger_path)
    try:
        from .postgres.connection import PostgresDatabase  # on demand: not needed for SQLite ledgers
    except ImportError as error:
        raise missing_extra("A ledger in PostgreSQL needs the extra `postgres`.", "postgres") from error
    return PostgresDatabase(config.ledger)
