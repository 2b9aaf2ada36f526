"""Dispatches a planned run: records an intent before each request and an outcome after it.

There is one lane for each concurrent request; all lanes take batches from one feeder. Pure functions shared with single
sends decide what follows an attempt (`delivery.policy`). `delivery.circuit_breaker` decides whether the run stops.
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
from .messages import Messages
from .settlement import Settlement

_LOOK_AGAIN_SECONDS: Final = 0.5


@frozen
class DispatchLimits:
    """Limits of a dispatch; read again whenever the run is resumed.

    Attributes:
        policy: for attempts and retries.
        concurrency: requests in flight.
        max_failures: limit of rejected and unknown recipients; None: no limit.
        canary_failures: the same limit for the canary.
    """

    policy: Policy
    concurrency: int
    max_failures: int | None
    canary_failures: int


@frozen
class DispatchDeps:
    """What a dispatch depends on.

    Attributes:
        post: makes one attempt.
        admit: returns why no more requests are allowed, such as a withdrawn verification; None if they are.
        rate_limiter: assigns each request its place.
        quiet: hours in which no request starts.
        screen: returns recipients to exclude after the plan; None if nothing has changed since.
        observe: called after each commit.
        stop: when set, no more attempts start.
        places: limits the requests in flight of this process.
        breaker: counts all attempts of this process on the run.
        holdback: delays all of them when Metrix asks to wait.
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
    """Sends the pending batches of one run.

    Args:
        record: the run.
        claim: the part that this process sends.
        renderer: renders its messages.
        limits: of the dispatch.
        deps: what it depends on.
    """

    def __init__(
        self, record: RunRecord, claim: RunClaim, renderer: MessageRenderer, limits: DispatchLimits, deps: DispatchDeps
    ) -> None:
        self._claim = claim
        self._deps = deps
        self._concurrency = limits.concurrency
        signal = self._signal = EndingSignal()
        counts, breaker, holdback = record.counts, deps.breaker, deps.holdback
        self._group_commit = group_commit = GroupCommit(claim, record, self._committed, signal.fail, limits.concurrency)
        gate = self._gate = Gate(deps.stop, deps.admit, deps.quiet, holdback, signal)
        self._feeder = Feeder(record, claim, limits.concurrency, limits.canary_failures, gate, holdback, signal)
        self._parts = LaneParts(
            feeder=self._feeder,
            messages=Messages(renderer, self._feeder.upcoming),
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
        """Send until nothing is left or the dispatch is ended.

        Raises:
            LedgerError: the ledger could not be written; no request started after that.
        """
        watch = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(self._concurrency):
                    lanes.create_task(Lane(self._parts).run())
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
        """Watch for what ends a run from outside: a signal, or a control request of another process."""
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
