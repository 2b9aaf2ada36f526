"""The public status of a run: its counts, and the outcome of each row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import evolve, field, frozen

from ...errors.campaigns import CAMPAIGNS, remedy_for
from ...ledger import OVER, REPEATED, Batch, BatchState, Counts, RunBook, RunRecord, RunState, Shard
from ...outcomes import Problem, ProblemDict, iso_utc
from ..plan.findings import described
from ..plan.locale_counts import describe_fallbacks
from .outlook import Outlook

_WORDS = {
    BatchState.PENDING: "pending",
    BatchState.SENDING: "pending",
    BatchState.ACCEPTED: "accepted",
    BatchState.REJECTED: "rejected",
    BatchState.UNKNOWN: "unknown",
    BatchState.CANCELLED: "cancelled",
}


@frozen
class CampaignStatus:
    """The status of a run.

    Attributes:
        campaign: its name.
        run: a unique id.
        state: planning, waiting, running, paused, halted, interrupted, cancelled, finished, finished_with_errors.
        audience: rows; the counts below add up to it.
        accepted: recipients for whom Metrix answered 2xx.
        rejected: recipients whom Metrix refused for good.
        unknown: recipients who may have been reached.
        pending: recipients without an outcome yet.
        cancelled: recipients who get nothing, because the run was cancelled.
        skipped: rows by reason: invalid, duplicate, suppressed, capped, empty.
        batches: requests that the run needs if nothing fails.
        requests: the number of requests made; it never decreases.
        possible_duplicates: recipients who may have received it twice.
        started_at: when planning started.
        finished_at: when it ended.
        halted_by: why it stopped.
        facts: findings of the plan: different texts, SMS parts, cautions, the lines of invalid rows.
        outlook: example messages and first recipients of a new plan, shown before anything is sent.
    """

    campaign: str
    run: str
    state: str
    audience: int
    accepted: int
    rejected: int
    unknown: int
    pending: int
    cancelled: int
    skipped: dict[str, int]
    batches: int
    requests: int
    possible_duplicates: int
    started_at: datetime
    finished_at: datetime | None
    halted_by: Problem | None
    facts: dict[str, Any] = field(factory=dict)
    outlook: Outlook | None = None

    @classmethod
    def of(cls, record: RunRecord) -> CampaignStatus:
        """Return the status of a run from its record."""
        counts = record.counts
        return cls(
            campaign=record.name,
            run=record.run,
            state=record.state.value,
            audience=counts.rows,
            accepted=counts.accepted,
            rejected=counts.rejected,
            unknown=counts.unknown,
            pending=counts.pending,
            cancelled=counts.cancelled,
            skipped=dict(counts.skipped),
            batches=counts.batches,
            requests=counts.requests,
            possible_duplicates=counts.possible_duplicates,
            started_at=record.started_at,
            finished_at=record.finished_at,
            halted_by=_with_own_name(record.halted_by, record.name),
            facts=dict(record.facts),
        )

    @property
    def is_over(self) -> bool:
        """Whether the run is finished or cancelled: nothing more is sent automatically."""
        return RunState(self.state) in OVER

    @property
    def notes(self) -> list[str]:
        """What the plan found in the rows, one line for each finding."""
        return _describe_facts(self.facts)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        halted: ProblemDict | None = self.halted_by.as_dict() if self.halted_by else None
        return {
            "campaign": self.campaign,
            "run": self.run,
            "state": self.state,
            "audience": self.audience,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "pending": self.pending,
            "cancelled": self.cancelled,
            "skipped": self.skipped,
            "batches": self.batches,
            "requests": self.requests,
            "possible_duplicates": self.possible_duplicates,
            "started_at": iso_utc(self.started_at),
            "finished_at": iso_utc(self.finished_at) if self.finished_at else None,
            "halted_by": halted,
        }


@frozen
class CampaignProgress:
    """The progress of a run.

    Attributes:
        planning: whether the audience is still being read; nothing is sent yet.
        share: how much of the phase is done, from 0 to 1; None if not known.
        audience: the number of rows read so far.
        accepted: the number of recipients for whom Metrix answered 2xx.
        rejected: the number of recipients whom Metrix refused.
        unknown: the number of recipients who may have been reached.
        pending: the number of recipients without an outcome yet.
        skipped: the number of rows that are not sent.
        requests: the number of requests made; it never decreases.
        possible_duplicates: recipients who may have received it twice.
        workers: the number of live workers; None if this process sends.
    """

    planning: bool
    share: float | None
    audience: int
    accepted: int
    rejected: int
    unknown: int
    pending: int
    skipped: int
    requests: int
    possible_duplicates: int
    workers: int | None = None

    @classmethod
    def of(
        cls, counts: Counts, share_read: float | None, *, planning: bool, workers: int | None = None
    ) -> CampaignProgress:
        """Return the progress from counts."""
        settled = counts.accepted + counts.rejected + counts.unknown + counts.cancelled
        everybody = settled + counts.pending
        return cls(
            planning=planning,
            share=share_read if planning else settled / everybody if everybody else 1.0,
            audience=counts.rows,
            accepted=counts.accepted,
            rejected=counts.rejected,
            unknown=counts.unknown,
            pending=counts.pending,
            skipped=sum(counts.skipped.values()),
            requests=counts.requests,
            possible_duplicates=counts.possible_duplicates,
            workers=workers,
        )


Watcher = Callable[[CampaignProgress], None]
"""Called with the progress of a run about ten times a second; must return at once."""


@frozen
class CampaignPreview:
    """What a run would do.

    Attributes:
        requests: the first 20 requests, with the API key masked.
        counts: the counts of the plan; `counts.pending` is the number of recipients.
        facts: the findings of the plan: texts, SMS parts, cautions, invalid rows.
    """

    requests: list[dict[str, object]]
    counts: Counts
    facts: dict[str, Any]

    def plan(self) -> dict[str, Any]:
        """Return the JSON form of the plan."""
        return {
            "audience": self.counts.rows,
            "recipients": self.counts.pending,
            "skipped": dict(self.counts.skipped),
            **{
                name: self.facts[name]
                for name in ("batches", "texts", "sms_parts", "sms_encodings", "cautions", "empty", "invalid", "alike")
            },
            **{
                name: self.facts[name]
                for name in ("suppression", "locales", "locale_fallbacks", "cost")
                if name in self.facts
            },
        }

    @property
    def notes(self) -> list[str]:
        """What the plan found in the rows, one line for each finding."""
        return _describe_facts(self.facts)


@frozen
class CampaignRow:
    """The outcome of one row of the audience.

    Attributes:
        recipient: the customUserId; for an invalid row, its readable part.
        channel: the channel's name.
        outcome: accepted, rejected, unknown, pending, cancelled or skipped.
        reason: why it was skipped, or another remark.
        batch: the batch that it was in, as `shard-slot`; empty for a skipped row.
        attempts: the number of requests for the recipient.
        status_code: the HTTP status of the last answer.
        at: the time of the outcome.
    """

    recipient: str
    channel: str
    outcome: str
    reason: str
    batch: str
    attempts: int
    status_code: int | None
    at: datetime | None


async def rows_of(book: RunBook, record: RunRecord) -> AsyncIterator[list[CampaignRow]]:
    """Yield the outcomes of all rows of a run's audience, some thousands at a time; none while it is being planned.

    Raises:
        CampaignError: run_purged.
    """
    record.require_recipients()
    if not record.pins:
        return
    channel = record.pins["channel"]["name"]
    after = 0
    while shards := await book.shards(record.id, after):
        yield [row for shard in shards for row in _rows(shard, channel, live=record.live)]
        after = shards[-1].id
    after = 0
    while skips := await book.skips(record.id, after):
        yield [
            CampaignRow(recipient, channel, "skipped", skip.reason.value, "", 0, None, None)
            for _, skip in skips
            for _, recipient in skip.rows
        ]
        after = skips[-1][0]


def _rows(shard: Shard, channel: str, *, live: bool) -> list[CampaignRow]:
    rows = []
    for batch in shard.taken():
        if batch.state is BatchState.REPLACED:
            continue
        at = datetime.fromtimestamp(batch.at, UTC) if batch.at else None
        reason = _reason(batch, live=live)
        outcome = _WORDS[batch.state]
        rows += [
            CampaignRow(recipient, channel, outcome, reason, batch.name, batch.attempts, batch.status or None, at)
            for recipient in batch.recipients
        ]
    return rows


def _reason(batch: Batch, *, live: bool) -> str:
    if batch.state is BatchState.SENDING and not live:
        return "its request was under way when the process ended"
    if batch.state is BatchState.PENDING and batch.may_have_arrived:
        return "Metrix may have accepted an earlier attempt"
    return "possible duplicate" if batch.flags & REPEATED else ""


def _describe_facts(facts: Mapping[str, Any]) -> list[str]:
    """Describe invalid rows, ids that look alike, and recipients who do not get the locale that their row names."""
    return [*described(facts), *describe_fallbacks(facts)]


def _with_own_name(halted_by: Problem | None, name: str) -> Problem | None:
    """Return why a run was halted; a remedy that is the catalogue's gets the run's own name in its commands."""
    if halted_by is None or halted_by.code not in CAMPAIGNS or halted_by.remedy != CAMPAIGNS[halted_by.code].remedy:
        return halted_by
    return evolve(halted_by, remedy=remedy_for(halted_by.code, name))
