"""Messages within a transaction of the caller's own: they are sent if it commits, and never if it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigError, UsageError
from ..ledger.queued import Queued, QueuedSends, Steps, enqueueing
from ..logs import say
from ..models import Message
from ..outcomes import Outcome, Receipt
from ..redact import sensitive_values
from .prepared import Call, Prepared, entry

if TYPE_CHECKING:
    from .engine import Engine

_FIRST_AGAIN, _LONGEST_AGAIN = 15.0, 900.0
_GIVEN_UP_AFTER: Final = timedelta(hours=24)


class Queueing:
    """Puts messages into the ledger and, in a worker, sends them.

    Args:
        engine: prepares and delivers them.

    Raises:
        ConfigError: ledger_not_shared.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.config.ledger_path is not None:
            raise ConfigError("Messages that workers send need a ledger in PostgreSQL.", code="ledger_not_shared")
        self._engine = engine
        self._sends = QueuedSends(engine.book_file)
        self._salt: bytes | None = None

    async def steps(self, call: Call) -> Steps:
        """Prepare a message, and return the statements that put it into the ledger.

        Raises:
            ChannelUnverified, TemplateError, MessageInvalid: nothing was written.
            LedgerError: the ledger cannot be used.
        """
        prepared = self._engine.prepare(call)
        if self._salt is None:
            self._salt = await self._sends.salt()
        message = prepared.message
        outgoing = {
            "channel": message.metrix_channel,
            "message": dict(message.fields),
            "hidden": [secret.reveal() for secret in prepared.hidden],
        }
        return enqueueing(entry(call, prepared, self._engine.app_id), outgoing, self._salt)

    async def receipts(self, send: str) -> tuple[Receipt, ...] | None:
        """Return what became of a message; None as long as that is not known."""
        return await self._sends.receipts(send)

    async def post(self, send: str, tries: int) -> None:
        """Send a message whose turn it is: a worker's job.

        What could not be sent for now is tried again later, for a day.
        """
        queued = await self._sends.take(send)
        if queued is None:
            return
        receipts = await self._engine.deliver_queued(queued, _prepared(queued))
        open_again = [each for each in receipts if each.outcome is Outcome.NOT_SENT]
        if not open_again:
            await self._sends.forget(send)
        elif datetime.now(UTC) - queued.since < _GIVEN_UP_AFTER:
            wait = min(_FIRST_AGAIN * 2**tries, _LONGEST_AGAIN)
            await self._sends.again(send, wait, tries + 1)
            why = open_again[0].error
            say(logging.WARNING, f"A message is tried again in {wait:.0f} s.", code=why.code if why else None)


def _prepared(queued: Queued) -> Prepared:
    said = queued.outgoing
    hidden = tuple(sensitive_values(said["hidden"]))
    return Prepared(queued.recipients, Message(said["channel"], said["message"]), None, hidden)


def carry_out(steps: Steps, connection: Any) -> str:
    """Run the statements on a connection of the caller's; return the message's id.

    Args:
        steps: from `Queueing.steps`.
        connection: of Django, SQLAlchemy (a session, too), psycopg, or any DB-API driver whose values are `%s`.

    Raises:
        UsageError: connection_unknown.
        LedgerError: key_reused, ledger_foreign.
    """
    run = _runner(connection)
    found: list[Any] | None = None
    try:
        while True:
            sql, values = steps.send(found) if found is not None else next(steps)
            found = run(sql, values)
    except StopIteration as end:
        return str(end.value)


async def carry_out_async(steps: Steps, connection: Any) -> str:
    """The same on a connection of an event loop: psycopg's, or SQLAlchemy's."""
    if hasattr(connection, "run_sync"):
        return str(await connection.run_sync(lambda inner: carry_out(steps, inner)))
    found: list[Any] | None = None
    try:
        while True:
            sql, values = steps.send(found) if found is not None else next(steps)
            cursor = connection.execute(sql, values)
            if not isawaitable(cursor):
                raise _unknown(connection)
            cursor = await cursor
            found = await cursor.fetchall() if cursor.description else []
    except StopIteration as end:
        return str(end.value)


def is_asynchronous(connection: Any) -> bool:
    """Tell whether a connection is to be awaited."""
    return hasattr(connection, "run_sync") or type(connection).__name__.startswith("Async")


def _runner(connection: Any) -> Callable[[str, tuple[object, ...]], list[Any]]:
    if hasattr(connection, "exec_driver_sql") or callable(getattr(connection, "connection", None)):
        inner = connection if hasattr(connection, "exec_driver_sql") else connection.connection()

        def through_sqlalchemy(sql: str, values: tuple[object, ...]) -> list[Any]:
            result = inner.exec_driver_sql(sql, values)
            return list(result.fetchall()) if result.returns_rows else []

        return through_sqlalchemy
    if not hasattr(connection, "cursor"):
        raise _unknown(connection)

    def through_cursor(sql: str, values: tuple[object, ...]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    return through_cursor


def _unknown(connection: Any) -> UsageError:
    return UsageError(
        f"A message cannot be put into a {type(connection).__module__}.{type(connection).__qualname__}.",
        code="connection_unknown",
    )
