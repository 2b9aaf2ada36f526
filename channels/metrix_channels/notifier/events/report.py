"""What became of many events, counted while they are sent."""

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
        record: its number, from 1; in a file, the line.
        user: the customUserId, or the metrixUserId.
        error: why.
        receipt: what became of it; None when its time was refused, so that nothing was sent.
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
    """What became of many events; the counts add up to `events`.

    Attributes:
        events: so many there are.
        pending: not tried yet; none at the end.
        accepted: Metrix received them.
        rejected: Metrix refused them for good.
        unknown: Metrix may have them.
        not_sent: certainly not taken; send them again.
        repeated: the user has an event of that time already, so that Metrix would drop them.
        possible_duplicates: accepted after an attempt that may have been taken too; Metrix drops the second.
        batches: requests for several messages, without their repetitions.
        failures: the first 100 that were not accepted.
        halted_by: why nothing further was sent; None when everything was tried.
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
"""Told how it stands."""


@define
class Counts:
    """The counts as they grow.

    Attributes:
        events: so many there are.
        halted_by: set by the first batch after which nothing further can succeed.
    """

    events: int
    halted_by: Problem | None = None
    _outcomes: dict[Outcome, int] = field(factory=lambda: dict.fromkeys(Outcome, 0))
    _repeated: int = 0
    _duplicates: int = 0
    _batches: int = 0
    _failures: list[FailedEvent] = field(factory=list)

    def count(self, number: int, receipt: EventReceipt) -> None:
        """Count an event that was to be sent."""
        self._outcomes[receipt.outcome] += 1
        self._duplicates += receipt.possible_duplicate
        if receipt.error is not None:
            self._list(FailedEvent(number, receipt.user, receipt.error, receipt))

    def end_batch(self, results: Iterable[Result]) -> None:
        """Count a batch, and halt when its results say so."""
        self._batches += 1
        for result in results:
            if result.halts and self.halted_by is None:
                self.halted_by = result.problem

    def repeat(self, number: int, event: Event) -> None:
        """Count an event whose time the user has already."""
        self._repeated += 1
        why = problem("event_time_repeated", f"The user has an event of the time {event.time} already.")
        self._list(FailedEvent(number, event.user[1], why, None))

    def leave_out(self, count: int) -> None:
        """Count events that were not tried any more."""
        self._outcomes[Outcome.NOT_SENT] += count

    def report(self) -> EventsReport:
        """Return how it stands."""
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
