"""Runs the statements of the outbox on the caller's own connection, within its transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from inspect import isawaitable
from typing import Any, Generic, TypeVar

from attrs import frozen

from ...errors import UsageError
from ...ledger.sends.statements import IN_A_FILE, ON_POSTGRES, Steps, foreign

T = TypeVar("T")
Run = Callable[[str, tuple[object, ...]], list[Any]]
"""Runs a statement with placeholders `%s`, and returns its rows as tuples."""


@frozen
class Statements(Generic[T]):
    """Statements to run on a connection.

    Attributes:
        dialect: the SQL dialect of the statements, which the connection must have.
        steps: the statements.
    """

    dialect: str
    steps: Steps[T]


def carry_out(statements: Statements[T], connection: Any) -> T:
    """Run statements on a connection, and return their result.

    Args:
        statements: from the outbox.
        connection: of Django, SQLAlchemy (or a session), psycopg, sqlite3, or any DB-API driver for PostgreSQL with
            placeholders `%s`.

    Raises:
        UsageError: connection_unknown.
        LedgerError: key_reused, ledger_foreign.
    """
    dialect, run = _open(connection)
    if dialect != statements.dialect:
        raise foreign()
    found: list[Any] | None = None
    try:
        while True:
            sql, values = statements.steps.send(found) if found is not None else next(statements.steps)
            found = run(sql, values)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def carry_out_async(statements: Statements[T], connection: Any) -> T:
    """Run statements on a synchronous connection, or on an asynchronous one of psycopg or SQLAlchemy."""
    if hasattr(connection, "run_sync"):
        return await connection.run_sync(lambda inner: carry_out(statements, inner))  # type: ignore[no-any-return]
    if not type(connection).__name__.startswith("Async"):
        return carry_out(statements, connection)
    if statements.dialect != ON_POSTGRES:
        raise foreign()
    found: list[Any] | None = None
    try:
        while True:
            sql, values = statements.steps.send(found) if found is not None else next(statements.steps)
            found = await _run_awaited(connection, sql, values)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def _run_awaited(connection: Any, sql: str, values: tuple[object, ...]) -> list[Any]:
    cursor = connection.cursor(**_rows_as_tuples(connection))
    executed = cursor.execute(sql, values, **_unprepared(connection))
    if not isawaitable(executed):
        raise _unknown_error(connection)
    await executed
    rows = await cursor.fetchall() if cursor.description else []
    await cursor.close()
    return list(rows)


def _open(connection: Any) -> tuple[str, Run]:
    """Return the dialect of a connection, and a function that runs a statement on it."""
    if isinstance(connection, sqlite3.Connection):
        return IN_A_FILE, lambda sql, values: _run_in_a_file(connection, sql, values)
    if isinstance(vendor := getattr(connection, "vendor", None), str):  # Django's
        return vendor, lambda sql, values: _run_with(connection.cursor(), sql, values)
    if hasattr(connection, "exec_driver_sql"):
        return _open_sqlalchemy(connection)
    if callable(getattr(connection, "connection", None)):  # a session of SQLAlchemy
        return _open_sqlalchemy(connection.connection())
    if not hasattr(connection, "cursor"):
        raise _unknown_error(connection)
    rows, options = _rows_as_tuples(connection), _unprepared(connection)
    return ON_POSTGRES, lambda sql, values: _run_with(connection.cursor(**rows), sql, values, **options)


def _open_sqlalchemy(connection: Any) -> tuple[str, Run]:
    style = connection.dialect.paramstyle
    if style not in ("qmark", "format", "pyformat"):
        raise _unknown_error(connection)

    def run(sql: str, values: tuple[object, ...]) -> list[Any]:
        result = connection.exec_driver_sql(sql.replace("%s", "?") if style == "qmark" else sql, values)
        return list(result.fetchall()) if result.returns_rows else []

    return str(connection.dialect.name), run


def _run_in_a_file(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> list[Any]:
    cursor = connection.cursor()
    cursor.row_factory = None
    return _run_with(cursor, sql.replace("%s", "?"), values)


def _run_with(cursor: Any, sql: str, values: tuple[object, ...], **options: bool) -> list[Any]:
    with closing(cursor):
        cursor.execute(sql, values, **options)
        return list(cursor.fetchall()) if cursor.description else []


def _unprepared(connection: Any) -> dict[str, bool]:
    """Tell psycopg not to prepare statements, because a pooler may share the connection between transactions."""
    return {"prepare": False} if _is_psycopg(connection) else {}


def _rows_as_tuples(connection: Any) -> dict[str, Any]:
    if not _is_psycopg(connection):
        return {}
    from psycopg.rows import tuple_row  # an extra, which a program with such a connection has installed

    return {"row_factory": tuple_row}


def _is_psycopg(connection: Any) -> bool:
    return type(connection).__module__.partition(".")[0] == "psycopg"


def _unknown_error(connection: Any) -> UsageError:
    return UsageError(
        f"The connection is a {type(connection).__module__}.{type(connection).__qualname__}, which is not supported.",
        code="connection_unknown",
    )
