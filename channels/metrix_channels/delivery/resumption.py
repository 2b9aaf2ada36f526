"""Decides what is left of a send whose earlier call with the same key ended before it was finished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from attrs import evolve, frozen

from ..errors import problem
from ..models import OnAmbiguous
from ..outcomes import Outcome
from .policy import Part, Result
from .verdict import Disposition

T = TypeVar("T")


@frozen
class PastAttempt:
    """An attempt of an earlier call or process.

    Attributes:
        recipients: the recipients of the request.
        disposition: what the attempt meant; None if its result is unknown.
        explanation: what happened, as far as is known.
        status: the HTTP status of the answer; None without one.
        ended_at: when the answer came; None without one.
    """

    recipients: tuple[str, ...]
    disposition: str | None
    explanation: str
    status: int | None
    ended_at: datetime | None


@frozen
class Resumption:
    """The state from which a send continues.

    Attributes:
        settled: the results of recipients that need no further request.
        parts: recipients to send to, with their earlier attempts and doubt.
    """

    settled: tuple[Result, ...]
    parts: tuple[Part, ...]


def resume_recipients(recipients: Sequence[str], past: Sequence[PastAttempt], on_ambiguous: OnAmbiguous) -> Resumption:
    """Decide for each recipient from their earlier attempts.

    An attempt without a result is ambiguous: the process died, or gave up, during the request.
    """
    if not past:
        return Resumption((), (Part(tuple(recipients)),))
    settled: dict[Result, list[str]] = {}
    parts: dict[Part, list[str]] = {}
    for recipient in recipients:
        state = _state([attempt for attempt in past if recipient in attempt.recipients], on_ambiguous)
        if isinstance(state, Result):
            settled.setdefault(state, []).append(recipient)
        else:
            parts.setdefault(state, []).append(recipient)
    return Resumption(
        tuple(_with_recipients(state, named) for state, named in settled.items()),
        tuple(evolve(state, recipients=tuple(named)) for state, named in parts.items()),
    )


def _state(past: Sequence[PastAttempt], on_ambiguous: OnAmbiguous) -> Result | Part:
    count = len(past)
    doubt = _first(attempt.explanation for attempt in past if _is_doubtful(attempt))
    accepted = _first(attempt for attempt in past if attempt.disposition == Disposition.ACCEPTED)
    if accepted:
        return Result((), Outcome.ACCEPTED, count, accepted.status, doubt is not None, None)
    final = any(attempt.disposition == Disposition.UNREADABLE for attempt in past)
    if doubt is not None and (final or on_ambiguous is OnAmbiguous.HOLD):
        return Result((), Outcome.UNKNOWN, count, past[-1].status, False, problem("outcome_unknown", doubt))
    refused = _first(
        attempt for attempt in past if attempt.disposition == Disposition.REFUSED and len(attempt.recipients) == 1
    )
    if refused and doubt is None:
        why = problem("rejected", refused.explanation)
        return Result((), Outcome.REJECTED, count, refused.status, False, why)
    return Part((), count, 0, doubt)


def _is_doubtful(attempt: PastAttempt) -> bool:
    return attempt.disposition in (None, Disposition.AMBIGUOUS, Disposition.UNREADABLE)


def _first(found: Iterable[T]) -> T | None:
    return next(iter(found), None)


def _with_recipients(result: Result, recipients: list[str]) -> Result:
    return evolve(result, recipients=tuple(recipients))
