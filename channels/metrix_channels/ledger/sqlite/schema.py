"""Creates the tables of a new ledger in SQLite, and checks the version of an existing one."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path

from ...errors import LedgerError
from ...printable import quoted

SCHEMA_VERSION = 4
APPLICATION_ID = 0x4D545258  # "MTRX"


def prepare_schema(connection: sqlite3.Connection, path: Path, identity: str) -> None:
    """Create the tables of a new ledger, or check an existing one.

    Args:
        connection: within a transaction.
        path: of the ledger, for messages.
        identity: of the file; a copy has a different one.

    Raises:
        LedgerError: ledger_corrupt, ledger_newer, ledger_older.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION_ID and not empty:
        raise LedgerError(f"{quoted(str(path))} is a database, but not a ledger.", code="ledger_corrupt")
    if not empty:
        require_version(path, version)
    if empty:
        script = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute("INSERT INTO file VALUES (1, ?)", (identity,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def require_version(path: Path, version: int) -> None:
    """Refuse a ledger with another schema version.

    Raises:
        LedgerError: ledger_newer, ledger_older.
    """
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {quoted(str(path))} has schema version {version}; this metrix-channels uses {SCHEMA_VERSION}.",
            code="ledger_newer" if version > SCHEMA_VERSION else "ledger_older",
        )


def _statements(script: str) -> list[str]:
    """Split a script into statements, because `executescript` would commit the surrounding transaction."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [statement for statement in "\n".join(lines).split(";\n") if statement.strip()]
