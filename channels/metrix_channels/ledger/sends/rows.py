"""Rows of single sends and their attempts: written and read with their checksums."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from ...delivery.resumption import PastAttempt
from ...errors import LedgerError
from ...outcomes import Outcome, Receipt, iso_utc
from ..checksums import checksum, digest, require_checksum
from ..database import Connection
from .records import Entry, dump_receipts, dump_recipients

Row = dict[str, str | bytes | None]
"""The columns of a send by name, in the order of `COLUMNS`."""

COLUMNS = (
    "id", "app_id", "key", "fingerprint", "channel", "template", "recipients", "message", "created_at", "state",
    "owner", "receipts",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(COLUMNS)}, checksum FROM sends WHERE "  # noqa: S608 - constants
_REPLACE = (
    f"INSERT INTO sends ({', '.join(COLUMNS)}, checksum) VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"  # noqa: S608
    " ON CONFLICT (id) DO UPDATE SET key = excluded.key, state = excluded.state, owner = excluded.owner,"
    " receipts = excluded.receipts, checksum = excluded.checksum"
)
_CONCLUDE = "UPDATE sends SET state = ?, owner = ?, receipts = ?, checksum = ? WHERE id = ? AND owner = ?"


def reused(entry: Entry, created_at: str) -> LedgerError:
    """Return the error for a key that was used for different content at the given time."""
    return LedgerError(f"The key {entry.key!r} was used on {created_at} for different content.", code="key_reused")


def row_of(entry: Entry, salt: bytes, owner: str | None) -> Row:
    """Return the row of a new send, for the ledger with the given salt.

    Only a send with a key has a fingerprint of its content.
    """
    return {
        "id": entry.id,
        "app_id": entry.app_id,
        "key": entry.key,
        "fingerprint": b"" if entry.key is None else digest(salt, entry.content),
        "channel": entry.channel,
        "template": entry.template or "",
        "recipients": dump_recipients(entry.recipients),
        "message": entry.message,
        "created_at": iso_utc(entry.at),
        "state": "open",
        "owner": owner,
        "receipts": None,
    }


def concluded(row: Row, receipts: Sequence[Receipt]) -> Row:
    """Return the row of a send with its outcome; recipients not sent to are released for the next call with the key."""
    outcomes = {receipt.outcome for receipt in receipts}
    key = None if outcomes == {Outcome.NOT_SENT} else row["key"]
    state = "open" if Outcome.NOT_SENT in outcomes and key is not None else "settled"
    return row | {"key": key, "state": state, "owner": None, "receipts": dump_receipts(receipts)}


def row_or_none(connection: Connection, where: str, values: tuple[str, ...]) -> Row | None:
    """Return the row of a send; None if there is none.

    Raises:
        LedgerError: ledger_corrupt.
    """
    found = connection.execute(_SELECT + where, values).fetchone()
    if found is None:
        return None
    *columns, expected = found
    require_checksum(expected, columns, f"the send {columns[0]}")
    return dict(zip(COLUMNS, columns, strict=True))


def require_row(connection: Connection, where: str, values: tuple[str, ...]) -> Row:
    """Return the row of a send.

    Raises:
        LedgerError: ledger_corrupt.
    """
    row = row_or_none(connection, where, values)
    if row is None:
        raise LedgerError("A send disappeared from the ledger while it was in progress.", code="ledger_corrupt")
    return row


def store(connection: Connection, row: Row) -> None:
    """Write the row of a send."""
    columns = tuple(row.values())
    connection.execute(_REPLACE, (*columns, checksum(columns)))


def conclude(connection: Connection, row: Row, receipts: Sequence[Receipt]) -> bool:
    """Write the outcome of a send that was sent to all, if it still has the owner of `row`; return whether it had."""
    after = concluded(row, receipts)
    columns = after["state"], after["owner"], after["receipts"], checksum(after.values())
    return bool(connection.execute(_CONCLUDE, (*columns, row["id"], row["owner"])).rowcount)


def is_outgoing(connection: Connection, send: str) -> bool:
    """Tell whether a send is an outbox message without an outcome, which `send` does not touch."""
    rows = connection.execute("SELECT 1 FROM sends WHERE id = ? AND outgoing IS NOT NULL", (send,))
    return bool(rows.fetchall())


def past_attempts(connection: Connection, send: str) -> tuple[PastAttempt, ...]:
    """Return the attempts of a send in order.

    Raises:
        LedgerError: ledger_corrupt.
    """
    rows = connection.execute(
        "SELECT recipients, disposition, explanation, status, ended_at, checksum FROM attempts WHERE send = ?"
        " ORDER BY id",
        (send,),
    ).fetchall()
    past = []
    for named, disposition, explanation, status, ended_at, expected in rows:
        require_checksum(expected, (send, named, disposition), f"an attempt of the send {send}")
        past.append(
            PastAttempt(
                recipients=tuple(json.loads(named)),
                disposition=disposition,
                explanation=explanation or "The process ended while the request was in flight.",
                status=status,
                ended_at=datetime.fromisoformat(ended_at) if ended_at else None,
            )
        )
    return tuple(past)
