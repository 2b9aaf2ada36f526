"""A campaign's run as the ledger knows it: its state, its counts, and what is written down in one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from attrs import asdict, define, field, fields_dict, frozen

from ...errors import CampaignError
from ...outcomes import Problem
from .batches import BatchState, Shard

FORGOTTEN: Final = "forgotten_at"
"""The fact of a run whose recipients and values were forgotten, and when."""
CANARY_WAITS: Final = "canary_waits"
"""The fact of a run that pauses after its canary."""
CANARY_RELEASED: Final = "canary_released_at"
"""The fact of a run that was resumed after that, and when."""
SENSITIVE: Final = "sensitive"
"""The fact of a run that names the values that its template calls sensitive."""
VALUES_FORGOTTEN: Final = "values_forgotten_at"
"""The fact of a run that is over whose sensitive values were forgotten, and when."""


class RunState(StrEnum):
    """Where a run stands."""

    PLANNING = "planning"
    WAITING = "waiting"
    """For its schedule, or for the end of the quiet hours."""
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FINISHED_WITH_ERRORS = "finished_with_errors"


LIVE = (RunState.PLANNING, RunState.WAITING, RunState.RUNNING)
"""Some process works on it."""
OVER = (RunState.CANCELLED, RunState.FINISHED, RunState.FINISHED_WITH_ERRORS)
"""It does not go on by itself."""


COUNTED: Final[dict[BatchState, str | None]] = {
    BatchState.PENDING: "pending",
    BatchState.SENDING: "pending",
    BatchState.ACCEPTED: "accepted",
    BatchState.REJECTED: "rejected",
    BatchState.UNKNOWN: "unknown",
    BatchState.CANCELLED: "cancelled",
    BatchState.REPLACED: None,
}
"""By which count the recipients of a batch are counted."""


class SkipReason(StrEnum):
    """Why a row is sent nothing; the first that holds, in this order."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"
    CAPPED = "capped"
    EMPTY = "empty"


class ControlRequest(StrEnum):
    """What another process asks of a run."""

    PAUSE = "pause"
    CANCEL = "cancel"


@define
class Counts:
    """The counts of a run, in recipients where nothing else is said.

    Attributes:
        rows: of the audience; the outcomes and skips always add up to it.
        sending: batches whose intent is on disk and whose outcome is not; their recipients count as pending.
        batches: as they stand, whatever was divided.
        requests: that left, or may have left; it never goes back.
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
        """Count `count` recipients, a batch of which went from one state to another."""
        for state, sign in ((before, -1), (after, 1)):
            if (name := COUNTED[state]) is not None:
                setattr(self, name, getattr(self, name) + sign * count)
            if state is BatchState.SENDING:
                self.sending += sign

    def skip(self, count: int, reason: SkipReason) -> None:
        """Count rows that are sent nothing."""
        self.skipped[reason.value] = self.skipped.get(reason.value, 0) + count

    @property
    def has_begun(self) -> bool:
        """A request has left, or may be leaving."""
        return bool(self.requests or self.sending)

    @property
    def balance(self) -> int:
        """What the outcomes are short of the rows: 0, or the books are wrong."""
        settled = self.accepted + self.rejected + self.unknown + self.pending + self.cancelled
        return self.rows - settled - sum(self.skipped.values())

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """Return the counts of both together; with a sign of -1, what they differ by."""
        reasons = dict.fromkeys([*self.skipped, *other.skipped])
        return Counts(
            **{name: getattr(self, name) + sign * getattr(other, name) for name in NUMBERS},
            skipped={why: self.skipped.get(why, 0) + sign * other.skipped.get(why, 0) for why in reasons},
        )

    def copy(self) -> Counts:
        """Return the counts as they are now."""
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
        name: the campaign's.
        run: unique among all ledgers.
        state: where it stands; a run whose process died is `interrupted`.
        live: a living process works on it.
        file: the campaign file's path.
        pins: what the run may not change.
        facts: what the plan found.
        counts: its counts.
        started_at: when the plan began; the `now` of its templates.
        finished_at: when it was over.
        halted_by: what halted it.
    """

    id: int
    name: str
    run: str
    state: RunState
    live: bool
    file: str
    pins: Mapping[str, Any] = field(repr=False)  # with the context, in which there may be sensitive values
    facts: Mapping[str, Any]
    counts: Counts
    started_at: datetime
    finished_at: datetime | None
    halted_by: Problem | None

    @property
    def waits_after_canary(self) -> bool:
        """It pauses when those who go first have their outcomes, and nobody resumed it after that yet."""
        return bool(self.facts.get(CANARY_WAITS)) and CANARY_RELEASED not in self.facts

    def require_recipients(self) -> None:
        """Refuse what only the recipients can tell, when they were forgotten.

        Raises:
            CampaignError: run_purged.
        """
        if FORGOTTEN in self.facts:
            when = str(self.facts[FORGOTTEN])[:10]
            raise CampaignError(
                f"`ledger purge` deleted the recipients of the campaign {self.name!r} on {when}.", code="run_purged"
            )

    def require_sendable(self) -> None:
        """Refuse to send what the plan no longer holds: recipients, or the sensitive values of their messages.

        Raises:
            CampaignError: run_purged, run_values_forgotten.
        """
        self.require_recipients()
        if VALUES_FORGOTTEN in self.facts:
            names = ", ".join(self.facts[SENSITIVE])
            raise CampaignError(
                f"The campaign {self.name!r} ended at {self.facts[VALUES_FORGOTTEN]}, and its sensitive values"
                f" ({names}) were deleted then.",
                code="run_values_forgotten",
                remedy=f"Run it under another name with `audience: {{except: [{self.name}]}}`.",
            )


@frozen
class Draft:
    """A shard as it is planned.

    Attributes:
        batches: JSON, a list of [values, recipients].
        count: of batches.
        canary: it goes first, alone.
        flags: of each of its batches.
        attempts: of each of its batches.
    """

    batches: str
    count: int
    canary: bool = False
    flags: int = 0
    attempts: int = 0


@frozen
class Skip:
    """Rows of the audience that are sent nothing.

    Attributes:
        reason: why.
        rows: row numbers, from 1, and recipients as far as they could be read.
    """

    reason: SkipReason
    rows: Sequence[tuple[int, str]]


@frozen
class FailedAttempt:
    """An attempt that was not simply accepted."""

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
        disposition: what they came to.
        status_code: of the answer; None when there was none.
        example: what one of them came to, in words.
        attempts: how many.
    """

    disposition: str
    status_code: int | None
    example: str
    attempts: int


@define
class Changes:
    """What one commit of a dispatch writes down.

    Attributes:
        shards: whose statuses changed.
        drafts: new shards, made of batches that were divided.
        skips: recipients who are sent nothing after all.
        failed_attempts: attempts that were not simply accepted.
    """

    shards: list[Shard] = field(factory=list)
    drafts: list[Draft] = field(factory=list)
    skips: list[Skip] = field(factory=list)
    failed_attempts: list[FailedAttempt] = field(factory=list)


@frozen
class Committed:
    """What a commit gives back.

    Attributes:
        drafted: the new shards, in the order of their drafts.
        control: what another process asks for.
    """

    drafted: list[Shard]
    control: ControlRequest | None
