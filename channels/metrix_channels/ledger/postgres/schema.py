"""Creates and migrates the tables of a ledger in PostgreSQL; the first process does it once."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import psycopg
from procrastinate.schema import SchemaManager, migrations_path

from ...errors import LedgerError
from .connecting import SCHEMA
from .errors import filled
from .url import label_of

VERSION: Final = 3
_OLDEST: Final = 2
"""Older schemas belong to versions that were never released."""


def prepare_schema(connection: psycopg.Connection[Any], url: str) -> None:
    """Create the tables or migrate them to this version; concurrent processes wait for the first one.

    Args:
        connection: with the session settings, outside any transaction.
        url: of the database, for messages.

    Raises:
        LedgerError: ledger_newer, ledger_older, ledger_denied, ledger_schema_foreign; ledger_unavailable, if the
            database is not UTF-8.
        psycopg.Error: the role lacks a right, or the database cannot be used.
    """
    if _found(connection, url) == (VERSION, _last_migration()):
        return
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '60s'")  # the first process does all of it
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{SCHEMA} schema",))
        version, procrastinate = _found(connection, url)
        if version > VERSION:
            raise LedgerError(
                f"The ledger {label_of(url)} has schema version {version}; this metrix-channels uses {VERSION}.",
                code="ledger_newer",
            )
        if 0 < version < _OLDEST:
            raise LedgerError(
                f"The ledger {label_of(url)} has schema version {version}; this metrix-channels uses {VERSION}.",
                code="ledger_older",
            )
        if version == 0:
            _require_utf8(connection, url)
            _make_schema(connection, url)
            connection.execute("CREATE TABLE meta (version INT NOT NULL, procrastinate TEXT NOT NULL)")
            connection.execute("INSERT INTO meta VALUES (0, '')")
        for number in range(max(version + 1, _OLDEST), VERSION + 1):
            _run(connection, files(__package__).joinpath(f"{number:03}.sql").read_text("utf-8"))
        _migrate_procrastinate(connection, procrastinate)
        connection.execute(
            "UPDATE meta SET version = %s, procrastinate = %s", (VERSION, max(_last_migration(), procrastinate))
        )


def has_schema(connection: psycopg.Connection[Any], url: str) -> bool:
    """Tell whether the tables exist.

    Raises:
        LedgerError: ledger_schema_foreign.
        psycopg.Error: the database cannot be used.
    """
    return _found(connection, url)[0] > 0


def _found(connection: psycopg.Connection[Any], url: str) -> tuple[int, str]:
    # Not with to_regclass, which caches a missing table even after another process has created it.
    tables = connection.execute(
        "SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = %s AND relname = 'meta'",
        (SCHEMA,),
    )
    if not tables.fetchall():
        return 0, ""
    columns = connection.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", (f"{SCHEMA}.meta",)
    )
    if not {"version", "procrastinate"} <= {name for (name,) in columns}:
        raise _foreign(connection, url)
    rows = connection.execute(
        f"SELECT version, procrastinate FROM {SCHEMA}.meta"  # noqa: S608 - a constant
    ).fetchall()
    if len(rows) != 1:
        raise _foreign(connection, url)
    return int(rows[0][0]), str(rows[0][1])


def _require_utf8(connection: psycopg.Connection[Any], url: str) -> None:
    [(encoding,)] = connection.execute("SHOW server_encoding").fetchall()
    if encoding != "UTF8":
        raise LedgerError(
            f"The database {label_of(url)} stores text as {encoding}; a ledger needs UTF8.",
            code="ledger_unavailable",
            remedy="Create another database and write its name in `ledger`:"
            " CREATE DATABASE ledger ENCODING 'UTF8' TEMPLATE template0;",
        )


def _make_schema(connection: psycopg.Connection[Any], url: str) -> None:
    """Create the schema, or use an empty one that an administrator created for this role."""
    [(exists, may_create)] = connection.execute(
        "SELECT to_regnamespace(%s) IS NOT NULL, has_schema_privilege(to_regnamespace(%s)::oid, 'CREATE')",
        (SCHEMA, SCHEMA),
    ).fetchall()
    if not exists:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        return
    if _objects(connection):
        raise _foreign(connection, url)
    if not may_create:
        raise LedgerError(
            f"The role may not create tables in the schema {SCHEMA} of {label_of(url)}.",
            code="ledger_denied",
            remedy=filled(f"As the schema's owner, run: GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {{role}};", url),
        )


def _objects(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the names of the objects in the schema."""
    rows = connection.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(%(schema)s)::oid UNION"
        " SELECT proname::text FROM pg_proc WHERE pronamespace = to_regnamespace(%(schema)s)::oid UNION"
        " SELECT typname::text FROM pg_type WHERE typnamespace = to_regnamespace(%(schema)s)::oid ORDER BY 1",
        {"schema": SCHEMA},
    )
    return [name for (name,) in rows]


def _foreign(connection: psycopg.Connection[Any], url: str) -> LedgerError:
    [(owner,)] = connection.execute(
        "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
    ).fetchall()
    things = [name for name in _objects(connection) if not name.startswith("_")]
    shown = ", ".join(things[:3]) + (" …" if len(things) > 3 else "")
    return LedgerError(
        f"The schema {SCHEMA} of {label_of(url)}, owned by the role {owner!r}, contains objects that do not"
        f" belong to a ledger: {shown}.",
        code="ledger_schema_foreign",
        remedy="Write the name of another database in `ledger`, or rename that schema:"
        f" ALTER SCHEMA {SCHEMA} RENAME TO old;",
    )


def _migrate_procrastinate(connection: psycopg.Connection[Any], last: str) -> None:
    """Migrate the tables of the job queue with the migrations of the installed Procrastinate."""
    if not last:
        _run(connection, SchemaManager.get_schema())
        # For finding the remaining jobs of a run among those of all runs.
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
