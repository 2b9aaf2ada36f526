"""What follows an attempt: another one, two halves, or an outcome. Pure functions, the same for every kind of delivery.

The table that they implement is in README.md, "What becomes of a message".
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
"""Recipients of one message refused in a row, each alone, after which the message is at fault and not they."""


@frozen
class Policy:
    """The limits of a delivery.

    Attributes:
        max_attempts: requests for a batch, or for a part of it after halving.
        timeout: seconds for one attempt.
        on_ambiguous: what to do when an attempt may have been taken.
        split_refused: look for the recipients at fault when Metrix refuses a batch.
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
        attempts: requests that named them.
        tries: requests that named exactly them.
        doubt: why an earlier request may have been taken; None when none was.
    """

    recipients: tuple[str, ...]
    attempts: int = 0
    tries: int = 0
    doubt: str | None = None

    def after(self, verdict: Verdict) -> Part:
        """Return the part as it stands after one more attempt."""
        doubt = self.doubt
        if verdict.disposition in (Disposition.AMBIGUOUS, Disposition.UNREADABLE):
            doubt = verdict.explanation
        return Part(self.recipients, self.attempts + 1, self.tries + 1, doubt)

    def halves(self) -> tuple[Part, Part]:
        """Divide the recipients; attempts and doubt are inherited."""
        middle = len(self.recipients) // 2
        return (
            evolve(self, recipients=self.recipients[:middle], tries=0),
            evolve(self, recipients=self.recipients[middle:], tries=0),
        )


@frozen
class Result:
    """What became of some recipients.

    Attributes:
        recipients: customUserIds.
        outcome: what is known.
        attempts: requests that named them.
        status: of the last answer.
        possible_duplicate: accepted, after an attempt that may have been taken too.
        problem: why it was not accepted.
        halts: nothing further should be attempted.
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
    """Decide what follows the attempt that `verdict` judges; `part` is as it stands after it."""
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
    """Return the outcome after the last attempt. Doubt is sticky: a refusal after it settles nothing."""
    halts = verdict.disposition in (Disposition.HALT, Disposition.NOT_TAKEN)
    if verdict.disposition is Disposition.ACCEPTED:
        duplicate = part.doubt is not None
        return Result(part.recipients, Outcome.ACCEPTED, part.attempts, verdict.status, duplicate, None)
    if part.doubt is not None:
        outcome = Outcome.UNKNOWN
    elif verdict.disposition is not Disposition.REFUSED:
        outcome = Outcome.NOT_SENT
    else:
        # A batch that was not divided: nobody knows whom of it Metrix refused.
        outcome = Outcome.REJECTED if len(part.recipients) == 1 else Outcome.UNKNOWN
    problem = _problem(verdict.code, verdict.explanation, part, outcome)
    return Result(part.recipients, outcome, part.attempts, verdict.status, False, problem, halts)


def give_up(part: Part, code: str, why: str) -> Result:
    """Return the outcome of a part for which no further attempt is made."""
    outcome = Outcome.UNKNOWN if part.doubt is not None else Outcome.NOT_SENT
    return Result(part.recipients, outcome, part.attempts, None, False, _problem(code, why, part, outcome), halts=True)


def _problem(code: str, why: str, part: Part, outcome: Outcome) -> Problem:
    if outcome is Outcome.UNKNOWN and part.doubt and part.doubt != why:
        why = f"{why} Metrix may have accepted an earlier attempt: {part.doubt}"
    if outcome is Outcome.UNKNOWN and code in _OF_WHAT_WAS_NOT_SENT:
        code = "outcome_unknown"
    return problem(code, why)


_OF_WHAT_WAS_NOT_SENT = ("rejected", "unavailable", "unreachable", "interrupted", "deadline_passed")
