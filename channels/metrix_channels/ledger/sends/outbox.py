"""The outbox: messages that a caller enqueues in its own transaction and that are sent afterwards.

On PostgreSQL, workers send them. In a file ledger, they wait until a process calls `drain`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from attrs import frozen

from ...errors import LedgerError
from ...outcomes import Receipt, iso_utc
from ..checksums import salt_of
from ..database import Connection
from ..postgres.jobs import JOBS_AT_ONCE, defer_missing_posts, defer_post, queues_of
from .book import SendBook, claim_row
from .records import Claimed, dump_receipts, load_receipts
from .rows import concluded, is_outgoing, row_or_none, store
from .statements import IN_A_FILE, ON_POSTGRES, LedgerTables

_SOON_SECONDS: Final = 1.0
"""Seconds until a worker retries a message that an open transaction may withdraw."""


@frozen
class OutboxMessage:
    """A due message.

    Attributes:
        claim: of this process, with the results of earlier tries.
        app_id: of the application that sends it.
        channel: its name in the configuration.
        recipients: customUserIds.
        outgoing: the message, as passed to `enqueue_steps`.
        since: when it was enqueued, or when it was due, if that was later.
    """

    claim: Claimed
    app_id: str
    channel: str
    recipients: tuple[str, ...]
    outgoing: dict[str, Any]
    since: datetime


@frozen
class Waiting:
    """Due messages of one application and channel that no worker has claimed.

    Attributes:
        app_id: of the application.
        channel: its name in the configuration.
        seconds: since the oldest of them was enqueued or due.
    """

    app_id: str
    channel: str
    seconds: float


@frozen
class WaitingMessage:
    """A message without an outcome.

    Attributes:
        message: its id, from `enqueue`.
        key: its key; None if it has none.
        channel: its name in the configuration.
        recipients: customUserIds.
        at: when it is due; None for at once.
    """

    message: str
    key: str | None
    channel: str
    recipients: tuple[str, ...]
    at: datetime | None


class OutboxBook(SendBook):
    """The outbox of one ledger: messages that wait for a worker or for `drain`.

    Args:
        database: of the ledger.
    """

    async def tables(self) -> LedgerTables:
        """Create the ledger's tables if necessary, and return where the caller's statements find them.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        file = self._database.file
        if file is None:
            return LedgerTables(ON_POSTGRES, await self._database.transact(salt_of), None)
        # Open only a new file, because the caller's transaction may already hold the lock of an existing one.
        if not file.exists() or file.stat().st_size == 0:
            await self._database.transact(salt_of)
        return LedgerTables(IN_A_FILE, None, file)

    async def take(self, send: str) -> OutboxMessage | None:
        """Claim a message; None if it is not due, has an outcome, or another process sends it."""

        def work(connection: Connection) -> OutboxMessage | None:
            connection.lock(f"send {send}")
            if not connection.lock_row("sends", send):  # a transaction of the application may be withdrawing it
                self._defer(connection, send, _SOON_SECONDS, 0)
                return None
            row = row_or_none(connection, "id = ?", (send,))
            if row is None or row["state"] == "settled":
                return None
            [(outgoing, due)] = connection.execute(
                "SELECT outgoing, due_at FROM sends WHERE id = ?", (send,)
            ).fetchall()
            if outgoing is None or (due is not None and due > _now(connection)):
                return None
            claim = claim_row(self._database, connection, row)
            if not isinstance(claim, Claimed):
                return None
            return OutboxMessage(
                claim,
                str(row["app_id"]),
                str(row["channel"]),
                tuple(json.loads(str(row["recipients"]))),
                json.loads(outgoing),
                datetime.fromisoformat(max(str(row["created_at"]), due or "")),
            )

        return await self._database.transact(work)

    async def due(self, app_id: str) -> list[str]:
        """Return the due messages of an application without an outcome, the oldest first."""

        def work(connection: Connection) -> list[str]:
            rows = connection.execute(
                "SELECT id FROM sends WHERE state = 'open' AND outgoing IS NOT NULL AND app_id = ?"
                " AND (due_at IS NULL OR due_at <= ?) ORDER BY coalesce(due_at, created_at), created_at, id",
                (app_id, _now(connection)),
            )
            return [send for (send,) in rows]

        return await self._database.transact(work)

    async def pending(self, app_id: str) -> list[WaitingMessage]:
        """Return the messages of an application without an outcome, by due time."""

        def work(connection: Connection) -> list[WaitingMessage]:
            rows = connection.execute(
                "SELECT id, key, channel, recipients, due_at FROM sends WHERE state = 'open' AND outgoing IS NOT NULL"
                " AND app_id = ? ORDER BY coalesce(due_at, created_at), created_at, id",
                (app_id,),
            )
            return [
                WaitingMessage(
                    send, key, channel, tuple(json.loads(named)), datetime.fromisoformat(due) if due else None
                )
                for send, key, channel, named, due in rows
            ]

        return await self._database.transact(work)

    async def put_back(self, send: str, seconds: float, tries: int, settled: Sequence[Receipt] = ()) -> None:
        """Release a message, if this process has the claim, for another try by a worker.

        Args:
            send: its id.
            seconds: until the next try.
            tries: the number of tries so far.
            settled: receipts of recipients that need no more tries.

        Raises:
            LedgerError: it could not be written; this process keeps trying to write it.
        """

        def work(connection: Connection) -> None:
            connection.lock(f"send {send}")
            row = row_or_none(connection, "id = ?", (send,))
            if row is not None and row["owner"] == self._database.owner:
                receipts = dump_receipts(settled) if settled else row["receipts"]
                store(connection, row | {"owner": None, "receipts": receipts})
            self._defer(connection, send, seconds, tries)

        await self._write_final(send, work)

    async def defer(self, send: str, seconds: float, tries: int) -> None:
        """Let a worker try a message, which this process has not claimed, after the given seconds."""
        await self._database.transact(lambda connection: self._defer(connection, send, seconds, tries))

    def _defer(self, connection: Connection, send: str, seconds: float, tries: int) -> None:
        if self._database.is_distributed:  # otherwise the next call of `drain` finds it
            defer_post(connection, send, seconds, tries)

    async def give_up(self, send: str, receipts: Sequence[Receipt]) -> None:
        """Record the outcome of a message that is not tried again.

        Raises:
            LedgerError: key_busy, if another process took it over; or it could not be written, as for `put_back`.
        """

        def work(connection: Connection) -> None:
            row = self._own(connection, send)
            connection.execute("UPDATE sends SET outgoing = NULL WHERE id = ?", (send,))
            store(connection, concluded(row, receipts))

        await self._write_final(send, work)

    async def sweep(self) -> None:
        """Release messages claimed by dead processes, for other workers.

        Call it after the sweep of runs, which finds the dead processes.
        """
        for send, owner in await self._database.transact(_left_behind):
            await self._database.transact(partial(_free, send=send, owner=owner))

    async def defer_missing(self) -> None:
        """Defer jobs for messages that have none. The time grows with the number of messages that wait."""
        await self._database.transact(defer_missing_posts)

    async def waiting(self) -> list[Waiting]:
        """Return the applications and channels with messages that wait for a worker."""

        def work(connection: Connection) -> list[Waiting]:
            now = datetime.fromtimestamp(connection.time(), UTC)
            rows = connection.execute(_WAITING, (iso_utc(now),)).fetchall()
            return [Waiting(app, name, (now - datetime.fromisoformat(at)).total_seconds()) for app, name, at in rows]

        return await self._database.transact(work)

    async def queues(self, app_id: str, channels: Sequence[str]) -> list[str]:
        """Return the job queues of the channels of an application."""
        return await self._database.transact(lambda connection: queues_of(connection, app_id, channels))

    async def receipts(self, send: str) -> tuple[Receipt, ...] | None:
        """Return the receipts of a message; None until it has an outcome.

        Raises:
            LedgerError: send_missing.
        """

        def work(connection: Connection) -> tuple[Receipt, ...] | None:
            row = row_or_none(connection, "id = ?", (send,))
            if row is None:
                raise LedgerError(f"The ledger has no message {send!r}.", code="send_missing")
            under_way = row["state"] == "open" and (row["owner"] is not None or is_outgoing(connection, send))
            return None if under_way or row["receipts"] is None else load_receipts(str(row["receipts"]))

        return await self._database.transact(work)


