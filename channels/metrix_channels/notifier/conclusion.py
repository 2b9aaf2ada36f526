"""Turns the results of a send into receipts, or into the error that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import (
    ChannelUnverified,
    ConfigError,
    CredentialsRefused,
    DeliveryError,
    LedgerError,
    MetrixChannelsError,
    OutcomeUnknown,
    Rejected,
    Unreachable,
)
from ..errors.catalogue import CATALOGUE, INPUT_AT_FAULT
from ..outcomes import EventReceipt, Outcome, Receipt

if TYPE_CHECKING:
    from ..delivery import Result

_HALTS: dict[str, type[MetrixChannelsError]] = {
    "credentials_refused": CredentialsRefused,
    "message_refused": Rejected,
    "channel_unverified": ChannelUnverified,
    "verification_expired": ChannelUnverified,
    "verification_foreign": ChannelUnverified,
    "verification_in_future": ChannelUnverified,
}
_WORST_FIRST = (Outcome.UNKNOWN, Outcome.REJECTED, Outcome.NOT_SENT)
_CLASSES = {Outcome.REJECTED: Rejected, Outcome.NOT_SENT: Unreachable}
_PLAIN = ("rejected", "outcome_unknown")


def receipts_of(results: Iterable[Result], send: str, channel: str, at: datetime) -> tuple[Receipt, ...]:
    """Return the receipts of one send; their time is rounded to milliseconds, as in the ledger."""
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return tuple(
        Receipt(
            id=send,
            channel=channel,
            recipients=result.recipients,
            outcome=result.outcome,
            attempts=result.attempts,
            status_code=result.status,
            possible_duplicate=result.possible_duplicate,
            at=at,
            error=result.problem,
        )
        for result in results
    )


def raise_unless_accepted(receipts: Sequence[Receipt]) -> None:
    """Raise the error of the worst receipt; an error that would halt a campaign comes first.

    The class is `OutcomeUnknown` if the outcome of any receipt is unknown: a caller who catches it must not miss one.

    Raises:
        DeliveryError: one of its subclasses, with all receipts.
        ChannelUnverified: the verification was withdrawn during the send, with all receipts.
        LedgerError: the ledger failed after the first request, with all receipts.
    """
    refused = [receipt for receipt in receipts if receipt.error is not None]
    if not refused:
        return
    worst = min(refused, key=_severity)
    if worst.error is None:
        return
    is_unknown = any(receipt.outcome is Outcome.UNKNOWN for receipt in receipts)
    kind = _kind(worst.error.code, Outcome.UNKNOWN if is_unknown else worst.outcome)
    message = worst.error.message
    if worst.outcome is Outcome.UNKNOWN:
        message += " It is not known whether Metrix accepted the message."
    if len(receipts) > 1:
        message += f" ({_summary(receipts)})"
    raise kind(message, code=worst.error.code, remedy=worst.error.remedy, receipts=receipts)


def raise_unless_event_accepted(receipt: EventReceipt) -> None:
    """Raise the error of an event, or of a profile, that was not accepted.

    Raises:
        DeliveryError: one of its subclasses, with the receipt as `.event`.
    """
    error = receipt.error
    if error is not None:
        message = error.message
        if receipt.outcome is Outcome.UNKNOWN:
            message += " It is not known whether Metrix accepted the event."
        raise _kind(error.code, receipt.outcome)(message, code=error.code, remedy=error.remedy, event=receipt)


def _kind(code: str, outcome: Outcome) -> type[MetrixChannelsError]:
    if outcome is Outcome.UNKNOWN:
        return OutcomeUnknown
    if code.startswith("ledger_"):
        return LedgerError
    if CATALOGUE[code].exit_status == INPUT_AT_FAULT:
        return ConfigError  # an edit broke the configuration during the send
    return _HALTS.get(code, _CLASSES.get(outcome, DeliveryError))


def _severity(receipt: Receipt) -> tuple[bool, int]:
    code = receipt.error.code if receipt.error else ""
    return code in _PLAIN, _WORST_FIRST.index(receipt.outcome)


def _summary(receipts: Sequence[Receipt]) -> str:
    counts = {
        outcome: sum(len(receipt.recipients) for receipt in receipts if receipt.outcome is outcome)
        for outcome in Outcome
    }
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
