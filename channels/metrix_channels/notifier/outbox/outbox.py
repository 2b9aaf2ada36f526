"""Messages within the caller's own transaction: they are sent if it commits, and never otherwise."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import frozen

from ...delivery import Result
from ...errors import ConfigError, LedgerError, UsageError, problem
from ...errors.catalogue import CATALOGUE
from ...ledger.sends.outbox import OutboxBook, OutboxMessage, WaitingMessage
from ...ledger.sends.statements import LedgerTables, enqueue_steps, withdraw_steps
from ...logs import say
from ...models import Message, OnAmbiguous
from ...outcomes import Outcome, Problem, Receipt
from ...process import wall_clock
from ...redact import sensitive_values
from ..call import Call, checked_key
from ..conclusion import receipts_of
from ..engine import Engine
from ..prepared import Prepared, entry
from .connections import Statements

_FIRST_AGAIN_SECONDS, _LONGEST_AGAIN_SECONDS = 15.0, 900.0
_SOON_SECONDS: Final = 1.0
"""Within this time, a worker that cannot send a message stops taking similar ones."""
_GIVEN_UP_AFTER: Final = timedelta(hours=24)
_LATEST: Final = timedelta(days=366)
"""How far ahead a message may be due; a later time is probably a mistake in its calculation."""
REFUSALS: Final = frozenset({"credentials_refused", "endpoint_refused", "redirected", "certificate_refused"})
"""Refusals of this process, not of the message: a process with another key, address or network may succeed."""


@frozen
class Drained:
    """The result of `drain`.

    Attributes:
        receipts: receipts of the messages that have an outcome now, in the order in which they were due.
        waiting: messages without an outcome: they are due later, or cannot be sent yet.
        problems: for each due message that cannot be sent yet: its id, and why.
    """

    receipts: tuple[Receipt, ...]
    waiting: tuple[WaitingMessage, ...]
    problems: dict[str, Problem]


class Outbox:
    """Puts messages into the ledger, and sends them in a worker or in `drain`.

    Args:
        engine: prepares and delivers messages.

    Attributes:
        sends: the messages in the ledger.
        counts: recipients by outcome, and `possible_duplicates` among them, since this process began.
        refusal: why the last messages of this process were refused; another process may succeed. None if they were
            not refused.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.sends: OutboxBook = OutboxBook(engine.book_file)
        self.counts: Counter[str] = Counter()
        self.refusal: Problem | None = None
        self._tables: LedgerTables | None = None

    @property
    def requests(self) -> int:
        """Number of requests to Metrix for messages since this process began."""
        return self._engine.requests

    async def enqueue(self, call: Call, at: datetime | None) -> Statements[str]:
        """Prepare a message, and return the statements that put it into the ledger.

        Raises:
            ChannelUnverified, TemplateError, MessageInvalid: nothing was written.
            LedgerError: the ledger cannot be used.
            UsageError: `at` has no time zone, or is too far ahead.
        """
        due = checked_time(at)
        prepared = self._engine.prepare(call)
        tables = await self._known_tables()
        message = prepared.message
        outgoing = {
            "channel": message.metrix_channel,
            "message": dict(message.fields),
            "hidden": [secret.reveal() for secret in prepared.hidden],
        }
        steps = enqueue_steps(entry(call, prepared, self._engine.app_id), outgoing, tables, due)
        return Statements(tables.dialect, steps)

    async def withdraw(self, key: str) -> Statements[bool]:
        """Return the statements that withdraw the message of a key.

        Raises:
            LedgerError: the ledger cannot be used.
            UsageError: the key is not one line of text.
        """
        app_id, checked = self._engine.app_id, checked_key(key)
        tables = await self._known_tables()
        return Statements(tables.dialect, withdraw_steps(app_id, checked, tables))

    async def _known_tables(self) -> LedgerTables:
        if self._tables is None:
            self._tables = await self.sends.tables()
        return self._tables

    async def receipts(self, send: str) -> tuple[Receipt, ...] | None:
        """Return the receipts of a message; None until its outcome is known."""
        return await self.sends.receipts(send)

    async def drain(self) -> Drained:
        """Send the messages of this application that are due, one after the other, in this process.

        Raises:
            ConfigError: this process cannot send.
            LedgerError: the ledger cannot be used.
        """
        self._engine.follow_loop()
        self._engine.look_again()
        app_id = self._engine.app_id
        problems: dict[str, Problem] = {}
        receipts: list[Receipt] = []
        for send in await self.sends.due(app_id):
            if why := await self.post(send, 0):
                problems[send] = why
            receipts += await self.sends.receipts(send) or ()
        return Drained(tuple(receipts), tuple(await self.sends.pending(app_id)), problems)

    async def post(self, send: str, tries: int) -> Problem | None:
        """Send a message that is due.

        If it cannot be sent for now, it goes back to the outbox and is retried for a day.

        Returns:
            Why it could not be sent for now; None if it was sent or given up, or if another process has claimed it.

        Raises:
            LedgerError: the ledger cannot be used; the sweep frees the message.
        """
        try:
            return await self._post(send, tries)
        except LedgerError as error:
            if error.code not in ("key_busy", "ledger_corrupt"):
                raise
            say(logging.WARNING, error.message, code=error.code)
            if error.code == "ledger_corrupt":
                await self.sends.defer(send, _pause(tries), tries + 1)
            return error.problem
        except Exception as error:  # noqa: BLE001 - one faulty message must not stop all others
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            why = problem("internal", f"Sending a message raised {type(error).__name__} at {where}.")
            say(logging.ERROR, why.message, code=why.code)
            await self.sends.put_back(send, _pause(tries), tries + 1)
            return why

    async def _post(self, send: str, tries: int) -> Problem | None:
        if self._engine.is_stopped:
            await self.sends.defer(send, 0, tries)
            return problem("interrupted", "The process was interrupted before it sent the message.")
        queued = await self.sends.take(send)
        if queued is None:
            return None
        try:
            self._engine.look_again()
            why = self._refusal(queued)
            if why is None:
                results = await self._engine.deliver_from_outbox(queued, _restore(queued))
                return await self._conclude(queued, results, tries)
        except ConfigError as error:
            say(logging.WARNING, error.message, code=error.code)
            why = error.problem
        # The file changed after the worker checked which messages it can send; `drain` does not check first.
        await self.sends.put_back(send, _SOON_SECONDS, tries)
        return why

    def _refusal(self, queued: OutboxMessage) -> Problem | None:
        if queued.app_id != self._engine.app_id:
            return problem("message_foreign", f"The message is for the application {queued.app_id}.")
        return self._engine.refusal(queued.channel)

    async def _conclude(self, queued: OutboxMessage, results: list[Result], tries: int) -> Problem | None:
        """Record the outcome of a message, and decide what happens to recipients without one.

        Returns:
            Why these recipients got no message for now; None if there are none, or if they were given up.
        """
        send, now = queued.claim.id, wall_clock.now()

        def receipts(of: Iterable[Result]) -> tuple[Receipt, ...]:
            return (*queued.claim.settled, *receipts_of(of, send, queued.channel, now))

        left = [result for result in results if self._is_open(result)]
        self._count([result for result in results if result not in left])
        why = left[0].problem if left else None
        if why is None:
            await self._engine.finish(send, receipts(results))
            self.refusal = None
            return None
        self.refusal = why if why.code in REFUSALS else self.refusal
        following = decide_retry(why.code, now - queued.since, tries)
        if following is None:
            self._count(left)
            await self.sends.give_up(send, receipts(results))
            say(logging.WARNING, "A message was given up.", code=why.code)
            return None
        seconds, tried = following
        await self.sends.put_back(send, seconds, tried, receipts(each for each in results if each not in left))
        again = f"in {seconds:.0f} s" if self._engine.book_file.is_distributed else "by the next drain"
        say(logging.WARNING, f"The message was not sent for now. It is retried {again}.", code=why.code)
        return why

    def _is_open(self, result: Result) -> bool:
        """Return whether recipients are retried: nothing was sent to them, or another try may resolve a doubt."""
        if result.outcome is Outcome.UNKNOWN:
            return result.halts and self._engine.config.on_ambiguous is OnAmbiguous.RETRY
        return result.outcome is Outcome.NOT_SENT

    def _count(self, results: Iterable[Result]) -> None:
        for result in results:
            self.counts[result.outcome.value] += len(result.recipients)
            self.counts["possible_duplicates"] += len(result.recipients) * result.possible_duplicate


