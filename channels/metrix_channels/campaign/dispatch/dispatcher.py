"""The dispatch of a planned run: intents before requests, outcomes after them.

As many lanes as requests may be in flight take batches from one feeder. What follows an attempt is decided by the same
pure functions as for a single send (`delivery.policy`); what stops the run as a whole, by `delivery.circuit_breaker`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from attrs import frozen

from ...delivery import CircuitBreaker, Holdback, Policy, RateLimiter
from ...errors import LedgerError
from ...ledger import Committed, RunClaim, RunRecord, RunState
from ...outcomes import Problem
from ..definition import QuietHours
from ..renderer import MessageRenderer
from .ending import Ending, EndingSignal
from .feeder import Feeder
from .gate import Gate
from .group_commit import GroupCommit
from .intents import Intents
from .lane import Exclude, Lane, LaneParts, Post
from .settlement import Settlement

_LOOK_AGAIN_SECONDS: Final = 0.5


@frozen
class DispatchLimits:
    """What a dispatch holds to; read again whenever the run is taken up.

    Attributes:
        policy: of an attempt and its repetitions.
        concurrency: requests at one time.
        max_failures: so many recipients may be rejected or unknown; None: any number.
        canary_failures: so many of those who go first.
    """

    policy: Policy
    concurrency: int
    max_failures: int | None
    canary_failures: int


@frozen
class DispatchDeps:
    """What a dispatch uses, and what may stop it.

    Attributes:
        post: makes one attempt.
        admit: says why no request may be made any more, such as a withdrawn verification; None when it may.
        rate_limiter: gives each request its place.
        quiet: hours in which no request is made.
        screen: says which recipients are to be sent nothing after all; None when nothing changed since the plan.
        observe: told after each commit.
        stop: when set, no further attempt is begun.
        places: as many as this process may have requests under way.
        breaker: follows all attempts of this process on the run.
        holdback: holds all of them back when Metrix asks to wait.
    """

    post: Post
    admit: Callable[[], Problem | None]
    rate_limiter: RateLimiter
    quiet: QuietHours | None
    screen: Exclude | None
    observe: Callable[[], None]
    stop: asyncio.Event
    places: asyncio.Semaphore
    breaker: CircuitBreaker
    holdback: Holdback


class Dispatch:
    """Sends what is pending of one run.

    Args:
        record: the run.
        claim: what of it this process sends.
        renderer: renders its messages.
        limits: limits.
        deps: what it uses.
    """

    def __init__(
        self, record: RunRecord, claim: RunClaim, renderer: MessageRenderer, limits: DispatchLimits, deps: DispatchDeps
    ) -> None:
        self._claim = claim
        self._deps = deps
        self._renderer = renderer
        self._concurrency = limits.concurrency
        signal = self._signal = EndingSignal()
        counts, breaker, holdback = record.counts, deps.breaker, deps.holdback
        self._group_commit = group_commit = GroupCommit(claim, record, self._committed, signal.fail, limits.concurrency)
        gate = self._gate = Gate(deps.stop, deps.admit, deps.quiet, holdback, signal)
        self._feeder = Feeder(record, claim, limits.concurrency, limits.canary_failures, gate, holdback, signal)
        self._parts = LaneParts(
            feeder=self._feeder,
            intents=Intents(counts, claim, group_commit, breaker, gate, deps.rate_limiter, signal),
            settlement=Settlement(
                counts, limits.policy, limits.max_failures, group_commit, self._feeder, breaker, holdback, signal
            ),
            post=deps.post,
            screen=deps.screen,
            places=deps.places,
            policy=limits.policy,
            signal=signal,
        )

    async def run(self) -> Ending:
        """Send until nothing is left, or something ends it.

        Raises:
            LedgerError: the books could not be kept; no request was begun after that.
        """
        watch = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(self._concurrency):
                    lanes.create_task(Lane(self._parts, self._renderer).run())
        finally:
            watch.cancel()
            try:
                await self._group_commit.close()
            except LedgerError as error:
                self._signal.fail(error)
        if self._signal.error is not None:
            raise self._signal.error
        return self._signal.ending or Ending()

    def _committed(self, committed: Committed) -> None:
        self._feeder.add_parts(committed.drafted)
        if committed.control is not None:
            self._signal.end(Ending(control=committed.control))
        self._deps.observe()

    async def _watch(self) -> None:
        """Follow what ends a run from outside: a signal, or a wish of another process."""
        shown = RunState.RUNNING
        while True:
            try:
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await self._deps.stop.wait()
                    self._signal.end(Ending(interrupted=True))
                    return
            except TimeoutError:
                pass
            try:
                state = RunState.WAITING if self._gate.is_quiet else RunState.RUNNING
                if state is not shown:
                    await self._claim.become(state)
                    shown = state
                control = await self._claim.requested_control()
            except LedgerError as error:
                self._signal.fail(error)
                return
            if control is not None:
                self._signal.end(Ending(control=control))
