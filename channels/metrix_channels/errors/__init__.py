"""The exceptions of this library, as one tree.

    MetrixChannelsError
    ├── UsageError            the call itself is wrong
    ├── ConfigError           channels.yaml, its environment variables, or the installation
    ├── TemplateError         a template, its front matter, or the values passed to it
    ├── MessageInvalid        the channel cannot send the message, or not to this recipient
    ├── EventInvalid          Metrix would not accept a user's profile or an event
    ├── ChannelUnverified     the channel has no recorded dashboard test; no request was made
    ├── PreflightFailed       a check failed; no request was made
    ├── DeliveryError         a request was made, or should have been
    │   ├── Rejected          Metrix refused the message for good
    │   ├── CredentialsRefused  Metrix refused the application (401, 403)
    │   ├── OutcomeUnknown    Metrix may have accepted the message
    │   └── Unreachable       Metrix has not accepted the message; try again later
    ├── CampaignError         a campaign's file, plan or run
    └── LedgerError           the ledger, or a key in it

Each error has a stable `code`. `str(error)` is one line. `error.remedy` says what to do now; a traceback ends with it.
`metrix_channels.errors.catalogue` defines the meaning, the remedy and the exit status of each code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ..outcomes import EventReceipt, Problem, Receipt
from .campaigns import remedy_for
from .catalogue import CATALOGUE

__all__ = [
    "CampaignError",
    "ChannelUnverified",
    "ConfigError",
    "CredentialsRefused",
    "DeliveryError",
    "EventInvalid",
    "LedgerError",
    "MessageInvalid",
    "MetrixChannelsError",
    "OutcomeUnknown",
    "PreflightFailed",
    "Rejected",
    "TemplateError",
    "Unreachable",
    "UsageError",
    "campaign_error",
    "problem",
    "sentence",
]


def sentence(text: str) -> str:
    """Capitalise a message and end it with a full stop; a file or variable name at its start stays as it is."""
    first = text.split(" ", 1)[0]
    if first.isascii() and first.isalpha():
        text = text[0].upper() + text[1:]
    return text if "\n" in text or text.endswith((".", "!", "?", "…")) else f"{text}."


def problem(code: str, message: str, location: str | None = None) -> Problem:
    """Return a situation of the catalogue as data, with the catalogue's remedy."""
    return Problem(code, sentence(message), CATALOGUE[code].remedy, location)


class MetrixChannelsError(Exception):
    """The base class of all errors of this library.

    Attributes:
        message: what happened, without any secret.
        code: a stable code, such as `channel_unverified`; `metrix-channels explain CODE` explains it.
        remedy: what to do now.
        location: `file:line:column`; None if no file is at fault.
        receipts: the receipts of the messages concerned; empty if the send did not get that far.
        event: the receipt of the event or the profile concerned; None for messages.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        remedy: str | None = None,
        location: str | None = None,
        receipts: Sequence[Receipt] = (),
        event: EventReceipt | None = None,
    ) -> None:
        message = sentence(message)
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy: str = remedy if remedy is not None else CATALOGUE[code].remedy
        self.location = location
        self.receipts: tuple[Receipt, ...] = tuple(receipts)
        self.event = event
        if self.remedy:
            self.add_note(self.remedy)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of a single send, or the first of several; None if the send did not get that far."""
        return self.receipts[0] if self.receipts else None

    @property
    def problem(self) -> Problem:
        """The error as plain data."""
        return Problem(self.code, self.message, self.remedy, self.location)

    @property
    def exit_status(self) -> int:
        """The exit status of the command line for this error."""
        return CATALOGUE[self.code].exit_status or 0

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return " ".join(line.strip() for line in f"{where}{self.message} [{self.code}]".splitlines())

    def __reduce__(self) -> tuple[Callable[[], MetrixChannelsError], tuple[()]]:
        # Task queues pickle the errors of their tasks. The default would pass only the message to the class.
        return partial(
            type(self),
            self.message,
            code=self.code,
            remedy=self.remedy,
            location=self.location,
            receipts=self.receipts,
            event=self.event,
        ), ()


