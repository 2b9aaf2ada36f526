"""Records of a campaign's run: its state, its counts, and the changes of one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from attrs import asdict, define, field, fields_dict, frozen

from ...errors import campaign_error
from ...outcomes import Problem
from .batches import SENDING, BatchState, Shard

FORGOTTEN: Final = "forgotten_at"
"""The fact with the time when the recipients and values of a run were purged."""
CANARY_WAITS: Final = "canary_waits"
"""The fact that a run pauses after its canary."""
CANARY_RELEASED: Final = "canary_released_at"
"""The fact with the time when the run was resumed after its canary."""
SENSITIVE: Final = "sensitive"
"""The fact with the names of the sensitive values of the template."""
VALUES_FORGOTTEN: Final = "values_forgotten_at"
"""The fact with the time when the sensitive values of a finished run were deleted."""


class RunState(StrEnum):
    """The state of a run."""

    PLANNING = "planning"
    WAITING = "waiting"
    """Waits for its schedule or for the end of the quiet hours."""
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FINISHED_WITH_ERRORS = "finished_with_errors"


LIVE = (RunState.PLANNING, RunState.WAITING, RunState.RUNNING)
"""A process works on the run."""
OVER = (RunState.CANCELLED, RunState.FINISHED, RunState.FINISHED_WITH_ERRORS)
"""The run does not continue automatically."""


COUNTED: Final[dict[BatchState, str | None]] = {
    BatchState.PENDING: "pending",
    BatchState.SENDING: "pending",
    BatchState.ACCEPTED: "accepted",
    BatchState.REJECTED: "rejected",
    BatchState.UNKNOWN: "unknown",
    BatchState.CANCELLED: "cancelled",
    BatchState.REPLACED: None,
}
"""The count that contains the recipients of a batch, by state."""


class SkipReason(StrEnum):
    """Why a row is skipped; the first reason that applies, in this order."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"
    CAPPED = "capped"
    EMPTY = "empty"


class ControlRequest(StrEnum):
    """A control request of another process."""

    PAUSE = "pause"
    CANCEL = "cancel"

    @property
    def leads_to(self) -> RunState:
        """The state of the run after the request is met."""
        return RunState.PAUSED if self is ControlRequest.PAUSE else RunState.CANCELLED


