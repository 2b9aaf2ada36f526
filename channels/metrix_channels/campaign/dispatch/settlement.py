"""Settles a batch after an attempt: its next state, and whether the whole run must stop."""

from __future__ import annotations

import random
from typing import Final

from ...api import Exchange, Failure, Reply, Stage
from ...delivery import (
    CircuitBreaker,
    Disposition,
    Holdback,
    Part,
    Policy,
    Step,
    Verdict,
    backoff_seconds,
    conclude,
    next_step,
)
from ...errors import problem
from ...ledger import (
    DOUBT,
    Batch,
    BatchState,
    Counts,
    Draft,
    FailedAttempt,
    SkipReason,
    count_request,
    doubt,
    exclude,
    settle,
    split,
)
from ...outcomes import Outcome, Problem, iso_utc
from ...process import wall_clock
from .ending import EndingSignal
from .feeder import Feeder
from .group_commit import GroupCommit

_LONGEST_ANSWER: Final = 2_000
"""Maximum characters of an answer that are stored with a failed attempt."""
_STATES: Final = {
    Outcome.ACCEPTED: BatchState.ACCEPTED,
    Outcome.REJECTED: BatchState.REJECTED,
    Outcome.UNKNOWN: BatchState.UNKNOWN,
}


class Settlement:
    """Settles batches, for all lanes of a dispatch.

    Args:
        counts: the counts of the run.
        policy: the limits of attempts and retries.
        max_failures: limit of rejected and unknown recipients; None: no limit.
        group_commit: records the changes.
        feeder: queues batches for a retry.
        breaker: counts all attempts of this process on the run.
        holdback: delays all of them when Metrix asks to wait.
        signal: ends the dispatch.
    """

    def __init__(
        self,
        counts: Counts,
        policy: Policy,
        max_failures: int | None,
        group_commit: GroupCommit,
        feeder: Feeder,
        breaker: CircuitBreaker,
        holdback: Holdback,
        signal: EndingSignal,
    ) -> None:
        self._counts = counts
        self._policy = policy
        self._max_failures = max_failures
        self._group_commit = group_commit
        self._feeder = feeder
        self._breaker = breaker
        self._holdback = holdback
        self._signal = signal
        self._rng = random.Random()
        self._too_large: int | None = None

    def is_too_large(self, batch: Batch, size: int) -> bool:
        """Tell whether Metrix refused a request of this size (bytes) as too large, and the batch can be split."""
        return self._too_large is not None and size >= self._too_large and len(batch.recipients) > 1

    def settle(
        self, batch: Batch, exchange: Exchange, verdict: Verdict, message: bytes, size: int, began: float
    ) -> None:
        """Settle a batch after an attempt.

        Args:
            batch: in the state SENDING.
            exchange: what came back.
            verdict: what it means.
            message: of the batch, to distinguish a refused message from refused recipients.
            size: of the request, in bytes.
            began: when the request began, on the event loop's clock.
        """
        if not isinstance(exchange, Failure) or exchange.stage is Stage.BEGUN:
            count_request(batch, self._counts)
        batch.status = verdict.status or 0
        if verdict.is_accepted:
            self._breaker.answered(verdict)
            self.move(batch, BatchState.ACCEPTED)
            return
        earlier = "Metrix may have accepted an earlier attempt." if batch.flags & DOUBT else None
        part = Part(tuple(batch.recipients), batch.attempts - 1, batch.tries, earlier).after(verdict)
        batch.tries = part.tries
        if part.doubt != earlier:  # this attempt is in doubt too
            doubt(batch)
        self._note(batch, exchange, verdict)
        if halt := self._judge_run(verdict, began):
            self._signal.halt(halt)
        match next_step(part, verdict, self._policy):
            case Step.HALVE:
                if verdict.too_large:
                    self._too_large = min(size, self._too_large or size)
                self.halve(batch)
            case Step.TRY_AGAIN:
                self._set(batch, BatchState.PENDING)
                # If Metrix asks for a longer wait, the holdback delays this batch like all others.
                self._feeder.repeat(batch, backoff_seconds(batch.tries, self._rng))
            case Step.FINISH:
                self._finish(batch, part, verdict, message)

    def move(self, batch: Batch, state: BatchState) -> None:
        """Set the outcome of a batch; halt the run after too many failures."""
        self._set(batch, state)
        self._limit_failures()

    def halve(self, batch: Batch) -> None:
        """Replace a batch with its two halves."""
        middle = len(batch.recipients) // 2
        self._replaced(
            batch, split(batch, self._counts, [batch.recipients[:middle], batch.recipients[middle:]], _now())
        )

    def exclude(self, batch: Batch, excluded: dict[str, SkipReason]) -> None:
        """Leave out excluded recipients, and continue with the others."""
        draft, skips = exclude(batch, self._counts, excluded, _now())
        self._group_commit.add(skips=tuple(skips))
        self._replaced(batch, draft)
        self._limit_failures()

    def _limit_failures(self) -> None:
        """Halt the run after too many failures."""
        failures = self._counts.rejected + self._counts.unknown
        if self._max_failures is not None and failures > self._max_failures:
            why = f"Rejected or unknown recipients: {failures}; limits.max_failures is {self._max_failures}."
            self._signal.halt(problem("too_many_failures", why))

    def _judge_run(self, verdict: Verdict, began: float) -> Problem | None:
        """Return why this attempt ends the run, if it does; delay all lanes if the answer asks to wait."""
        if verdict.disposition is Disposition.HALT:
            return problem(verdict.code, verdict.explanation)
        if verdict.disposition not in (Disposition.NOT_TAKEN, Disposition.AMBIGUOUS):
            return self._breaker.answered(verdict)
        asked = verdict.retry_after_seconds
        if asked is not None and not self._holdback.pause(asked, began):
            return None
        return self._breaker.failed(verdict)

    def _finish(self, batch: Batch, part: Part, verdict: Verdict, message: bytes) -> None:
        result = conclude(part, verdict)
        if verdict.disposition is Disposition.HALT or result.outcome is Outcome.NOT_SENT:
            self._set(batch, BatchState.PENDING)
            self._signal.halt(problem(verdict.code, verdict.explanation))
            return
        self.move(batch, _STATES[result.outcome])
        if result.outcome is Outcome.REJECTED and (halt := self._breaker.refused_alone(message, verdict)):
            self._signal.halt(halt)

    def _set(self, batch: Batch, state: BatchState) -> None:
        settle(batch, self._counts, state, _now())
        self._group_commit.write_status(batch)

    def _replaced(self, batch: Batch, draft: Draft | None) -> None:
        if draft is not None:
            self._feeder.expect_parts()
            self._group_commit.add(draft)
        self._group_commit.write_status(batch)

    def _note(self, batch: Batch, exchange: Exchange, verdict: Verdict) -> None:
        answer = exchange.body[:_LONGEST_ANSWER] if isinstance(exchange, Reply) else None
        at = iso_utc(wall_clock.now())
        self._group_commit.add_failed_attempt(
            FailedAttempt(
                batch.shard.id, batch.slot, at, verdict.disposition.value, verdict.status, verdict.explanation, answer
            )
        )


def _now() -> int:
    return int(wall_clock.seconds())
