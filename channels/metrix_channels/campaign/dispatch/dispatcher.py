"""The dispatch of a planned run: intents before requests, outcomes after them, and every doubt with a name.

As many lanes as requests may be in flight take batches from one queue. What a lane decides is decided by the same
pure functions as a single send; what the run as a whole decides stands in `breaker`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from ...api import (
    Disposition,
    Exchange,
    Part,
    Policy,
    Reply,
    Step,
    Verdict,
    asked_to_wait,
    backoff,
    conclude,
    next_step,
)
from ...delivery.attempt import Post
from ...delivery.circuit_breaker import Breaker
from ...errors import LedgerError, MetrixChannelsError, problem
from ...ledger import (
    APPROVED,
    DOUBT,
    REPEATED,
    Batch,
    BatchState,
    Committed,
    Hold,
    RunRecord,
    RunState,
    Skip,
    SkipReason,
    Trouble,
    Wish,
    draft_of,
)
from ...models import OnAmbiguous
from ...outcomes import Outcome, Problem, iso_utc
from ..renderer import Wording, request_body
from .batch_queue import BatchQueue, Holdback
from .group_commit import Writer

_PARCELS: Final = 16
_IDLE: Final = 0.5
_LOOK: Final = 2.0
_ANSWER: Final = 2_000
_LATE: Final = 0.03
_STATES: Final = {
    Outcome.ACCEPTED: BatchState.ACCEPTED,
    Outcome.REJECTED: BatchState.REJECTED,
    Outcome.UNKNOWN: BatchState.UNKNOWN,
}


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
        push: makes one attempt.
        admit: says why no request may be made now, such as a withdrawn verification; None when it may.
        turn: books the next place under the rate limits and returns the seconds until then.
        is_paced: there is such a limit.
        quiet: seconds until requests may be made again; 0 for now.
        screen: says which recipients are to be sent nothing after all; None when nothing changed since the plan.
        observe: told after each commit.
        stop: when set, no further attempt is begun.
        places: as many as this process may have requests under way.
        breaker: follows all attempts of this process on the run.
        holdback: holds all of them back when Metrix asks to wait.
    """

    push: Post
    admit: Callable[[], Problem | None]
    turn: Callable[[], Awaitable[float]]
    is_paced: bool
    quiet: Callable[[], float]
    screen: Callable[[Sequence[str]], Awaitable[dict[str, SkipReason]]] | None
    observe: Callable[[], None]
    stop: asyncio.Event
    places: asyncio.Semaphore
    breaker: Breaker
    holdback: Holdback