class UsageError(MetrixChannelsError):
    """The call itself is wrong: an argument, an option, or a missing file.

    Codes: `usage`, `connection_unknown`, `file_unreadable`, `file_unwritable`, `file_exists`, `attempt_missing`.
    """


class ConfigError(MetrixChannelsError):
    """The configuration, its environment variables or the installation cannot be used.

    Codes: `config_missing`, `yaml_invalid`, `config_key_unknown`, `config_key_missing`, `config_value_invalid`,
    `channel_unknown`, `environment_missing`, `secret_missing`, `secret_literal`, `extra_missing`, and others.
    """


class TemplateError(MetrixChannelsError):
    """A template cannot be found, read, compiled or rendered.

    Codes: `template_missing`, `template_syntax`, `template_front_matter`, `template_undefined`, `template_too_costly`,
    `context_invalid`, `value_empty`, and others.
    """


class MessageInvalid(MetrixChannelsError):
    """The channel cannot send the message, or not to this recipient.

    Codes: `message_empty`, `message_too_large`, `field_invalid`, `field_unknown`, `link_refused`, `recipient_invalid`.
    """


class EventInvalid(MetrixChannelsError):
    """Metrix would not accept a user's profile or an event; no request was made.

    Codes: `user_invalid`, `event_name_invalid`, `event_name_unknown`, `event_time_invalid`, `event_time_repeated`,
    `event_times_used_up`, `attribute_invalid`, `revenue_invalid`, `birthday_invalid`, `profile_invalid`,
    `record_invalid`.
    """


class ChannelUnverified(MetrixChannelsError):
    """The channel has no valid record of a dashboard test.

    Codes: `channel_unverified`, `verification_expired`, `verification_foreign`, `verification_in_future`.
    """


class PreflightFailed(MetrixChannelsError):
    """At least one check of a preflight failed. Code: `preflight_failed`."""


class DeliveryError(MetrixChannelsError):
    """Metrix has not accepted a message, or may not have accepted it; the base class of the four below."""


class Rejected(DeliveryError):
    """Metrix rejected the message. Codes: `rejected`, `message_refused`."""


class CredentialsRefused(DeliveryError):
    """Metrix refused the application's id or key, or this machine's address. Code: `credentials_refused`."""


class OutcomeUnknown(DeliveryError):
    """Metrix may have accepted the message: send it again only with the same `key`.

    Code: `outcome_unknown`, or the code of the failure that ended the send.
    """

    @property
    def exit_status(self) -> int:
        """1 for every code: 4 would invite a script to send again."""
        return 1


class Unreachable(DeliveryError):
    """Metrix has not accepted the message: no connection, no usable answer, or Metrix asks to try again later.

    Codes: `unreachable`, `unavailable`, `deadline_passed`, `certificate_refused`, `endpoint_refused`, `redirected`.
    """


class CampaignError(MetrixChannelsError):
    """A campaign's file, plan or run has a problem.

    Codes: `audience_invalid`, `audience_empty`, `ids_damaged`, `suppression_invalid`, `plan_failed`, `cost_exceeded`,
    `schedule_missed`, `run_missing`, `run_busy`, `run_paused`, `run_pinned`, `run_finished`, `run_cancelled`,
    and others.
    """


class LedgerError(MetrixChannelsError):
    """The ledger cannot be used, or a key in it prevents the send.

    Codes: `key_reused`, `key_busy`, `ledger_unavailable`, `ledger_locked`, `ledger_copied`, `ledger_foreign`,
    `send_missing`, `outcome_unrecorded`, and others.
    """


def campaign_error(message: str, code: str, name: str) -> CampaignError:
    """Return an error about a run, whose remedy has the name of the campaign in its commands."""
    return CampaignError(message, code=code, remedy=remedy_for(code, name))
