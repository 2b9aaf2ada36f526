"""The outcomes of messages and events, and the receipts that report them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypedDict

from attrs import field, frozen


class Outcome(StrEnum):
    """The outcome of a send. There is no "delivered", because Metrix does not report delivery."""

    ACCEPTED = "accepted"
    """Metrix answered 2xx: it received the request."""
    REJECTED = "rejected"
    """Metrix refused the message and would refuse it again."""
    UNKNOWN = "unknown"
    """Metrix may have accepted it: sending began, but no answer says what happened."""
    NOT_SENT = "not_sent"
    """Metrix has certainly not accepted it, so it can be sent again."""


class ProblemDict(TypedDict):
    """A `Problem` as JSON."""

    code: str
    message: str
    remedy: str
    location: str | None


@frozen
class Problem:
    """What went wrong, in the structure that all outputs of the library use.

    Attributes:
        code: stable, from the catalogue of `metrix_channels.errors`.
        message: what happened, in one or two sentences.
        remedy: what to do now.
        location: `file:line:column`; None if there is none.
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
    """The outcome of one message for some recipients.

    Attributes:
        id: the unique id of the send in the ledger.
        channel: the channel's name in the configuration.
        recipients: the customUserIds that share this outcome.
        outcome: one of `Outcome`.
        attempts: the number of HTTP requests made.
        status_code: the HTTP status of the last answer; None without an answer.
        possible_duplicate: Metrix may have accepted an earlier attempt too, so a recipient may get the message twice.
        at: when the outcome became known, in UTC.
        error: why the outcome is not `accepted`; None if it is.
        repeated: whether an earlier call with the same key made this receipt, so that this call sent nothing to these
            recipients. Receipts that differ only in this are equal.
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
    """The ledger's record of one message to one recipient.

    Attributes:
        at: when the outcome became known, in UTC; before that, when the send or the campaign began.
        recipient: the customUserId.
        channel: the channel's name in the configuration.
        template: the template's name; None for a plain text.
        campaign: the campaign's name; None for a single send.
        key: the key of a single send; None without a key.
        outcome: one of `Outcome`, `pending` (not sent yet, or being sent) or `cancelled` (with its campaign).
        attempts: the number of HTTP requests to the recipient.
        receipt: the id of the send; for a campaign, the batch as in `campaign report`.
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
    """The outcome of one event, or of one user's profile.

    Attributes:
        id: the UUID of the event for Metrix; all attempts have the same one.
        user: the customUserId, or the metrixUserId.
        type: `user`, `action` or `revenue`.
        time: the time that was sent to Metrix, in UTC; no other event of this user has it.
        outcome: one of `Outcome`.
        attempts: the number of HTTP requests made.
        status_code: the HTTP status of the last answer; None without an answer.
        possible_duplicate: Metrix may have accepted an earlier attempt too. It drops the second one, because both have
            the same time.
        error: why the outcome is not `accepted`; None if it is.
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
