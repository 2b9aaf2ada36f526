"""Messages that wait in the ledger: put there within a transaction of the caller's own, sent by a worker afterwards."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from attrs import frozen

from ...errors import LedgerError
from ...outcomes import Receipt
from ..checksums import checksum, salt_of
from ..database import Connection
from ..postgres.jobs import JOBS_AT_ONCE, defer_missing_posts, defer_post, queues_of
from .book import COLUMNS, SendBook, claim_row, concluded, is_outgoing, reused, row_of, row_or_none, store
from .records import Claimed, Entry, dump_receipts, load_receipts

_SCHEMA: Final = "metrix_channels"

Steps = Generator[tuple[str, tuple[object, ...]], list[Any], str]
"""Gives statements with `%s` for values, is sent the rows that each finds, and returns the message's id."""


@frozen
class OutboxMessage:
    """A message whose turn it is.

    Attributes:
        claim: what this process is to send, and what earlier tries came to.
        app_id: the application that it is sent for.
        channel: its name in the configuration.
        recipients: customUserIds.
        outgoing: the message itself, as it was given to `enqueue_steps`.
        since: when it was put into the ledger.
    """

    claim: Claimed
    app_id: str
    channel: str
    recipients: tuple[str, ...]
    outgoing: dict[str, Any]
    since: datetime


@frozen
class Waiting:
    """Messages of one application and channel that no worker has claimed.

    Attributes:
        app_id: the application that they are sent for.
        channel: its name in the configuration.
        seconds: since the oldest of them was put into the ledger.
    """

    app_id: str
    channel: str
    seconds: float


class OutboxBook(SendBook):
    """The messages of one ledger that wait for a worker.

    Args:
        database: in PostgreSQL.
    """

    async def salt(self) -> bytes:
        """Return the ledger's salt; its tables are there afterwards.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        return await self._database.transact(salt_of)

    async def take(self, send: str) -> OutboxMessage | None:
        """Claim a message; None when it has its outcome, or somebody sends it."""

        def work(connection: Connection) -> OutboxMessage | None:
            connection.lock(f"send {send}")
            row = row_or_none(connection, "id = ?", (send,))
            if row is None or row["state"] == "settled":
                return None
            [(outgoing,)] = connection.execute("SELECT outgoing FROM sends WHERE id = ?", (send,)).fetchall()
            if outgoing is None:
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
                datetime.fromisoformat(str(row["created_at"])),
            )

        return await self._database.transact(work)

    async def put_back(self, send: str, seconds: float, tries: int, settled: Sequence[Receipt] = ()) -> None:
        """Give a message back, if this process has it, and let a worker try it once more.

        Args:
            send: its id.
            seconds: until the next try.
            tries: made so far.
            settled: receipts of the recipients that need no further try.
        """

        def work(connection: Connection) -> None:
            connection.lock(f"send {send}")
            row = row_or_none(connection, "id = ?", (send,))
            if row is not None and row["owner"] == self._database.owner:
                receipts = dump_receipts(settled) if settled else row["receipts"]
                store(connection, row | {"owner": None, "receipts": receipts})
            defer_post(connection, send, seconds, tries)

        await self._database.transact(work)

    async def defer(self, send: str, seconds: float, tries: int) -> None:
        """Let a worker try a message that this process has not claimed, after so many seconds."""
        await self._database.transact(lambda connection: defer_post(connection, send, seconds, tries))

    async def give_up(self, send: str, receipts: Sequence[Receipt]) -> None:
        """Write down the outcome of a message that is not tried any more.

        Raises:
            LedgerError: key_busy, when another process took it up; or the ledger cannot be used.
        """

        def work(connection: Connection) -> None:
            row = self._own(connection, send)
            connection.execute("UPDATE sends SET outgoing = NULL WHERE id = ?", (send,))
            store(connection, concluded(row, receipts))

        await self._database.transact(work)

    async def sweep(self) -> None:
        """Free what was claimed by processes that are gone, and let workers look after it.

        It follows the sweep of the runs, which finds out who is gone.
        """
        for send, owner in await self._database.transact(_left_behind):
            await self._database.transact(partial(_free, send=send, owner=owner))

    async def defer_missing(self) -> None:
        """Defer jobs for messages that have none. The time grows with the number of messages that wait."""
        await self._database.transact(defer_missing_posts)

    async def waiting(self) -> list[Waiting]:
        """Return whose messages wait for a worker."""

        def work(connection: Connection) -> list[Waiting]:
            now = datetime.fromtimestamp(connection.time(), UTC)
            rows = connection.execute(_WAITING).fetchall()
            return [Waiting(app, name, (now - datetime.fromisoformat(at)).total_seconds()) for app, name, at in rows]

        return await self._database.transact(work)

    async def queues(self, app_id: str, channels: Sequence[str]) -> list[str]:
        """Return the queues with the jobs for the messages of an application's channels."""
        return await self._database.transact(lambda connection: queues_of(connection, app_id, channels))

    async def receipts(self, send: str) -> tuple[Receipt, ...] | None:
        """Return what became of a message; None as long as that is not known.

        Raises:
            LedgerError: send_missing.
        """

        def work(connection: Connection) -> tuple[Receipt, ...] | None:
            row = row_or_none(connection, "id = ?", (send,))
            if row is None:
                raise LedgerError(f"The ledger has no message {send!r}.", code="send_missing")
            under_way = row["state"] == "open" and (
                row["owner"] is not None or is_outgoing(self._database, connection, send)
            )
            return None if under_way or row["receipts"] is None else load_receipts(str(row["receipts"]))

        return await self._database.transact(work)