@define
class Counts:
    """The counts of a run, in recipients unless stated otherwise.

    Attributes:
        rows: rows of the audience; the outcomes and skips always add up to it.
        accepted: recipients for whom Metrix answered 2xx.
        rejected: recipients whom Metrix refused.
        unknown: recipients who may have been reached.
        pending: recipients without an outcome yet.
        cancelled: recipients who get nothing, because the run was cancelled.
        skipped: rows that are not sent, by reason.
        sending: number of batches with an intent but no outcome on disk; their recipients count as pending.
        batches: number of current batches; a split batch counts as its parts.
        requests: number of requests that left or may have left; it never decreases.
        possible_duplicates: recipients of batches that were attempted again after an ambiguous attempt.
    """

    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    pending: int = 0
    cancelled: int = 0
    skipped: dict[str, int] = field(factory=dict)
    sending: int = 0
    batches: int = 0
    requests: int = 0
    possible_duplicates: int = 0

    def move(self, count: int, before: BatchState, after: BatchState) -> None:
        """Move `count` recipients of a batch from one state to another."""
        self.sending += (after is SENDING) - (before is SENDING)
        source, target = COUNTED[before], COUNTED[after]
        if source == target:
            return
        if source is not None:
            setattr(self, source, getattr(self, source) - count)
        if target is not None:
            setattr(self, target, getattr(self, target) + count)

    def skip(self, count: int, reason: SkipReason) -> None:
        """Count skipped rows."""
        self.skipped[reason.value] = self.skipped.get(reason.value, 0) + count

    @property
    def has_begun(self) -> bool:
        """Whether a request has left or may be leaving."""
        return bool(self.requests or self.sending)

    @property
    def balance(self) -> int:
        """Rows minus outcomes and skips; 0 unless the ledger is wrong."""
        settled = self.accepted + self.rejected + self.unknown + self.pending + self.cancelled
        return self.rows - settled - sum(self.skipped.values())

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """Return the sum of both counts, or their difference with a sign of -1."""
        reasons = dict.fromkeys([*self.skipped, *other.skipped])
        return Counts(
            **{name: getattr(self, name) + sign * getattr(other, name) for name in NUMBERS},
            skipped={why: self.skipped.get(why, 0) + sign * other.skipped.get(why, 0) for why in reasons},
        )

    def copy(self) -> Counts:
        """Return a copy of the counts."""
        return self.plus(Counts())

    def dump(self) -> str:
        """Return the JSON form."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Counts:
        """Read what `dump` wrote."""
        return cls(**json.loads(text))


NUMBERS: Final[tuple[str, ...]] = tuple(name for name in fields_dict(Counts) if name != "skipped")
"""The counts that are single numbers."""


@frozen
class RunRecord:
    """A run.

    Attributes:
        id: in the ledger.
        name: of the campaign.
        run: an id that is unique among all ledgers.
        state: of the run; `interrupted` if its process died.
        live: whether a live process works on it.
        file: the path of the campaign file; relative to the folder of the configuration if it is inside.
        pins: what must not change.
        facts: findings of the plan.
        counts: of the run.
        started_at: when the plan started; the `now` of its templates.
        finished_at: when it ended.
        halted_by: the problem that halted it.
    """

    id: int
    name: str
    run: str
    state: RunState
    live: bool
    file: str
    pins: Mapping[str, Any] = field(repr=False)  # contains the context, which may have sensitive values
    facts: Mapping[str, Any]
    counts: Counts
    started_at: datetime
    finished_at: datetime | None
    halted_by: Problem | None

    @property
    def waits_after_canary(self) -> bool:
        """Whether the run pauses after its canary and was not resumed after that yet."""
        return bool(self.facts.get(CANARY_WAITS)) and CANARY_RELEASED not in self.facts

    def require_recipients(self) -> None:
        """Refuse an operation that needs the recipients if they were purged.

        Raises:
            CampaignError: run_purged.
        """
        if FORGOTTEN in self.facts:
            when = str(self.facts[FORGOTTEN])[:10]
            message = f"`ledger purge` deleted the recipients of the campaign {self.name!r} on {when}."
            raise campaign_error(message, "run_purged", self.name)

    def require_sendable(self) -> None:
        """Refuse to send if recipients or sensitive values were deleted from the plan.

        Raises:
            CampaignError: run_purged, run_values_forgotten.
        """
        self.require_recipients()
        if VALUES_FORGOTTEN in self.facts:
            names = ", ".join(self.facts[SENSITIVE])
            message = (
                f"The campaign {self.name!r} ended at {self.facts[VALUES_FORGOTTEN]}, and its sensitive values"
                f" ({names}) were deleted then."
            )
            raise campaign_error(message, "run_values_forgotten", self.name)


@frozen
class Draft:
    """A new shard.

    Attributes:
        batches: JSON, a list of [values, recipients].
        count: number of batches.
        canary: whether it belongs to the canary.
        flags: of each of its batches.
        attempts: of each of its batches.
        at: of the last change of each of its batches, in seconds since 1970; 0 if there was none.
    """

    batches: str
    count: int
    canary: bool = False
    flags: int = 0
    attempts: int = 0
    at: int = 0


@frozen
class Skip:
    """Skipped rows of the audience.

    Attributes:
        reason: why they are skipped.
        rows: row numbers, from 1, with the readable part of the recipients.
    """

    reason: SkipReason
    rows: Sequence[tuple[int, str]]


@frozen
class FailedAttempt:
    """An attempt that was not accepted."""

    shard: int
    slot: int
    at: str
    disposition: str
    status: int | None
    explanation: str
    answer: str | None


@frozen
class FailureCount:
    """Attempts of a run that were not accepted, for one reason.

    Attributes:
        disposition: how the attempts ended, such as `refused` or `ambiguous`.
        status_code: the HTTP status of the answer; None if there was none.
        example: the explanation of one of them.
        attempts: the number of attempts.
    """

    disposition: str
    status_code: int | None
    example: str
    attempts: int


@define
class Changes:
    """The changes of one commit of a dispatch.

    Attributes:
        shards: with changed statuses.
        drafts: new shards with the parts of split batches.
        skips: newly skipped recipients.
        failed_attempts: see `FailedAttempt`.
    """

    shards: list[Shard] = field(factory=list)
    drafts: list[Draft] = field(factory=list)
    skips: list[Skip] = field(factory=list)
    failed_attempts: list[FailedAttempt] = field(factory=list)


@frozen
class Committed:
    """The result of a commit.

    Attributes:
        drafted: the new shards, in the order of their drafts.
        control: the control request of another process.
    """

    drafted: list[Shard]
    control: ControlRequest | None
