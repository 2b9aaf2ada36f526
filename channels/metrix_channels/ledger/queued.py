"""Messages that wait in the ledger: put there within a transaction of the caller's own, sent by a worker afterwards."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from ..errors import LedgerError
from ..outcomes import Outcome, Receipt
from .database import Connection, Database
from .jobs import defer_post
from .records import Claimed, Entry, checksum, digest, load_receipts, salt_of
from .sends import COLUMNS, claim_row, row_of, row_or_none

_SCHEMA: Final = "metrix_channels"

Steps = Generator[tuple[str, tuple[object, ...]], list[Any], str]
"""Gives statements with `%s` for values, is sent the rows that each finds, and returns the message's id."""


@frozen
class Queued:
    """A message whose turn it is.

    Attributes:
        claim: what this process is to send, and what earlier tries came to.
        channel: its name in the configuration.
        recipients: customUserIds.
        outgoing: the message itself, as it was given to `enqueueing`.
        since: when it was put into the ledger.
    """

    claim: Claimed
    channel: str
    recipients: tuple[str, ...]
    outgoing: dict[str, Any]
    since: datetime


class QueuedSends:
    """The messages of one ledger that wait for a worker.

    Args:
        database: in PostgreSQL.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def salt(self) -> bytes:
        """Return the ledger's salt; its tables are there afterwards.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        return await self._database.transact(salt_of)

    async def take(self, send: str) -> Queued | None:
        """Claim a message; None when it has its outcome, or somebody sends it."""

        def work(connection: Connection) -> Queued | None:
            connection.lock(f"send {send}")
            row = row_or_none(connection, "id = ?", (send,))
            if row is None or row["state"] == "settled":
                return None
            [(outgoing,)] = connection.execute("SELECT outgoing FROM sends WHERE id = ?", (send,)).fetchall()
            claim = claim_row(self._database, connection, row)
            if outgoing is None or not isinstance(claim, Claimed):
                return None
            return Queued(
                claim,
                str(row["channel"]),
                tuple(json.loads(str(row["recipients"]))),
                json.loads(outgoing),
                datetime.fromisoformat(str(row["created_at"])),
            )

        return await self._database.transact(work)

    async def again(self, send: str, seconds: float, tries: int) -> None:
        """Let a worker try a message once more, after so many seconds."""
        await self._database.transact(lambda connection: defer_post(connection, send, seconds, tries))

    async def forget(self, send: str) -> None:
        """Forget the text of a message that has its outcome."""
        await self._database.transact(
            lambda connection: connection.execute("UPDATE sends SET outgoing = NULL WHERE id = ?", (send,))
        )

    async def receipts(self, send: str) -> tuple[Receipt, ...] | None:
        """Return what became of a message; None as long as that is not known.

        Raises:
            LedgerError: send_missing.
        """

        def work(connection: Connection) -> tuple[Receipt, ...] | None:
            row = row_or_none(connection, "id = ?", (send,))
            if row is None:
                raise LedgerError(f"The ledger has no message {send!r}.", code="send_missing")
            found = load_receipts(str(row["receipts"])) if row["receipts"] is not None else ()
            settled = row["state"] == "settled" and all(each.outcome in Outcome for each in found)
            return found if settled else None

        return await self._database.transact(work)


def enqueueing(entry: Entry, outgoing: dict[str, Any], salt: bytes) -> Steps:
    """Put a message into the ledger, by statements for a connection of the caller's.

    Args:
        entry: the message.
        outgoing: all that a worker needs to send it.
        salt: the ledger's.

    Raises:
        LedgerError: key_reused; ledger_foreign, when the connection leads to another database.
    """
    row = row_of(entry, digest(salt, entry.content), None)
    columns = [row[name] for name in COLUMNS]
    names, marks = ", ".join([*COLUMNS, "checksum", "outgoing"]), ", ".join(["%s"] * (len(COLUMNS) + 2))
    insert = (
        f"INSERT INTO {_SCHEMA}.sends ({names}) SELECT {marks}"  # noqa: S608 - constants
        f" WHERE EXISTS (SELECT 1 FROM {_SCHEMA}.salt WHERE value = %s)"
        " ON CONFLICT (app_id, key) WHERE key IS NOT NULL DO NOTHING RETURNING id"
    )
    added = yield insert, (*columns, checksum(columns), json.dumps(outgoing), salt)
    if added:
        yield f"SELECT {_SCHEMA}.post(%s)", (entry.id,)
        return entry.id
    found = yield (
        f"SELECT id, fingerprint, created_at FROM {_SCHEMA}.sends WHERE app_id = %s AND key = %s",  # noqa: S608
        (entry.app_id, entry.key),
    )
    if not found:
        raise LedgerError("The connection leads to another database than the ledger's.", code="ledger_foreign")
    earlier, fingerprint, at = found[0]
    if bytes(fingerprint) != digest(salt, entry.content):
        raise LedgerError(f"The key {entry.key!r} was used on {at} for another content.", code="key_reused")
    return str(earlier)