_WAITING: Final = """
    WITH RECURSIVE oldest AS (
        (SELECT app_id, channel, created_at FROM sends
         WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NULL
         ORDER BY app_id, channel, created_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM oldest, LATERAL (
            SELECT app_id, channel, created_at FROM sends
            WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NULL
                AND (app_id, channel) > (oldest.app_id, oldest.channel)
            ORDER BY app_id, channel, created_at LIMIT 1) next
    ) SELECT app_id, channel, created_at FROM oldest"""
"""A look into the index for each application and channel, however many messages wait."""


def _left_behind(connection: Connection) -> list[tuple[str, str]]:
    """Find the claims of processes that the sweep of the runs took for dead, or that have left."""
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
        return  # damaged: whoever asks for its receipts is told, and the others are not held up
    if row is not None and row["owner"] == owner:
        store(connection, row | {"owner": None})
        defer_post(connection, send, 0, 0)


def enqueue_steps(entry: Entry, outgoing: dict[str, Any], salt: bytes) -> Steps:
    """Put a message into the ledger, by statements for a connection of the caller's.

    Args:
        entry: the message.
        outgoing: all that a worker needs to send it.
        salt: the ledger's.

    Raises:
        LedgerError: key_reused; ledger_foreign, when the connection leads to another database.
    """
    row = row_of(entry, salt, None)
    columns = [row[name] for name in COLUMNS]
    names, statuses = ", ".join([*COLUMNS, "checksum", "outgoing"]), ", ".join(["%s"] * (len(COLUMNS) + 2))
    insert = (
        f"INSERT INTO {_SCHEMA}.sends ({names}) SELECT {statuses}"  # noqa: S608 - constants
        f" WHERE EXISTS (SELECT 1 FROM {_SCHEMA}.salt WHERE value = %s)"
        " ON CONFLICT (app_id, key) WHERE key IS NOT NULL DO NOTHING RETURNING id"
    )
    find = (
        "SELECT id, fingerprint, created_at, state = 'open' AND outgoing IS NULL"  # noqa: S608 - constants
        f" FROM {_SCHEMA}.sends WHERE app_id = %s AND key = %s"
    )
    resume_recipients = (
        f"UPDATE {_SCHEMA}.sends SET outgoing = %s"  # noqa: S608
        " WHERE id = %s AND key IS NOT NULL AND state = 'open' AND outgoing IS NULL RETURNING id"
    )
    for _ in range(2):  # a key that is used and freed in between is there for neither statement
        added = yield insert, (*columns, checksum(columns), json.dumps(outgoing), salt)
        if added:
            yield f"SELECT {_SCHEMA}.post(%s)", (entry.id,)
            return entry.id
        found = yield find, (entry.app_id, entry.key)
        if found:
            earlier, fingerprint, created_at, is_left_open = found[0]
            if not entry.has_fingerprint(bytes(fingerprint), created_at, salt):
                raise reused(entry, created_at)
            if not is_left_open:
                return str(earlier)
            # What a `send` left open is the workers' from now on: nobody else might ever ask for it again.
            if (yield resume_recipients, (json.dumps(outgoing), earlier)):
                yield f"SELECT {_SCHEMA}.post(%s)", (earlier,)
                return str(earlier)
    raise LedgerError("The connection leads to another database than the ledger's.", code="ledger_foreign")
