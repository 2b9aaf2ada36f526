"""Everything that can go wrong, as one tree.

    MetrixChannelsError
    ├── UsageError            the call itself is wrong
    ├── ConfigError           channels.yaml, its environment, or what is installed
    ├── TemplateError         a template, its front matter, or the values it was given
    ├── MessageInvalid        the message or a recipient is not fit for the channel
    ├── EventInvalid          a user's profile or an event is not as Metrix demands
    ├── ChannelUnverified     nobody tested the channel; no request was made
    ├── PreflightFailed       a check failed; no request was made
    ├── DeliveryError         a request was made, or should have been
    │   ├── Rejected          Metrix refused the message for good
    │   ├── CredentialsRefused  Metrix refused the application (401, 403)
    │   ├── OutcomeUnknown    it may have been taken
    │   └── Unreachable       nothing was taken, for now
    ├── CampaignError         a campaign's file, plan or run
    └── LedgerError           the ledger, or a key in it

Each error has a stable `code`. `str(error)` is one line; `error.remedy` says what to do now, and a traceback ends with
it. What a code means, what to do and with which status the command line ends are written once, in
`metrix_channels.errors.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ..outcomes import EventReceipt, Problem, Receipt
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
    "problem",
    "sentence",
]


def sentence(text: str) -> str:
    """Give a message its capital and its full stop; a file's or a variable's name at its head stays as it is."""
    first = text.split(" ", 1)[0]
    if first.isascii() and first.isalpha():
        text = text[0].upper() + text[1:]
    return text if "\n" in text or text.endswith((".", "!", "?", "…")) else f"{text}."


def problem(code: str, message: str, location: str | None = None) -> Problem:
    """Describe a situation of the catalogue as data, with the catalogue's remedy."""
    return Problem(code, sentence(message), CATALOGUE[code].remedy, location)


class MetrixChannelsError(Exception):
    """The root of the tree; see the module for its branches.

    Args:
        message: what happened, without any secret.
        code: an entry of the catalogue.
        remedy: what to do now, where the catalogue's own words can be made more precise.
        location: `file:line:column`.
        receipts: what is known of the messages concerned.
        event: what is known of the event, or the user's profile, concerned.
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
        """The receipt of a single send; the first of several; None where nothing came so far."""
        return self.receipts[0] if self.receipts else None

    @property
    def problem(self) -> Problem:
        """The same as data."""
        return Problem(self.code, self.message, self.remedy, self.location)

    @property
    def exit_status(self) -> int:
        """The status that the command line ends with."""
        return CATALOGUE[self.code].exit_status or 0

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return " ".join(line.strip() for line in f"{where}{self.message} [{self.code}]".splitlines())

    def __reduce__(self) -> tuple[Callable[[], MetrixChannelsError], tuple[()]]:
        # The default would call the class with the message alone; task queues pickle the errors of their tasks.
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
    """The call itself is wrong: an argument, an option, a file that is not there."""


class ConfigError(MetrixChannelsError):
    """The configuration, its environment or the installation is not fit for use."""


class TemplateError(MetrixChannelsError):
    """A template cannot be found, read, compiled or rendered."""


class MessageInvalid(MetrixChannelsError):
    """The message or a recipient is not fit for the channel."""


class EventInvalid(MetrixChannelsError):
    """A user's profile or an event is not as Metrix demands; no request was made."""


class ChannelUnverified(MetrixChannelsError):
    """The channel has no recorded dashboard test."""


class PreflightFailed(MetrixChannelsError):
    """At least one check of a preflight failed."""


class DeliveryError(MetrixChannelsError):
    """A message was not accepted."""


class Rejected(DeliveryError):
    """Metrix rejected the message."""


class CredentialsRefused(DeliveryError):
    """Metrix refused the application: its id, its key, or the address of this machine."""


class OutcomeUnknown(DeliveryError):
    """Metrix may or may not have taken the message."""


class Unreachable(DeliveryError):
    """Nothing was taken: no connection, no usable answer, or Metrix asked to come back later."""


class CampaignError(MetrixChannelsError):
    """A campaign's file, plan or run."""


class LedgerError(MetrixChannelsError):
    """The ledger cannot be used, or a key in it forbids the send."""