def checked_time(at: datetime | None) -> datetime | None:
    """Return when a message is due, in UTC.

    Raises:
        UsageError: `at` is not a datetime with a time zone, or is more than 366 days ahead.
    """
    if at is None:
        return None
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise UsageError(
            f"`at` is {at!r:.80}, not a datetime with a time zone.",
            code="usage",
            remedy='Write at=datetime(2026, 3, 20, 10, 0, tzinfo=ZoneInfo("Asia/Tehran")).',
        )
    try:
        due, latest = at.astimezone(UTC), wall_clock.now() + _LATEST
    except OverflowError:
        raise UsageError(f"`at` is {at!r:.80}, which is out of range.", code="usage") from None
    if due > latest:
        raise UsageError(
            f"`at` is {at.isoformat()}; a message can be due at most {_LATEST.days} days ahead.",
            code="usage",
            remedy="Check the calculation of the time. If the message is really due later, enqueue it later.",
        )
    return due


def decide_retry(code: str, age: timedelta, tries: int) -> tuple[float, int] | None:
    """Decide when to retry a message that was not sent. This is a pure function.

    Args:
        code: why it was not sent.
        age: the age of the message.
        tries: number of tries before this one.

    Returns:
        Seconds until the next try, and the number of tries by then; None to give up.
    """
    if code == "message_refused":
        return None
    if code == "interrupted" or CATALOGUE[code].exit_status in (2, 3):
        return _SOON_SECONDS, tries  # nothing was tried, because this process ends or may not send
    if code in REFUSALS:
        # Another worker may succeed, so the first refusal does not give the message up.
        return None if age >= _GIVEN_UP_AFTER and tries else (_SOON_SECONDS, tries + 1)
    return None if age >= _GIVEN_UP_AFTER else (_pause(tries), tries + 1)


def _pause(tries: int) -> float:
    return min(_FIRST_AGAIN_SECONDS * 2.0 ** min(tries, 10), _LONGEST_AGAIN_SECONDS)


def _restore(queued: OutboxMessage) -> Prepared:
    said = queued.outgoing
    hidden = tuple(sensitive_values(said["hidden"]))
    return Prepared(queued.recipients, Message(said["channel"], said["message"]), None, hidden)
