"""Counts the outcomes of many events while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from ...errors import problem
from ...events import Event
from ...outcomes import EventReceipt, Outcome, Problem

if TYPE_CHECKING:
    from ...delivery import Result

_LISTED: Final = 100


@frozen
class FailedEvent:
    """An event, or a profile, that was not accepted.

    Attributes:
        record: its number, from 1; in a file, its line.
        user: the customUserId, or the metrixUserId.
        error: why it was not accepted.
        receipt: its receipt; None if nothing was sent because the user already has an event of that time.
    """

    record: int
    user: str
    error: Problem
    receipt: EventReceipt | None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "record": self.record,
            "user": self.user,
            "error": self.error.as_dict(),
            "receipt": self.receipt.as_dict() if self.receipt else None,
        }


@frozen(kw_only=True)
class EventsReport:
    """The outcomes of many events; the counts add up to `events`.

    Attributes:
        events: number of all events.
        pending: not tried yet; 0 at the end.
        accepted: Metrix received them.
        rejected: Metrix refused them for good.
        unknown: Metrix may have them.
        not_sent: Metrix certainly did not take them; send them again.
        repeated: not sent, because the user already has an event of that time and Metrix would drop them.
        possible_duplicates: accepted events that Metrix may have received twice; Metrix drops the second one.
        batches: number of requests, without retries; each holds several events.
        failures: the first 100 events that were not accepted.
        halted_by: why sending stopped early; None if every event was tried.
    """

    events: int
    pending: int
    accepted: int
    rejected: int
    unknown: int
    not_sent: int
    repeated: int
    possible_duplicates: int
    batches: int
    failures: tuple[FailedEvent, ...]
    halted_by: Problem | None

    def counts(self) -> dict[str, int]:
        """Return the counts that add up to `events`."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "not_sent": self.not_sent,
            "repeated": self.repeated,
            "pending": self.pending,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "events": self.events,
            **self.counts(),
            "possible_duplicates": self.possible_duplicates,
            "batches": self.batches,
            "failures": [failure.as_dict() for failure in self.failures],
            "halted_by": self.halted_by.as_dict() if self.halted_by else None,
        }


WatchEvents = Callable[[EventsReport], None]
"""Called with the report so far."""


@define
class Counts:
    """The counts while events are sent.

    Attributes:
        events: number of all events.
        halted_by: set by the first batch whose failure makes every other request fail too.
    """

    events: int
    halted_by: Problem | None = None
    _outcomes: dict[Outcome, int] = field(factory=lambda: dict.fromkeys(Outcome, 0))
    _repeated: int = 0
    _duplicates: int = 0
    _batches: int = 0
    _failures: list[FailedEvent] = field(factory=list)

    @property
    def has_begun(self) -> bool:
        """Whether an event was sent, or left out."""
        return bool(self._repeated or any(self._outcomes.values()))

    def count(self, number: int, receipt: EventReceipt) -> None:
        """Count an event that has a receipt."""
        self._outcomes[receipt.outcome] += 1
        self._duplicates += receipt.possible_duplicate
        if receipt.error is not None:
            self._list(FailedEvent(number, receipt.user, receipt.error, receipt))

    def end_batch(self, results: Iterable[Result]) -> None:
        """Count a batch, and halt if its results require it."""
        self._batches += 1
        for result in results:
            if result.halts and self.halted_by is None:
                self.halted_by = result.problem

    def repeat(self, number: int, event: Event) -> None:
        """Count an event that was not sent because the user already has one at the same time."""
        self._repeated += 1
        why = problem("event_time_repeated", f"The user already has an event of the time {event.time}.")
        self._list(FailedEvent(number, event.user[1], why, None))

    def leave_out(self, count: int) -> None:
        """Count events that were not tried because sending stopped."""
        self._outcomes[Outcome.NOT_SENT] += count

    def report(self) -> EventsReport:
        """Return the report so far."""
        return EventsReport(
            events=self.events,
            pending=self.events - sum(self._outcomes.values()) - self._repeated,
            accepted=self._outcomes[Outcome.ACCEPTED],
            rejected=self._outcomes[Outcome.REJECTED],
            unknown=self._outcomes[Outcome.UNKNOWN],
            not_sent=self._outcomes[Outcome.NOT_SENT],
            repeated=self._repeated,
            possible_duplicates=self._duplicates,
            batches=self._batches,
            failures=tuple(self._failures),
            halted_by=self.halted_by,
        )

    def _list(self, failure: FailedEvent) -> None:
        if len(self._failures) < _LISTED:
            self._failures.append(failure)