@frozen
class Ending:
    """Why a dispatch ended.

    Attributes:
        problem: what halted it.
        wish: what another process asked for.
        interrupted: it was stopped.
    """

    problem: Problem | None = None
    wish: Wish | None = None
    interrupted: bool = False


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
        self._record = record
        self._tally = record.tally
        self._hold = hold
        self._wording = wording
        self._terms = terms
        self._around = around
        self._breaker = around.breaker
        self._rng = random.Random()
        self._after = 0
        self._children: set[int] = set()
        self._canary = True
        self._exhausted = False
        self._fetching = False
        self._busy = 0
        self._dividing = 0
        self._looked_before = -1
        self._too_large: int | None = None
        self._ending: Ending | None = None
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._last: tuple[dict[str, object], bytes] | None = None
        self._clock = asyncio.get_running_loop().time
        self._queue = BatchQueue(self._clock, around.holdback)
        self._writer = Writer(hold, record, self._committed, self._break, terms.concurrency)

    async def run(self) -> Ending:
        """Send until nothing is left, or something ends it.

        Raises:
            LedgerError: the books could not be kept; no request was begun after that.
        """
        watch = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(self._terms.concurrency):
                    lanes.create_task(self._lane())
        finally:
            watch.cancel()
            try:
                await self._writer.close()
            except LedgerError as error:
                self._error = self._error or error
        if self._error is not None:
            raise self._error
        return self._ending or Ending()

    # -- the queue

    async def _lane(self) -> None:
        while (batch := await self._next()) is not None:
            self._busy += 1
            try:
                async with self._around.places:
                    await self._handle(batch)
            except Exception as error:  # noqa: BLE001 - what the other lanes have under way ends first
                self._break(error)
            finally:
                self._busy -= 1
                self._around.holdback.done(batch)
                self._news.set()

    async def _next(self) -> Batch | None:
        while self._ending is None:
            # Quiet hours end by the clock on the wall, which may be set meanwhile: it is looked at again and again.
            wait = max(self._around.holdback.seconds(), min(self._around.quiet(), _LOOK))
            if wait <= 0:
                if self._queue.ready < self._terms.concurrency and not self._exhausted and not self._fetching:
                    await self._fetch()
                    continue
                if batch := self._queue.take():
                    return batch
                if self._is_done() and not self._next_phase():
                    return None
                wait = _IDLE if (due := self._queue.next_due()) is None else due
            await self._wait_for_news(wait)
        return None

    async def _wait_for_news(self, seconds: float) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._news.wait()
        except TimeoutError:
            return

    async def _fetch(self) -> None:
        self._fetching = True
        try:
            found = await self._hold.next_parcels(self._after, canary=self._canary, limit=_PARCELS)
        except LedgerError as error:
            self._break(error)
            return
        finally:
            self._fetching = False
            self._news.set()
        self._exhausted = len(found) < _PARCELS
        for parcel in found:
            self._after = parcel.id
            if parcel.id not in self._children:
                self._queue.add(batch for batch in parcel.taken() if batch.state is BatchState.PENDING)

    def _is_done(self) -> bool:
        return self._exhausted and self._queue.is_empty and not (self._busy or self._dividing or self._fetching)

    def _next_phase(self) -> bool:
        """After those who go first, go on with the others; tells whether there is more to do."""
        if not self._canary:
            self._news.set()
            return False
        self._canary, self._exhausted, self._after = False, False, 0
        failures = self._tally.rejected + self._tally.unknown
        settled = self._tally.accepted + failures
        if 0 < settled <= self._record.facts["canary"] and failures > self._terms.canary_failures:
            why = f"Of those who went first, {failures} were rejected or are unknown."
            self._halt(problem("canary_failed", why))
        return True

    # -- one batch

    async def _handle(self, batch: Batch) -> None:
        if self._terms.policy.on_ambiguous is OnAmbiguous.HOLD and batch.flags & DOUBT and not batch.flags & APPROVED:
            self._conclude(batch, BatchState.UNKNOWN)
            return
        rest = self._said(batch)
        if rest is None:
            return
        body = request_body(batch.recipients, rest)
        if self._too_large is not None and len(body) >= self._too_large and len(batch.recipients) > 1:
            self._divide(batch)
            return
        if not await self._intend(batch):
            return
        # With the intent on disk other runs see this one, so that of two at least one holds to a cap.
        if self._around.screen and (barred := await self._around.screen(batch.recipients)):
            self._take_back(batch)
            self._drop(batch, barred)
            return
        began = self._clock()
        exchange, verdict = await self._around.push(batch, body, self._terms.policy.timeout)
        self._settle(batch, exchange, verdict, rest, len(body), began)

    async def _intend(self, batch: Batch) -> bool:
        """Write down that a request is about to leave; tells whether it may."""
        place = await self._turn()
        refusal = self._refusal() or (None if self._ending else self._breaker.began(again=batch.tries > 0))
        if refusal is not None:
            self._halt(refusal)
        if self._ending:
            return False
        if batch.flags & DOUBT and not batch.flags & REPEATED:
            batch.flags |= REPEATED
            self._tally.possible_duplicates += len(batch.recipients)
        batch.attempts += 1
        self._tally.requests += 1
        self._move(batch, BatchState.SENDING)
        await self._writer.on_disk()
        while self._around.is_paced and self._clock() - place > _LATE and not self._ending:
            place = await self._turn()  # the disk took so long that others have begun to use this moment
        if self._ending:  # while the disk was waited for, something else ended the run
            self._take_back(batch)
            return False
        if not self._hold.is_held:  # a machine that slept meanwhile: others may be sending this by now
            raise LedgerError("Others took this process for dead while it slept.", code="run_lost")
        batch.flags &= ~APPROVED
        return True

    async def _turn(self) -> float:
        """Wait for the next place under the rate limits and return its moment."""
        wait = await self._around.turn()
        place = self._clock() + wait
        await self._pause(wait)
        return place

    def _refusal(self) -> Problem | None:
        """Look whether requests may still be made: once for all claims that become one commit."""
        if self._looked_before == self._writer.commits:
            return None
        self._looked_before = self._writer.commits
        return self._around.admit()

    def _take_back(self, batch: Batch) -> None:
        """Undo an intent of which nothing has left."""
        batch.attempts -= 1
        self._tally.requests -= 1
        self._move(batch, BatchState.PENDING)

    def _settle(self, batch: Batch, exchange: Exchange, verdict: Verdict, rest: bytes, size: int, began: float) -> None:
        batch.status = verdict.status or 0
        if verdict.disposition is Disposition.ACCEPTED:
            self._breaker.answered(verdict)
            self._conclude(batch, BatchState.ACCEPTED)
            return
        doubt = "An earlier attempt may have been taken." if batch.flags & DOUBT else None
        part = Part(tuple(batch.recipients), batch.attempts - 1, batch.tries, doubt).after(verdict)
        batch.tries = part.tries
        if part.doubt is not None:
            batch.flags |= DOUBT
        self._note(batch, exchange, verdict)
        if halt := self._judge_run(verdict, exchange, began):
            self._halt(halt)
        match next_step(part, verdict, self._terms.policy):
            case Step.HALVE:
                if verdict.too_large:
                    self._too_large = min(size, self._too_large or size)
                self._divide(batch)
            case Step.TRY_AGAIN:
                self._try_again(batch)
            case Step.FINISH:
                self._finish(batch, part, verdict, rest)

    def _judge_run(self, verdict: Verdict, exchange: Exchange, began: float) -> Problem | None:
        """Say whether this attempt ends the run, and let an answer that asks to wait hold all lanes back."""
        if verdict.disposition is Disposition.HALT:
            return problem(verdict.code, verdict.explanation)
        if verdict.disposition not in (Disposition.NOT_TAKEN, Disposition.AMBIGUOUS):
            return self._breaker.answered(verdict)
        asked = asked_to_wait(exchange)
        if asked is not None and not self._around.holdback.pause(asked, began):
            return None
        return self._breaker.failed(verdict)

    def _try_again(self, batch: Batch) -> None:
        self._move(batch, BatchState.PENDING)
        # When Metrix asks for a longer wait, the holdback holds this batch back with all others.
        self._queue.add_later(batch, backoff(batch.tries, self._rng))

    def _finish(self, batch: Batch, part: Part, verdict: Verdict, rest: bytes) -> None:
        result = conclude(part, verdict)
        if verdict.disposition is Disposition.HALT or result.outcome is Outcome.NOT_SENT:
            self._move(batch, BatchState.PENDING)
            self._halt(problem(verdict.code, verdict.explanation))
            return
        self._conclude(batch, _STATES[result.outcome])
        if result.outcome is Outcome.REJECTED and (halt := self._breaker.refused_alone(rest, verdict)):
            self._halt(halt)

    def _conclude(self, batch: Batch, state: BatchState) -> None:
        self._move(batch, state)
        failures = self._tally.rejected + self._tally.unknown
        if self._terms.max_failures is not None and failures > self._terms.max_failures:
            why = f"{failures} recipients were rejected or are unknown, more than {self._terms.max_failures}."
            self._halt(problem("too_many_failures", why))

    def _move(self, batch: Batch, state: BatchState) -> None:
        self._tally.move(len(batch.recipients), batch.state, state)
        batch.state = state
        batch.at = int(time.time())
        self._writer.mark(batch)

    def _divide(self, batch: Batch) -> None:
        middle = len(batch.recipients) // 2
        self._replace(batch, [batch.recipients[:middle], batch.recipients[middle:]])

    def _drop(self, batch: Batch, barred: dict[str, SkipReason]) -> None:
        """Skip recipients who may no longer be sent to, and go on with the others."""
        for reason in set(barred.values()):
            rows = [(0, recipient) for recipient in batch.recipients if barred.get(recipient) is reason]
            self._tally.skip(len(rows), reason)
            self._tally.pending -= len(rows)
            self._writer.add(skips=(Skip(reason, rows),))
        rest = [recipient for recipient in batch.recipients if recipient not in barred]
        self._replace(batch, [rest] if rest else [])

    def _replace(self, batch: Batch, parts: list[list[str]]) -> None:
        if batch.state is BatchState.SENDING:
            self._tally.sending -= 1
        batch.state = BatchState.REPLACED
        batch.at = int(time.time())
        self._tally.batches += len(parts) - 1
        if parts:
            self._dividing += 1
            self._writer.add(draft_of(batch, parts))
        self._writer.mark(batch)

    def _said(self, batch: Batch) -> bytes | None:
        if self._last is not None and self._last[0] == batch.values:
            return self._last[1]
        try:
            rest = self._wording.said(batch.values)  # type: ignore[arg-type]
        except MetrixChannelsError as error:
            self._halt(problem(error.code, error.message, error.location))
            return None
        self._last = batch.values, rest
        return rest

    def _note(self, batch: Batch, exchange: Exchange, verdict: Verdict) -> None:
        answer = exchange.body[:_ANSWER] if isinstance(exchange, Reply) else None
        at = iso_utc(datetime.now(UTC))
        self._writer.trouble(
            Trouble(
                batch.parcel.id, batch.slot, at, verdict.disposition.value, verdict.status, verdict.explanation, answer
            )
        )

    # -- the end

    def _committed(self, committed: Committed) -> None:
        for parcel in reversed(committed.drafted):
            self._dividing -= 1
            self._children.add(parcel.id)
            self._queue.add_first(parcel.taken())
        if committed.drafted:
            self._news.set()
        if committed.wish is not None:
            self._end(Ending(wish=committed.wish))
        self._around.observe()

    def _halt(self, why: Problem) -> None:
        self._end(Ending(problem=why))

    def _break(self, error: BaseException) -> None:
        self._error = self._error or error
        self._end(Ending())

    def _end(self, ending: Ending) -> None:
        self._ending = self._ending or ending
        self._ended.set()
        self._news.set()

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    async def _watch(self) -> None:
        """Follow what ends a run from outside: a signal, or a wish of another process."""
        shown = RunState.RUNNING
        while True:
            try:
                async with asyncio.timeout(_IDLE):
                    await self._around.stop.wait()
                    self._end(Ending(interrupted=True))
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
                self._break(error)
                return
            if wish is not None:
                self._end(Ending(wish=wish))
