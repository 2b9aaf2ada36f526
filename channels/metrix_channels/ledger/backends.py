"""From the configuration's `ledger` to the database that it names."""

from __future__ import annotations

from ..config import Config
from ..errors.extras import missing_extra
from .database import Database
from .sqlite.database import SqliteDatabase


def open_database(config: Config) -> Database:
    """Return the ledger's database, which opens at the first use.

    Raises:
        ConfigError: extra_missing, when the ledger is in PostgreSQL and the driver is not installed.
    """
    if config.ledger_path is not None:
        return SqliteDatabase(config.ledger_path)
    try:
        from .postgres.connection import PostgresDatabase  # on demand: most ledgers are files
    except ImportError as error:
        raise missing_extra("A ledger in PostgreSQL needs the extra `postgres`.", "postgres") from error
    return PostgresDatabase(config.ledger)
