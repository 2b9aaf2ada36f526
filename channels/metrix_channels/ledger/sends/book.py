"""The book of single sends: claims and outcomes by key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from attrs import evolve

from ...delivery import GRACE_SECONDS, Disposition, wait_at_most
from ...errors import LedgerError
from ...outcomes import Outcome, Receipt, iso_utc
from ...process import wall_clock
from ..checksums import checksum, salt_of
from ..database import PASSING, Connection, Database, Question, always
from .records import Busy, Claim, Claimed, Entry, Finished, KeyUsed, dump_receipts, dump_recipients, load_receipts
from .rows import (
    Row,
    conclude,
    concluded,
    is_outgoing,
    past_attempts,
    require_row,
    reused,
    row_of,
    row_or_none,
    store,
)


class SendBook:
    """Sends and their attempts in one ledger.

    Args:
        database: the ledger's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Opened sends whose row is not known to be in the ledger, and those whose caller left while it was written.
        self._unwritten: dict[str, Entry] = {}
        self._left: set[str] = set()
        # Rows as this process wrote them with an intent, until their outcome.
        self._written: dict[str, Row] = {}

    def open(self, entry: Entry) -> Claimed:
        """Start a send whose row is written with its first intent, which saves a transaction.

        The transaction of the intent also checks that the key is new; `intend` and `finish` raise `KeyUsed` otherwise.
        """
        self._unwritten[entry.id] = entry
        return Claimed(entry.id)

    async def claim(self, entry: Entry) -> Claim:
        """Claim a send; of all calls with one key, at most one has the claim at any time.

        Returns:
            Claimed: send it, continuing earlier calls. Finished: it has been sent. Busy: call again.

        Raises:
            LedgerError: key_reused, if the key was used for different content; or the ledger cannot be used.
        """
        is_wanted = True

        def work(connection: Connection) -> Claim:
            return self._claim(connection, entry)

        asked = asyncio.ensure_future(self._database.transact(work, together=True, is_wanted=lambda: is_wanted))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            is_wanted = False
            # A started transaction continues, and nobody would release its claim.
            with suppress(TimeoutError, LedgerError):
                await wait_at_most(GRACE_SECONDS, self._give_back(asked))
            raise

    async def _give_back(self, asked: Awaitable[Claim]) -> None:
        claim = await asked
        if isinstance(claim, Claimed):
            await self.abandon(claim.id)

    async def intend(self, send: str, recipients: Sequence[str]) -> int:
        """Write the intent of a request to disk and return the number of the attempt.

        Raises:
            KeyUsed: the send was opened, not claimed, and its key is not new; nothing was written.
            LedgerError: key_busy, if another process took over the send, or may have, so that the request must not
                leave; or the ledger cannot be used.
        """
        is_wanted = True

        def work(connection: Connection) -> _Intent | None:
            is_first = send in self._unwritten
            try:
                row = self._own(connection, send)
            except KeyUsed:
                return None  # an error would make the others repeat their work
            if not is_wanted:  # the caller stopped waiting before the ledger was available
                raise LedgerError(
                    "The deadline passed before the ledger could record the request.", code="deadline_passed"
                )
            named = dump_recipients(recipients)
            number = connection.insert(
                "INSERT INTO attempts (send, recipients, began_at, checksum) VALUES (?, ?, ?, ?)",
                (send, named, _now(), checksum((send, named, None))),
            )
            return _Intent(number, row, is_first)

        def left(intent: _Intent | None, error: BaseException | None) -> None:
            if intent is not None:
                self._forget(send, intent)

        try:
            intent = await self._database.transact(work, together=True, is_wanted=lambda: is_wanted, left=left)
        except asyncio.CancelledError:
            is_wanted = False
            if send in self._unwritten:
                self._left.add(send)
            raise
        if intent is None:
            raise KeyUsed
        self._unwritten.pop(send, None)
        self._written[send] = intent.row
        if not self._database.holds(str(intent.row["owner"])):
            # This process may have been frozen, and another one may be sending now.
            raise _taken_up()
        return intent.number

    def withdraw(self, attempt: int) -> None:
        """Withdraw an attempt that was not sent, with the next transaction."""
        self._database.defer(lambda connection: connection.execute("DELETE FROM attempts WHERE id = ?", (attempt,)))

    def _forget(self, send: str, intent: _Intent) -> None:
        """Withdraw an intent whose caller was cancelled during the commit; one that was abandoned leaves nothing."""
        self.withdraw(intent.number)
        if intent.is_first and self._unwritten.pop(send, None) is None:  # it was abandoned during the commit
            self._database.defer(partial(_remove, send=send, owner=str(intent.row["owner"])))

    async def settle(
        self,
        send: str,
        attempt: int,
        recipients: Sequence[str],
        *,
        disposition: str,
        status: int | None,
        explanation: str,
        answer: str | None,
    ) -> None:
        """Record the result of an attempt.

        An acceptance may be written together with what follows: the next intent or the receipt.

        Args:
            send: its id.
            attempt: its number.
            recipients: of its intent.
            disposition: what the result means.
            status: the HTTP status; None without an answer.
            explanation: the disposition in words.
            answer: the body of the answer; None without an answer.
        """

        def work(connection: Connection) -> None:
            named = dump_recipients(recipients)
            expected = checksum((send, named, disposition))
            changed = connection.execute(
                "UPDATE attempts SET ended_at = ?, disposition = ?, status = ?, explanation = ?, answer = ?,"
                " checksum = ? WHERE id = ? AND send = ? AND recipients = ? AND (disposition IS NULL OR checksum = ?)",
                (_now(), disposition, status, explanation, answer, expected, attempt, send, named, expected),
            )
            if not changed.rowcount:
                raise LedgerError(
                    "An attempt disappeared from the ledger, or changed, while its request was in flight.",
                    code="ledger_corrupt",
                )

        if disposition == Disposition.ACCEPTED:
            self._database.defer(work)
        else:
            await self._database.transact(work, together=True)

    async def finish(self, send: str, receipts: Sequence[Receipt], is_wanted: Question = always) -> None:
        """Record the outcome, and release the recipients that were not sent to, for the next call with the key.

        An outbox message keeps waiting for the recipients that were not sent to.

        Args:
            send: its id.
            receipts: its outcome.
            is_wanted: as for `Database.transact`.

        Raises:
            KeyUsed: the send was opened, not claimed, and its key is not new; nothing was written.
            LedgerError: it could not be written; this process keeps trying to write it.
        """

        def work(connection: Connection) -> None:
            written = self._written.get(send)
            if written is not None and self._conclude(connection, written, receipts):
                return
            row = self._own(connection, send)
            not_sent = any(receipt.outcome is Outcome.NOT_SENT for receipt in receipts)
            if not_sent and is_outgoing(connection, send):
                store(connection, row | {"owner": None, "receipts": dump_receipts(receipts)})
            else:
                store(connection, concluded(row, receipts))

        await self._write_final(send, work, is_wanted)

    def _conclude(self, connection: Connection, row: Row, receipts: Sequence[Receipt]) -> bool:
        """Write the outcome of a send that was sent to all, without reading what this process wrote before.

        Returns:
            False if nothing was written: somebody was not sent to, or the send has another owner.
        """
        if row["owner"] != self._database.owner or any(receipt.outcome is Outcome.NOT_SENT for receipt in receipts):
            return False
        connection.lock(f"send {row['id']!s}")
        return conclude(connection, row, receipts)

    async def abandon(self, send: str) -> None:
        """Release an unfinished send; the next call with its key continues it.

        Raises:
            LedgerError: as `finish`.
        """
        if self._unwritten.pop(send, None) is None:
            await self._write_final(
                send, lambda connection: store(connection, self._own(connection, send) | {"owner": None})
            )
        elif send in self._left:  # the commit of its first intent may be in progress
            await self._write_final(send, lambda connection: _remove(connection, send, self._database.owner))

    async def check_writable(self) -> None:
        """Open the ledger and write to it, as a send does.

        Raises:
            LedgerError: the ledger cannot be used.
        """

        def work(connection: Connection) -> None:
            connection.execute("UPDATE rate_limits SET next = next")
            _ = self._database.owner  # raises ledger_copied for a copy

        await self._database.transact(work)

    async def _write_final(self, send: str, work: Callable[[Connection], None], is_wanted: Question = always) -> None:
        """Write the final state of a send; if that fails for now, defer it to the next transaction."""

        def end(result: None, error: BaseException | None) -> None:
            if isinstance(error, LedgerError) and error.code in PASSING and send not in self._unwritten:
                self._database.defer(partial(_unless_taken_over, work))
            self._unwritten.pop(send, None)
            self._written.pop(send, None)
            self._left.discard(send)

        try:
            await self._database.transact(work, together=True, is_wanted=is_wanted, left=end)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            end(None, error)
            raise
        end(None, None)

    def _own(self, connection: Connection, send: str) -> Row:
        """Return the row of a send that this process works on.

        If the process has lost its lock, for example while it exits, others consider it dead and take over its sends.
        It must not continue then.
        """
        if entry := self._unwritten.get(send):
            if _is_key_used(connection, entry):
                raise KeyUsed
            return self._insert(connection, entry)  # no other process knows it yet
        connection.lock(f"send {send}")
        row = require_row(connection, "id = ?", (send,))
        if row["owner"] != self._database.owner:
            raise _taken_up()
        return row

    def _claim(self, connection: Connection, entry: Entry) -> Claim:
        connection.lock(f"key {entry.app_id} {entry.key}")
        where, values = _by_key(entry)
        found = row_or_none(connection, where, values)
        if found is not None:
            connection.lock(f"send {found['id']!s}")
            found = row_or_none(connection, where, values)  # read again: its owner may have just written
        if found is None:
            self._insert(connection, entry)
            return Claimed(entry.id)
        expected, created_at = found["fingerprint"], str(found["created_at"])
        if not isinstance(expected, bytes) or not entry.has_fingerprint(expected, created_at, salt_of(connection)):
            raise reused(entry, created_at)
        if found["state"] == "settled":
            return Finished(_with_recipients(load_receipts(str(found["receipts"])), entry))
        if is_outgoing(connection, str(found["id"])):
            return Busy()  # the outbox sends it
        return claim_row(self._database, connection, found)

    def _insert(self, connection: Connection, entry: Entry) -> Row:
        salt = b"" if entry.key is None else salt_of(connection)
        row = row_of(entry, salt, self._database.owner)
        store(connection, row)
        return row


