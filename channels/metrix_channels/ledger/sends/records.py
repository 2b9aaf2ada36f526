"""What the ledger takes and gives: plain records, and the checksums that guard them."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import frozen

from ...errors import LedgerError
from ...outcomes import Outcome, Problem, Receipt
from ..database import Connection


@frozen
class Entry:
    """A send, as it is first written down.

    Attributes:
        id: unique.
        app_id: the application that it is sent for.
        key: the caller's own; None when there is none.
        content: what the key stands for, in a form that equal contents share.
        channel: the channel's name.
        template: the template's name.
        recipients: customUserIds.
        message: the request's message as JSON, with sensitive values masked.
    """

    id: str
    app_id: str
    key: str | None
    content: bytes
    channel: str
    template: str
    recipients: tuple[str, ...]
    message: str | None


@frozen
class PastAttempt:
    """An attempt of an earlier call or process.

    Attributes:
        recipients: whom it named.
        disposition: None when its end is not known.
        explanation: what happened, as far as it is known.
        status: of the answer.
        ended_at: when the answer came.
    """

    recipients: tuple[str, ...]
    disposition: str | None
    explanation: str
    status: int | None
    ended_at: datetime | None


@frozen
class Claimed:
    """The caller is to send.

    Attributes:
        id: of the send: a new one, or that of the earlier call which is taken up.
        past: attempts that an earlier call made.
        settled: receipts of an earlier call that stand, whatever becomes of the other recipients.
    """

    id: str
    past: tuple[PastAttempt, ...] = ()
    settled: tuple[Receipt, ...] = ()

    def still_open(self, recipients: Iterable[str]) -> tuple[str, ...]:
        """Return those of `recipients` that no earlier call settled."""
        settled = {recipient for receipt in self.settled for recipient in receipt.recipients}
        return tuple(recipient for recipient in recipients if recipient not in settled)


@frozen
class Finished:
    """An earlier call has the outcome."""

    receipts: tuple[Receipt, ...]


@frozen
class Busy:
    """Another call is sending right now."""


Claim = Claimed | Finished | Busy


def dump_receipts(receipts: Sequence[Receipt]) -> str:
    """Write receipts as JSON."""
    return json.dumps([receipt.as_dict() for receipt in receipts], ensure_ascii=False)


def load_receipts(text: str) -> tuple[Receipt, ...]:
    """Read what `dump_receipts` wrote."""
    return tuple(
        Receipt(
            id=each["id"],
            channel=each["channel"],
            recipients=tuple(each["recipients"]),
            outcome=Outcome(each["outcome"]),
            attempts=each["attempts"],
            status_code=each["status_code"],
            possible_duplicate=each["possible_duplicate"],
            at=datetime.fromisoformat(each["at"]),
            error=Problem(**each["error"]) if each["error"] else None,
        )
        for each in json.loads(text)
    )


def checksum(values: Iterable[object]) -> int:
    """Return the checksum of a row: SQLite itself notices only some of the bits that a disk may change."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "backslashreplace"))


def require_checksum(expected: int, values: Iterable[object], what: str) -> None:
    """Refuse a row that is not as it was written.

    Raises:
        LedgerError: ledger_corrupt.
    """
    if checksum(values) != expected:
        raise LedgerError(f"The ledger's record of {what} is damaged.", code="ledger_corrupt")


def fingerprint(connection: Connection, content: bytes, size: int = 32) -> bytes:
    """Return a digest that means nothing outside this ledger.

    Args:
        connection: to the ledger, which holds the salt.
        content: of any length.
        size: of the digest, in bytes.
    """
    return digest(salt_of(connection), content, size)


def salt_of(connection: Connection) -> bytes:
    """Return the ledger's salt."""
    return bytes(connection.execute("SELECT value FROM salt").fetchone()[0])


def digest(salt: bytes, content: bytes, size: int = 32) -> bytes:
    """Return the digest of a content in the ledger with that salt."""
    return hashlib.blake2b(content, key=salt, digest_size=size).digest()
