"""Decides what follows an attempt: a retry, two halves, or an outcome. Pure functions for all kinds of delivery.

docs/explanation/delivery.md has the table of rules that they implement.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import evolve, frozen

from ..errors import problem
from ..models import OnAmbiguous
from ..outcomes import Outcome, Problem
from .verdict import Disposition, Verdict

MESSAGE_AT_FAULT_AFTER: Final = 8
"""After this number of refused single recipients in a row, the message is at fault, not the recipients."""


@frozen
class Policy:
    """The limits of a delivery.

    Attributes:
        max_attempts: the maximum number of requests for a batch, or for a part of it after halving.
        timeout: seconds for one attempt.
        on_ambiguous: what to do when Metrix may have accepted an attempt.
        split_refused: when Metrix refuses a batch, find the recipients at fault by halving it.
    """

    max_attempts: int
    timeout: float
    on_ambiguous: OnAmbiguous
    split_refused: bool = True


@frozen
class Part:
    """Recipients that have shared every request so far.

    Attributes:
        recipients: customUserIds.
        attempts: the number of requests to them, also together with others.
        tries: the number of requests to exactly them.
        doubt: why Metrix may have accepted an earlier request; None if it cannot have.
    """

    recipients: tuple[str, ...]
    attempts: int = 0
    tries: int = 0
    doubt: str | None = None

    def after(self, verdict: Verdict) -> Part:
        """Return the part after one more attempt."""
        doubt = self.doubt
        if verdict.disposition in (Disposition.AMBIGUOUS, Disposition.UNREADABLE):
            doubt = verdict.explanation
        return Part(self.recipients, self.attempts + 1, self.tries + 1, doubt)

    def halves(self) -> tuple[Part, Part]:
        """Split the recipients in halves, which inherit attempts and doubt."""
        middle = len(self.recipients) // 2
        return (
            evolve(self, recipients=self.recipients[:middle], tries=0),
            evolve(self, recipients=self.recipients[middle:], tries=0),
        )


@frozen
class Result:
    """The outcome for some recipients.

    Attributes:
        recipients: customUserIds.
        outcome: the outcome.
        attempts: the number of requests to them.
        status: the HTTP status of the last answer; None without one.
        possible_duplicate: accepted, but Metrix may have accepted an earlier attempt too.
        problem: why the message was not accepted; None if it was.
        halts: no other recipients should be attempted either.
    """

    recipients: tuple[str, ...]
    outcome: Outcome
    attempts: int
    status: int | None
    possible_duplicate: bool
    problem: Problem | None
    halts: bool = False


class Step(Enum):
    """What to do after an attempt."""

    FINISH = "finish"
    TRY_AGAIN = "try again"
    HALVE = "halve"


def next_step(part: Part, verdict: Verdict, policy: Policy) -> Step:
    """Decide what follows an attempt with this verdict; `part` is the part after the attempt."""
    match verdict.disposition:
        case Disposition.NOT_TAKEN:
            again = part.tries < policy.max_attempts
        case Disposition.AMBIGUOUS:
            again = part.tries < policy.max_attempts and policy.on_ambiguous is OnAmbiguous.RETRY
        case Disposition.REFUSED if len(part.recipients) > 1 and (policy.split_refused or verdict.too_large):
            return Step.HALVE
        case _:
            again = False
    return Step.TRY_AGAIN if again else Step.FINISH


def conclude(part: Part, verdict: Verdict) -> Result:
    """Return the outcome after the last attempt. Doubt is sticky: a later refusal does not make it `rejected`."""
    halts = verdict.disposition in (Disposition.HALT, Disposition.NOT_TAKEN)
    if verdict.is_accepted:
        duplicate = part.doubt is not None
        return Result(part.recipients, Outcome.ACCEPTED, part.attempts, verdict.status, duplicate, None)
    if part.doubt is not None:
        outcome = Outcome.UNKNOWN
    elif verdict.disposition is not Disposition.REFUSED:
        outcome = Outcome.NOT_SENT
    else:
        # Metrix refused some recipients of an unsplit batch, and nobody knows which.
        outcome = Outcome.REJECTED if len(part.recipients) == 1 else Outcome.UNKNOWN
    problem = _problem(verdict.code, verdict.explanation, part, outcome)
    return Result(part.recipients, outcome, part.attempts, verdict.status, False, problem, halts)


def give_up(part: Part, code: str, why: str) -> Result:
    """Return the outcome of a part when no further attempt is made."""
    outcome = Outcome.UNKNOWN if part.doubt is not None else Outcome.NOT_SENT
    return Result(part.recipients, outcome, part.attempts, None, False, _problem(code, why, part, outcome), halts=True)


def _problem(code: str, why: str, part: Part, outcome: Outcome) -> Problem:
    if outcome is Outcome.UNKNOWN and part.doubt and part.doubt != why:
        why = f"{why} Metrix may have accepted an earlier attempt: {part.doubt}"
    if outcome is Outcome.UNKNOWN and code in _CODES_OF_NOT_SENT:
        code = "outcome_unknown"
    return problem(code, why)


_CODES_OF_NOT_SENT = ("rejected", "unavailable", "unreachable", "interrupted", "deadline_passed")
