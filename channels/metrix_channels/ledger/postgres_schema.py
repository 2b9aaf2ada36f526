"""The tables of a ledger in PostgreSQL, and how a newer version changes them: once, whoever comes first."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import psycopg
from procrastinate.schema import SchemaManager, migrations_path

from ..errors import LedgerError

SCHEMA: Final = "metrix_channels"
"""Where the ledger's tables lie, beside whatever else is in the database."""
VERSION: Final = 1


def prepare_schema(connection: psycopg.Connection[Any], label: str) -> None:
    """Make the tables, or bring them up to this version; processes that come together wait for one of them.

    Raises:
        LedgerError: ledger_newer; ledger_unavailable, when the database does not hold UTF-8.
        psycopg.Error: it may not be done, or the database cannot be used.
    """
    if _found(connection) == (VERSION, _last_migration()):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{SCHEMA} schema",))
        version, procrastinate = _found(connection)
        if version > VERSION:
            raise LedgerError(
                f"The ledger {label} has schema {version}; this version knows {VERSION}.", code="ledger_newer"
            )
        [(encoding,)] = connection.execute("SHOW server_encoding").fetchall()
        if encoding != "UTF8":
            raise LedgerError(
                f"The database {label} holds text as {encoding}; a ledger needs UTF8.", code="ledger_unavailable"
            )
        if version == 0:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            connection.execute("CREATE TABLE meta (version INT NOT NULL, procrastinate TEXT NOT NULL)")
            connection.execute("INSERT INTO meta VALUES (0, '')")
        connection.execute(f"SET LOCAL search_path = {SCHEMA}")
        for number in range(version + 1, VERSION + 1):
            _run(connection, files(__package__).joinpath("postgresql", f"{number:03}.sql").read_text("utf-8"))
        _migrate_procrastinate(connection, procrastinate)
        connection.execute(
            "UPDATE meta SET version = %s, procrastinate = %s", (VERSION, max(_last_migration(), procrastinate))
        )


def _found(connection: psycopg.Connection[Any]) -> tuple[int, str]:
    [(table,)] = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.meta",)).fetchall()
    if table is None:
        return 0, ""
    [(version, procrastinate)] = connection.execute(
        f"SELECT version, procrastinate FROM {SCHEMA}.meta"  # noqa: S608 - a constant
    ).fetchall()
    return int(version), str(procrastinate)


def _migrate_procrastinate(connection: psycopg.Connection[Any], last: str) -> None:
    """Bring the tables of the job queue up to the installed version, which carries its own migrations."""
    if not last:
        _run(connection, SchemaManager.get_schema())
        # To tell whether a run has any job left, among those of all others.
        _run(connection, "CREATE INDEX jobs_by_run ON procrastinate_jobs ((args->>'run')) WHERE status = 'todo'")
        return
    for name in _migrations():
        if name > last:
            _run(connection, (migrations_path / name).read_text("utf-8"))


def _migrations() -> list[str]:
    return sorted(path.name for path in migrations_path.glob("*.sql"))


def _last_migration() -> str:
    return _migrations()[-1]


def _run(connection: psycopg.Connection[Any], script: str) -> None:
    connection.execute(script)
