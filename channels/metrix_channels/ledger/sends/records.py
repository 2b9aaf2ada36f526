"""What the ledger takes and gives: plain records, and the checksums that guard them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from ...outcomes import Outcome, Problem, Receipt
from ...process import wall_clock
from ..checksums import digest

if TYPE_CHECKING:
    from ...delivery import PastAttempt


FORGOTTEN_RECIPIENT: Final = "(forgotten)"
"""Stands in place of each recipient of a send that a purge forgot."""


@frozen
class Entry:
    """A send, as it is first written down.

    Attributes:
        id: unique.
        app_id: the application that it is sent for.
        key: the caller's own; None when there is none.
        content: what the key stands for: what would be sent, and to whom, in a form that equal contents share; empty
            without a key.
        channel: the channel's name.
        template: the template's name; None for a text without one.
        recipients: customUserIds.
        message: the request's message as JSON, with sensitive values masked.
        at: when it was asked for, to the millisecond.
        contents_at: returns other forms of the same content: as a call at that time would have written it down, when
            its template shows the time; and as earlier versions did.
    """

    id: str
    app_id: str
    key: str | None
    content: bytes
    channel: str
    template: str | None
    recipients: tuple[str, ...]
    message: str | None
    at: datetime = field(factory=wall_clock.now)
    contents_at: Callable[[datetime], Iterable[bytes]] = lambda at: ()

    def has_fingerprint(self, expected: bytes, created_at: str, salt: bytes) -> bool:
        """Tell whether a send of the ledger, which was asked for at some time, has the same content.

        Args:
            expected: the fingerprint of that send.
            created_at: when it was asked for, as the ledger keeps it.
            salt: the ledger's.
        """
        contents = chain([self.content], self.contents_at(datetime.fromisoformat(created_at)))
        return any(digest(salt, content) == expected for content in contents)


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
