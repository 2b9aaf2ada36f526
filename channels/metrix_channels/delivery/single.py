"""One message to some recipients, attempt by attempt, until each of them has an outcome.

What to do after an attempt is decided by `next_step`, a pure function. Around it stand the waits, the journal, and
the halving of a refused batch in search of the recipients at fault.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

from attrs import evolve, frozen

from ..api.exchange import Exchange
from ..errors import problem
from ..models import OnAmbiguous
from ..outcomes import Outcome, Problem
from .backoff import asked_to_wait, backoff
from .verdict import Disposition, Verdict, judge

LONE_REJECTIONS = 8
"""So many recipients of one message refused in a row, each alone: the message is at fault."""


@frozen
class Policy:
    """The limits of a delivery.

    Attributes:
        max_attempts: requests for a batch, or for a part of it after halving.
        timeout: seconds for one attempt.
        deadline: seconds for the whole delivery.
        on_ambiguous: what to do when an attempt may have been taken.
        split_refused: look for the recipients at fault when Metrix refuses a batch.
    """

    max_attempts: int
    timeout: float
    deadline: float
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
        why = f"{why} An earlier attempt may have been taken: {part.doubt}"
    if outcome is Outcome.UNKNOWN and code in _OF_WHAT_WAS_NOT_SENT:
        code = "outcome_unknown"
    return problem(code, why)


_OF_WHAT_WAS_NOT_SENT = ("rejected", "unavailable", "unreachable", "interrupted", "deadline_passed")


class Journal(Protocol):
    """Where attempts are written down: the intent before the first byte leaves, the facts after."""

    async def intend(self, recipients: tuple[str, ...]) -> int:
        """Make the intent durable and return its number; LedgerError means that nothing may be sent."""
        ...

    async def settle(self, attempt: int, exchange: Exchange, verdict: Verdict) -> None:
        """Write down what the attempt came to."""
        ...


Post = Callable[[tuple[str, ...], float], Awaitable[Exchange]]
"""Makes one attempt for some recipients, within some seconds."""


@frozen
class Delivery:
    """Delivers one message; or events of one user, which stand in the place of recipients then.

    Attributes:
        post: makes the attempts.
        journal: where attempts are written down.
        policy: limits.
        places: as many as requests may be in flight; each attempt holds one from before its intent to its outcome, so
            that a crash leaves no more in doubt than these.
        admit: called before each attempt; waits for the rate limit, and returns a problem that forbids the attempt.
        stop: when set, no further attempt is made.
        rng: the source of jitter.
    """

    post: Post
    journal: Journal
    policy: Policy
    places: asyncio.Semaphore
    admit: Callable[[], Awaitable[Problem | None]]
    stop: asyncio.Event
    rng: random.Random

    async def run(self, parts: Sequence[Part]) -> list[Result]:
        """Deliver to the recipients of `parts`; the results name each of them once.

        Raises:
            LedgerError: an intent or an outcome could not be written down.
        """
        ends = asyncio.get_running_loop().time() + self.policy.deadline
        waiting = list(reversed(parts))
        results: list[Result] = []
        lone_rejections = 0
        while waiting:
            settled = await self._settle(waiting.pop(), ends)
            if isinstance(settled, tuple):
                waiting.extend(reversed(settled))
                continue
            results.append(settled)
            lone_rejections = lone_rejections + 1 if settled.outcome is Outcome.REJECTED else 0
            if lone_rejections >= LONE_REJECTIONS:
                why = f"Metrix refused {lone_rejections} in a row, each of them alone."
                results += [give_up(part, "message_refused", why) for part in reversed(waiting)]
                break
            if settled.halts and settled.problem:
                code, why = settled.problem.code, settled.problem.message
                results += [give_up(part, code, why) for part in reversed(waiting)]
                break
        return results

    async def _settle(self, part: Part, ends: float) -> Result | tuple[Part, Part]:
        """Attempt until the part has an outcome or must be halved."""
        clock = asyncio.get_running_loop().time
        while True:
            attempted = await self._in_turn(part, ends)
            if isinstance(attempted, Problem):
                return give_up(part, attempted.code, attempted.message)
            exchange, verdict = attempted
            part = part.after(verdict)
            match next_step(part, verdict, self.policy):
                case Step.HALVE:
                    return part.halves()
                case Step.FINISH:
                    return conclude(part, verdict)
            wait = self._wait(part, exchange)
            if clock() + wait >= ends:
                return conclude(part, verdict)
            await self._sleep(wait)

    async def _in_turn(self, part: Part, ends: float) -> tuple[Exchange, Verdict] | Problem:
        """Make one attempt when there is a free place and it is admitted, or say why there is none."""
        try:
            async with asyncio.timeout_at(ends) as turn, self.places:
                if refusal := await self.admit():
                    return refusal
                if self.stop.is_set():
                    return problem("interrupted", "It was interrupted before it was accepted.")
                turn.reschedule(None)  # an attempt keeps its own time
                left = max(ends - asyncio.get_running_loop().time(), 0.001)
                return await self._attempt(part, min(self.policy.timeout, left))
        except TimeoutError:
            if not turn.expired():
                raise
            return problem("deadline_passed", "The deadline passed before a request could be made.")

    async def _attempt(self, part: Part, seconds: float) -> tuple[Exchange, Verdict]:
        number = await self.journal.intend(part.recipients)
        exchange = await self.post(part.recipients, seconds)
        verdict = judge(exchange)
        await self.journal.settle(number, exchange, verdict)
        return exchange, verdict

    def _wait(self, part: Part, exchange: Exchange) -> float:
        return max(backoff(part.tries, self.rng), asked_to_wait(exchange) or 0.0)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return
