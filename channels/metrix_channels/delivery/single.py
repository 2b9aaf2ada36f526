"""Sends one message to some recipients, attempt by attempt, until each recipient has an outcome.

`policy` decides what to do after an attempt. This module waits, writes the journal, and halves refused batches to find
the recipients at fault.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from attrs import evolve, frozen

from ..api import Exchange
from ..errors import LedgerError, problem
from ..outcomes import Outcome, Problem
from .backoff import backoff_seconds
from .deadline import GRACE_SECONDS, Deadlines, seconds_until, wait_at_most
from .policy import MESSAGE_AT_FAULT_AFTER, Part, Policy, Result, Step, conclude, give_up, next_step
from .rate_limiter import Place, RateLimiter
from .verdict import Verdict

_LEAST_SECONDS: Final = 0.05
"""No request starts with less time than this. It would time out, and its outcome would be unknown."""
_TOO_LATE: Final = "The deadline passed before a request could be made."


class Journal(Protocol):
    """Records attempts: the intent before the first byte is sent, the result afterwards."""

    async def intend(self, recipients: tuple[str, ...]) -> int:
        """Store the intent durably and return its number; after a LedgerError, nothing may be sent."""
        ...

    async def settle(self, attempt: int, exchange: Exchange, verdict: Verdict) -> None:
        """Record the result of the attempt; after a LedgerError, it remains unfinished."""
        ...

    def withdraw(self, attempt: int) -> None:
        """Withdraw an intent whose request was not sent; the next write removes it from the disk."""
        ...


Post = Callable[[tuple[str, ...], float], Awaitable[tuple[Exchange, Verdict]]]
"""Makes one attempt for some recipients within some seconds; returns what came back and what it means."""


@frozen
class Delivery:
    """Delivers one message to its recipients, or events of one user, which take the place of recipients.

    Attributes:
        post: makes the attempts.
        journal: records the attempts.
        policy: the limits.
        places: limits the requests in flight. Each attempt holds one place from before its intent until its outcome is
            recorded, so that a crash leaves no more attempts in doubt.
        rate_limiter: books a place for each attempt.
        refusal: returns why no attempt may be made now, such as a withdrawn verification; None if it may.
        stop: when set, no further attempt is made.
        deadlines: those of the event loop.
        rng: the source of jitter.
    """

    post: Post
    journal: Journal
    policy: Policy
    places: asyncio.Semaphore
    rate_limiter: RateLimiter
    refusal: Callable[[], Problem | None]
    stop: asyncio.Event
    deadlines: Deadlines
    rng: random.Random

    async def run(self, parts: Sequence[Part], ends: float) -> list[Result]:
        """Deliver to the recipients of `parts`; each recipient is in one result.

        Args:
            parts: the recipients, with their earlier attempts and doubt.
            ends: the deadline of the whole delivery, on the event loop's clock.

        Raises:
            LedgerError: the first intent could not be recorded, and nothing was sent.
        """
        waiting = list(reversed(parts))
        results: list[Result] = []
        lone_rejections, has_begun = 0, False
        while waiting:
            settled = await self._settle(waiting.pop(), ends, has_begun=has_begun)
            has_begun = True
            if isinstance(settled, tuple):
                waiting.extend(reversed(settled))
                continue
            results.append(settled)
            lone_rejections = lone_rejections + 1 if settled.outcome is Outcome.REJECTED else 0
            if lone_rejections >= MESSAGE_AT_FAULT_AFTER:
                why = f"Metrix refused {lone_rejections} recipients in a row, one per request."
                results += [give_up(part, "message_refused", why) for part in reversed(waiting)]
                break
            if settled.halts and settled.problem:
                code, why = settled.problem.code, settled.problem.message
                results += [give_up(part, code, why) for part in reversed(waiting)]
                break
        return results

    async def _settle(self, part: Part, ends: float, *, has_begun: bool) -> Result | tuple[Part, Part]:
        """Make attempts until the part has an outcome or must be halved; `has_begun`: other parts had attempts."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                attempted = await self._in_turn(part, ends)
            except LedgerError as error:
                if not (has_begun or part.tries):
                    raise
                return give_up(part, error.code, error.message)
            if isinstance(attempted, Problem):
                return give_up(part, attempted.code, attempted.message)
            verdict, is_recorded = attempted
            part = part.after(verdict)
            if not is_recorded:
                return evolve(conclude(part, verdict), halts=True)
            match next_step(part, verdict, self.policy):
                case Step.HALVE:
                    return part.halves()
                case Step.FINISH:
                    return conclude(part, verdict)
            wait = max(backoff_seconds(part.tries, self.rng), verdict.retry_after_seconds or 0.0)
            if clock() + wait + _LEAST_SECONDS >= ends:
                return conclude(part, verdict)
            await self._sleep(wait)

    async def _in_turn(self, part: Part, ends: float) -> tuple[Verdict, bool] | Problem:
        """Wait for a place and make one attempt; see `_attempt`. Return why none is made, if so.

        Raises:
            LedgerError: the intent could not be recorded; no request was made.
        """
        try:
            with self.deadlines.until(ends) as turn:
                async with self.places:
                    left = seconds_until(ends)
                    place = await self.rate_limiter.wait(left, lambda: self._forbidden(ends) is None, self._sleep)
                    if place is None:
                        why = f"The rate limit allows no request within {left:.3g} s."
                        return self._forbidden(ends) or problem("unavailable", why)
                    number = await self._declare(part, ends, place)
                    if isinstance(number, Problem):
                        return number
                    turn.release()  # the request has its own timeout
                    return await self._attempt(number, part, ends)
        except TimeoutError:
            if not turn.has_expired:
                raise
            return problem("deadline_passed", _TOO_LATE)

    async def _declare(self, part: Part, ends: float, place: Place) -> int | Problem:
        """Record the intent and return its number; if the request is forbidden before or after that, return why."""
        number, why = 0, self._forbidden(ends)
        try:
            if why is None:
                number = await self.journal.intend(part.recipients)
                if why := self._forbidden(ends):
                    self.journal.withdraw(number)
        except BaseException:
            await self.rate_limiter.give_back(place)
            raise
        if why is None:
            return number
        await self.rate_limiter.give_back(place)
        return why

    async def _attempt(self, number: int, part: Part, ends: float) -> tuple[Verdict, bool]:
        """Make one attempt; return its verdict, and whether the ledger has it."""
        seconds = min(self.policy.timeout, max(seconds_until(ends), _LEAST_SECONDS))
        exchange, verdict = await self.post(part.recipients, seconds)
        settling = self.journal.settle(number, exchange, verdict)
        if verdict.is_accepted:
            await settling  # returns at once: the next write stores it too
            return verdict, True
        try:
            await wait_at_most(seconds_until(ends) + GRACE_SECONDS, settling)
        except (LedgerError, TimeoutError):
            return verdict, False
        return verdict, True

    def _forbidden(self, ends: float) -> Problem | None:
        """Return why no request may be made now, or None. Called after each wait before a request."""
        if self.stop.is_set():
            return problem("interrupted", "The send was interrupted before Metrix accepted it.")
        if seconds_until(ends) < _LEAST_SECONDS:
            return problem("deadline_passed", _TOO_LATE)
        return self.refusal()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return