_WAITING: Final = """
    WITH RECURSIVE oldest AS (
        (SELECT app_id, channel, greatest(due_at, created_at) AS since, due_at FROM sends
         WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NULL
         ORDER BY app_id, channel, greatest(due_at, created_at) LIMIT 1)
        UNION ALL
        SELECT next.* FROM oldest, LATERAL (
            SELECT app_id, channel, greatest(due_at, created_at) AS since, due_at FROM sends
            WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NULL
                AND (app_id, channel) > (oldest.app_id, oldest.channel)
            ORDER BY app_id, channel, greatest(due_at, created_at) LIMIT 1) next
    ) SELECT app_id, channel, since FROM oldest WHERE due_at IS NULL OR due_at <= ?"""
"""One index lookup for each application and channel, however many messages wait."""


def _left_behind(connection: Connection) -> list[tuple[str, str]]:
    """Find the claims of processes that have left or that the sweep of runs considers dead."""
    return connection.execute(
        "SELECT id, owner FROM sends WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM owners WHERE name = owner) LIMIT ?",
        (JOBS_AT_ONCE,),
    ).fetchall()


def _free(connection: Connection, send: str, owner: str) -> None:
    connection.lock(f"send {send}")
    try:
        row = row_or_none(connection, "id = ?", (send,))
    except LedgerError:
        return  # damaged: reading its receipts reports it; the other messages are not delayed
    if row is not None and row["owner"] == owner:
        store(connection, row | {"owner": None})
        defer_post(connection, send, 0, 0)


def _now(connection: Connection) -> str:
    """Return the time by the ledger's clock."""
    return iso_utc(datetime.fromtimestamp(connection.time(), UTC))
