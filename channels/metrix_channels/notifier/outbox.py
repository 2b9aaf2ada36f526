"""Messages within a transaction of the caller's own: they are sent if it commits, and never if it does not."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from pathlib import Path
from typing import Any, Final

from ..delivery import Result
from ..errors import ConfigError, LedgerError, UsageError
from ..errors.catalogue import CATALOGUE
from ..ledger.sends.outbox import OutboxBook, OutboxMessage, Steps, enqueue_steps
from ..logs import say
from ..models import Message, OnAmbiguous
from ..outcomes import Outcome, Problem, Receipt
from ..redact import sensitive_values
from .call import Call
from .conclusion import receipts_of
from .engine import Engine
from .prepared import Prepared, entry

_FIRST_AGAIN_SECONDS, _LONGEST_AGAIN_SECONDS = 15.0, 900.0
_SOON_SECONDS: Final = 1.0
"""Seconds in which a worker that cannot send a message stops taking its like."""
_GIVEN_UP_AFTER: Final = timedelta(hours=24)
REFUSALS: Final = frozenset({"credentials_refused", "endpoint_refused", "redirected", "certificate_refused"})
"""What is said to this process, whatever the message: one with another key, address or network may fare better."""


class Outbox:
    """Puts messages into the ledger and, in a worker, sends them.

    Args:
        engine: prepares and delivers them.

    Attributes:
        sends: the messages in the ledger.
        counts: recipients by outcome, and `possible_duplicates` among them, since this process began.
        refusal: what keeps this process from sending anything, as its last messages were told; another process may do
            better. None when nothing does.

    Raises:
        ConfigError: ledger_not_shared.
    """

    def __init__(self, engine: Engine) -> None:
        if not engine.book_file.has_outbox:
            raise ConfigError("Messages that workers send need a ledger in PostgreSQL.", code="ledger_not_shared")
        self._engine = engine
        self.sends: OutboxBook = OutboxBook(engine.book_file)
        self.counts: Counter[str] = Counter()
        self.refusal: Problem | None = None
        self._salt: bytes | None = None

    @property
    def requests(self) -> int:
        """Requests to Metrix that were made for messages since this process began."""
        return self._engine.requests

    async def steps(self, call: Call) -> Steps:
        """Prepare a message, and return the statements that put it into the ledger.

        Raises:
            ChannelUnverified, TemplateError, MessageInvalid: nothing was written.
            LedgerError: the ledger cannot be used.
        """
        prepared = self._engine.prepare(call)
        if self._salt is None:
            self._salt = await self.sends.salt()
        message = prepared.message
        outgoing = {
            "channel": message.metrix_channel,
            "message": dict(message.fields),
            "hidden": [secret.reveal() for secret in prepared.hidden],
        }
        return enqueue_steps(entry(call, prepared, self._engine.app_id), outgoing, self._salt)

    async def receipts(self, send: str) -> tuple[Receipt, ...] | None:
        """Return what became of a message; None as long as that is not known."""
        return await self.sends.receipts(send)

    async def post(self, send: str, tries: int) -> None:
        """Send a message whose turn it is: a worker's job.

        What could not be sent for now goes back and is tried again later, for a day.

        Raises:
            LedgerError: the ledger cannot be used; the sweep frees what is under way.
        """
        try:
            await self._post(send, tries)
        except LedgerError as error:
            if error.code not in ("key_busy", "ledger_corrupt"):
                raise
            say(logging.WARNING, error.message, code=error.code)
            if error.code == "ledger_corrupt":
                await self.sends.defer(send, _pause(tries), tries + 1)
        except Exception as error:  # noqa: BLE001 - one message at fault must not cost this process all others
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            say(logging.ERROR, f"A message ended in {type(error).__name__} at {where}.", code="internal")
            await self.sends.put_back(send, _pause(tries), tries + 1)

    async def _post(self, send: str, tries: int) -> None:
        if self._engine.is_stopped:
            await self.sends.defer(send, 0, tries)
            return
        queued = await self.sends.take(send)
        if queued is None:
            return
        try:
            self._engine.look_again()
            if queued.app_id == self._engine.app_id and not self._engine.refusal(queued.channel):
                results = await self._engine.deliver_from_outbox(queued, _prepared(queued))
                await self._conclude(queued, results, tries)
                return
        except ConfigError as error:
            say(logging.WARNING, error.message, code=error.code)
        # The file changed since the worker looked which messages it can send.
        await self.sends.put_back(send, _SOON_SECONDS, tries)

    async def _conclude(self, queued: OutboxMessage, results: list[Result], tries: int) -> None:
        """Write down what became of a message, and what is to become of the recipients that were not sent to."""
        send, now = queued.claim.id, datetime.now(UTC)

        def receipts(of: Iterable[Result]) -> tuple[Receipt, ...]:
            return (*queued.claim.settled, *receipts_of(of, send, queued.channel, now))

        left = [result for result in results if self._is_open(result)]
        self._count([result for result in results if result not in left])
        why = left[0].problem if left else None
        if why is None:
            await self._engine.finish(send, receipts(results))
            self.refusal = None
            return
        self.refusal = why if why.code in REFUSALS else self.refusal
        following = after(why.code, now - queued.since, tries)
        if following is None:
            self._count(left)
            await self.sends.give_up(send, receipts(results))
            say(logging.WARNING, "A message was given up.", code=why.code)
        else:
            seconds, tried = following
            await self.sends.put_back(send, seconds, tried, receipts(each for each in results if each not in left))
            say(logging.WARNING, f"A message is tried again in {seconds:.0f} s.", code=why.code)

    def _is_open(self, result: Result) -> bool:
        """Tell whether recipients are tried again: they were not sent to, or a doubt may be settled by another try."""
        if result.outcome is Outcome.UNKNOWN:
            return result.halts and self._engine.config.on_ambiguous is OnAmbiguous.RETRY
        return result.outcome is Outcome.NOT_SENT

    def _count(self, results: Iterable[Result]) -> None:
        for result in results:
            self.counts[result.outcome.value] += len(result.recipients)
            self.counts["possible_duplicates"] += len(result.recipients) * result.possible_duplicate


def after(code: str, age: timedelta, tries: int) -> tuple[float, int] | None:
    """Decide what follows a try that did not send a message: a pure function.

    Args:
        code: why it was not sent.
        age: of the message.
        tries: made before that one.

    Returns:
        Seconds until the next try, and the tries made by then; None to give the message up.
    """
    if code == "message_refused":
        return None
    if code == "interrupted" or CATALOGUE[code].exit_status in (2, 3):
        return _SOON_SECONDS, tries  # this process ends, or may not send: nothing was tried
    if code in REFUSALS:
        # Another worker may do better, so that the first refusal decides nothing.
        return None if age >= _GIVEN_UP_AFTER and tries else (_SOON_SECONDS, tries + 1)
    return None if age >= _GIVEN_UP_AFTER else (_pause(tries), tries + 1)


def _pause(tries: int) -> float:
    return min(_FIRST_AGAIN_SECONDS * 2.0 ** min(tries, 10), _LONGEST_AGAIN_SECONDS)


def _prepared(queued: OutboxMessage) -> Prepared:
    said = queued.outgoing
    hidden = tuple(sensitive_values(said["hidden"]))
    return Prepared(queued.recipients, Message(said["channel"], said["message"]), None, hidden)


def carry_out(steps: Steps, connection: Any) -> str:
    """Run the statements on a connection of the caller's; return the message's id.

    Args:
        steps: from `Outbox.steps`.
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
            cursor = connection.execute(sql, values, **_options(connection))
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

    options = _options(connection)

    def through_cursor(sql: str, values: tuple[object, ...]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values, **options)
            return list(cursor.fetchall()) if cursor.description else []

    return through_cursor


def _options(connection: Any) -> dict[str, bool]:
    """Keep psycopg from preparing what it runs often: the connection may be pooled by transactions."""
    return {"prepare": False} if type(connection).__module__.partition(".")[0] == "psycopg" else {}


def _unknown(connection: Any) -> UsageError:
    return UsageError(
        f"A message cannot be put into a {type(connection).__module__}.{type(connection).__qualname__}.",
        code="connection_unknown",
    )
