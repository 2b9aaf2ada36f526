"""When a run as a whole must stop, however many batches are left.

An outage must cost little, and a message that is at fault must be found out on few requests.
"""

from __future__ import annotations

from typing import Final

from ..errors import problem
from ..outcomes import Problem
from .policy import MESSAGE_AT_FAULT_AFTER
from .verdict import Disposition, Verdict

MOST_FAILURES: Final = 20
"""Failed attempts in a row, and lone refusals in a row whatever their messages."""
MOST_UNREADABLE: Final = 3
"""Successes in a row that cannot be believed."""
_BUDGET: Final = 20
_SHARE: Final = 0.1


class CircuitBreaker:
    """Follows the attempts of one process on one run."""

    def __init__(self) -> None:
        self._first = 0
        self._again = 0
        self._failures = 0
        self._unreadable = 0
        self._refusals = 0
        self._refused: dict[bytes, int] = {}

    @property
    def has_begun(self) -> bool:
        """An attempt was made."""
        return self._first + self._again > 0

    def began(self, *, again: bool) -> Problem | None:
        """Count an attempt that is about to be made, or forbid it.

        Args:
            again: an earlier request of this process named exactly these recipients.
        """
        if not again:
            self._first += 1
            return None
        if self._again >= _BUDGET + _SHARE * self._first:
            why = f"{self._again} requests were retries, on top of {self._first} first attempts."
            return problem("retries_spent", why)
        self._again += 1
        return None

    def failed(self, verdict: Verdict) -> Problem | None:
        """Count an attempt that Metrix did not take, or of which that is not known."""
        self._failures += 1
        if self._failures < MOST_FAILURES:
            return None
        return problem("outage", f"{self._failures} attempts failed in a row; the last one: {verdict.explanation}")

    def answered(self, verdict: Verdict) -> Problem | None:
        """Count an answer after which a batch is not tried again; it ends a streak of failures."""
        self._failures = 0
        if verdict.disposition is Disposition.ACCEPTED:
            self._unreadable = self._refusals = 0
            self._refused.clear()
        elif verdict.disposition is Disposition.UNREADABLE:
            self._unreadable += 1
            if self._unreadable >= MOST_UNREADABLE:
                why = f"{self._unreadable} answers in a row were not from Metrix: {verdict.explanation}"
                return problem("answers_unreadable", why)
        return None

    def refused_alone(self, message: bytes, verdict: Verdict) -> Problem | None:
        """Count a lone recipient whom Metrix refused a message."""
        self._refusals += 1
        of_one = self._refused[message] = self._refused.get(message, 0) + 1
        if of_one >= MESSAGE_AT_FAULT_AFTER or self._refusals >= MOST_FAILURES:
            why = f"Metrix refused {self._refusals} recipients in a row, one per request: {verdict.explanation}"
            return problem("message_refused", why)
        return None
