"""What became of a message or an event: the closed vocabulary of outcomes, and the receipts that carry one."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypedDict

from attrs import field, frozen


class Outcome(StrEnum):
    """What is known of a send. There is no "delivered": Metrix reports no delivery."""

    ACCEPTED = "accepted"
    """Metrix answered 2xx: it received the request."""
    REJECTED = "rejected"
    """Metrix refused for good; sending the same again would be refused again."""
    UNKNOWN = "unknown"
    """It may have been taken: the request began to leave, and no answer settles what became of it."""
    NOT_SENT = "not_sent"
    """Given up with certainty that nothing was taken; it may be sent again."""


class ProblemDict(TypedDict):
    """A `Problem` as JSON."""

    code: str
    message: str
    remedy: str
    location: str | None


@frozen
class Problem:
    """What went wrong, in the form that every output of the library shares.

    Attributes:
        code: stable, from the catalogue of `metrix_channels.errors`.
        message: what happened, in one or two sentences.
        remedy: what to do now.
        location: `file:line:column`, where there is one.
    """

    code: str
    message: str
    remedy: str
    location: str | None = None

    def as_dict(self) -> ProblemDict:
        """Return the JSON form."""
        return {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "location": self.location,
        }


class ReceiptDict(TypedDict):
    """A `Receipt` as JSON."""

    id: str
    channel: str
    recipients: list[str]
    outcome: str
    attempts: int
    status_code: int | None
    possible_duplicate: bool
    at: str
    repeated: bool
    error: ProblemDict | None


@frozen
class Receipt:
    """What is known of one message to some recipients.

    Attributes:
        id: of the send in the ledger, unique.
        channel: the channel's name in the configuration.
        recipients: customUserIds that share this outcome.
        outcome: what is known.
        attempts: HTTP requests made.
        status_code: of the last answer, or None when there was none.
        possible_duplicate: an earlier attempt may have been taken too, so a recipient may have it twice.
        at: when the outcome was settled, in UTC.
        error: why it is not `accepted`; None when it is.
        repeated: an earlier call under the same key has this receipt; this call sent nothing to these recipients.
            Otherwise both receipts are equal.
    """

    id: str
    channel: str
    recipients: tuple[str, ...]
    outcome: Outcome
    attempts: int
    status_code: int | None
    possible_duplicate: bool
    at: datetime
    error: Problem | None = None
    repeated: bool = field(default=False, eq=False)

    def as_dict(self) -> ReceiptDict:
        """Return the JSON form."""
        return {
            "id": self.id,
            "channel": self.channel,
            "recipients": list(self.recipients),
            "outcome": self.outcome.value,
            "attempts": self.attempts,
            "status_code": self.status_code,
            "possible_duplicate": self.possible_duplicate,
            "at": iso_utc(self.at),
            "repeated": self.repeated,
            "error": self.error.as_dict() if self.error else None,
        }


class SentMessageDict(TypedDict):
    """A `SentMessage` as JSON."""

    at: str
    recipient: str
    channel: str
    template: str | None
    campaign: str | None
    key: str | None
    outcome: str
    attempts: int
    receipt: str


@frozen
class SentMessage:
    """What the ledger knows of one message to one recipient.

    Attributes:
        at: when the outcome was known, in UTC; for a message without one when its send or its campaign began.
        recipient: the customUserId.
        channel: the channel's name in the configuration.
        template: the template's name; None for a text without one.
        campaign: the campaign's name; None for a single send.
        key: of a single send; None where it has none.
        outcome: one of `Outcome`, `pending` (not sent yet, or under way) or `cancelled` (with its campaign).
        attempts: HTTP requests that named the recipient.
        receipt: the id of the send; for a campaign the batch, as `campaign report` names it.
    """

    at: datetime
    recipient: str
    channel: str
    template: str | None
    campaign: str | None
    key: str | None
    outcome: str
    attempts: int
    receipt: str

    def as_dict(self) -> SentMessageDict:
        """Return the JSON form."""
        return {
            "at": iso_utc(self.at),
            "recipient": self.recipient,
            "channel": self.channel,
            "template": self.template,
            "campaign": self.campaign,
            "key": self.key,
            "outcome": self.outcome,
            "attempts": self.attempts,
            "receipt": self.receipt,
        }


class EventReceiptDict(TypedDict):
    """An `EventReceipt` as JSON."""

    id: str
    user: str
    type: str
    time: str
    outcome: str
    attempts: int
    status_code: int | None
    possible_duplicate: bool
    error: ProblemDict | None


@frozen
class EventReceipt:
    """What is known of one event, or of one user's profile.

    Attributes:
        id: of the message for Metrix, a UUID; the same over all attempts.
        user: the customUserId, or the metrixUserId.
        type: `user`, `action` or `revenue`.
        time: that Metrix was given, in UTC; no other event of this user has it.
        outcome: what is known.
        attempts: HTTP requests made.
        status_code: of the last answer, or None when there was none.
        possible_duplicate: an earlier attempt may have been taken too; Metrix drops the second of the two, since they
            share their time.
        error: why it is not `accepted`; None when it is.
    """

    id: str
    user: str
    type: str
    time: datetime
    outcome: Outcome
    attempts: int
    status_code: int | None
    possible_duplicate: bool
    error: Problem | None = None

    def as_dict(self) -> EventReceiptDict:
        """Return the JSON form."""
        return {
            "id": self.id,
            "user": self.user,
            "type": self.type,
            "time": iso_utc(self.time),
            "outcome": self.outcome.value,
            "attempts": self.attempts,
            "status_code": self.status_code,
            "possible_duplicate": self.possible_duplicate,
            "error": self.error.as_dict() if self.error else None,
        }


def iso_utc(moment: datetime) -> str:
    """Write an aware time as ISO 8601 in UTC, to the millisecond, ending in `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
