"""The dispatch of a planned run: intents before requests, outcomes after them.

As many lanes as requests may be in flight take batches from one feeder. What follows an attempt is decided by the same
pure functions as for a single send (`delivery.policy`); what stops the run as a whole, by `delivery.circuit_breaker`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import frozen

from ...delivery import Breaker, Holdback, Policy
from ...errors import LedgerError
from ...ledger import Committed, Hold, RunRecord, RunState
from ...outcomes import Problem
from ..renderer import Wording
from .ending import Ending, EndingSignal
from .feeder import Feeder
from .group_commit import Writer
from .intents import Intents
from .lane import Lane, LaneParts, Post, Screen
from .settlement import Settlement

_LOOK_AGAIN_SECONDS: Final = 0.5


@frozen
class Terms:
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
class Surroundings:
    """What a dispatch uses, and what may stop it.

    Attributes:
        post: makes one attempt.
        admit: says why no request may be made now, such as a withdrawn verification; None when it may.
        turn: books the next place under the rate limits and returns the seconds until then; None without any limit.
        quiet: seconds until requests may be made again; 0 for now.
        screen: says which recipients are to be sent nothing after all; None when nothing changed since the plan.
        observe: told after each commit.
        stop: when set, no further attempt is begun.
        places: as many as this process may have requests under way.
        breaker: follows all attempts of this process on the run.
        holdback: holds all of them back when Metrix asks to wait.
    """

    post: Post
    admit: Callable[[], Problem | None]
    turn: Callable[[], Awaitable[float]] | None
    quiet: Callable[[], float]
    screen: Screen | None
    observe: Callable[[], None]
    stop: asyncio.Event
    places: asyncio.Semaphore
    breaker: Breaker
    holdback: Holdback


class Dispatch:
    """Sends what is pending of one run.

    Args:
        record: the run.
        hold: what of it this process sends.
        wording: renders its messages.
        terms: limits.
        around: what it uses.
    """

    def __init__(self, record: RunRecord, hold: Hold, wording: Wording, terms: Terms, around: Surroundings) -> None:
        self._hold = hold
        self._around = around
        self._wording = wording
        self._concurrency = terms.concurrency
        signal = self._signal = EndingSignal()
        tally, breaker, holdback = record.tally, around.breaker, around.holdback
        self._writer = writer = Writer(hold, record, self._committed, signal.fail, terms.concurrency)
        self._feeder = Feeder(record, hold, terms.concurrency, terms.canary_failures, around.quiet, holdback, signal)
        self._parts = LaneParts(
            feeder=self._feeder,
            intents=Intents(tally, hold, writer, breaker, around.admit, around.turn, signal),
            settlement=Settlement(
                tally, terms.policy, terms.max_failures, writer, self._feeder, breaker, holdback, signal
            ),
            post=around.post,
            screen=around.screen,
            places=around.places,
            policy=terms.policy,
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
                    lanes.create_task(Lane(self._parts, self._wording).run())
        finally:
            watch.cancel()
            try:
                await self._writer.close()
            except LedgerError as error:
                self._signal.fail(error)
        if self._signal.error is not None:
            raise self._signal.error
        return self._signal.ending or Ending()

    def _committed(self, committed: Committed) -> None:
        self._feeder.add_parts(committed.drafted)
        if committed.wish is not None:
            self._signal.end(Ending(wish=committed.wish))
        self._around.observe()

    async def _watch(self) -> None:
        """Follow what ends a run from outside: a signal, or a wish of another process."""
        shown = RunState.RUNNING
        while True:
            try:
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await self._around.stop.wait()
                    self._signal.end(Ending(interrupted=True))
                    return
            except TimeoutError:
                pass
            try:
                state = RunState.WAITING if self._around.quiet() > 0 else RunState.RUNNING
                if state is not shown:
                    await self._hold.become(state)
                    shown = state
                wish = await self._hold.wished()
            except LedgerError as error:
                self._signal.fail(error)
                return
            if wish is not None:
                self._signal.end(Ending(wish=wish))