class _Intent(NamedTuple):
    """What was written before a request.

    Attributes:
        number: of the attempt.
        row: of the send.
        is_first: whether the send was written with it.
    """

    number: int
    row: Row
    is_first: bool


def _is_key_used(connection: Connection, entry: Entry) -> bool:
    """Tell whether another send has the key of a new one; no other transaction can write it until this one ends."""
    if entry.key is None:
        return False
    connection.lock(f"key {entry.app_id} {entry.key}")
    found = row_or_none(connection, *_by_key(entry))
    return found is not None and found["id"] != entry.id  # its own, if its caller left during the commit of its intent


def _remove(connection: Connection, send: str, owner: str) -> None:
    """Remove a send whose only intent was withdrawn, unless its outcome is known."""
    own = (send, owner)
    connection.execute("DELETE FROM attempts WHERE send = (SELECT id FROM sends WHERE id = ? AND owner = ?)", own)
    connection.execute("DELETE FROM sends WHERE id = ? AND owner = ?", own)


def _by_key(entry: Entry) -> tuple[str, tuple[str, ...]]:
    return "app_id = ? AND key = ?", (entry.app_id, str(entry.key))


def claim_row(database: Database, connection: Connection, row: Row) -> Claimed | Busy:
    """Claim a send without an outcome, unless a live process works on it; the caller holds its lock."""
    if row["owner"] is not None and database.is_alive(connection, str(row["owner"])):
        return Busy()
    store(connection, row | {"owner": database.owner})
    send = str(row["id"])
    receipts = load_receipts(str(row["receipts"])) if row["receipts"] is not None else ()
    settled = tuple(receipt for receipt in receipts if receipt.outcome is not Outcome.NOT_SENT)
    return Claimed(send, past_attempts(connection, send), settled)


def _with_recipients(receipts: tuple[Receipt, ...], entry: Entry) -> tuple[Receipt, ...]:
    """Restore purged recipients from the entry that the caller has just passed."""
    if len(receipts) == 1 and set(receipts[0].recipients) != set(entry.recipients):
        return (evolve(receipts[0], recipients=entry.recipients),)
    return receipts


def _taken_up() -> LedgerError:
    return LedgerError(
        "This process did not respond in time, and another process took over this send.", code="key_busy"
    )


def _unless_taken_over(work: Callable[[Connection], None], connection: Connection) -> None:
    """Write a late outcome, unless another process has taken over the send."""
    try:
        work(connection)
    except LedgerError as error:
        if error.code != "key_busy":
            raise


def _now() -> str:
    return iso_utc(wall_clock.now())
