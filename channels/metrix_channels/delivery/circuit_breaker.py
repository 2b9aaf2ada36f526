"""Decides when a whole run must halt, even if batches are left.

Neither an outage nor a message that is at fault may cost many requests.
"""

from __future__ import annotations

from typing import Final

from ..errors import problem
from ..outcomes import Problem
from .policy import MESSAGE_AT_FAULT_AFTER
from .verdict import Disposition, Verdict

MOST_FAILURES: Final = 20
"""A run halts after this number of failed attempts in a row, or of refused single recipients in a row."""
MOST_UNREADABLE: Final = 3
"""A run halts after this number of answers in a row that report success but cannot be trusted."""
_BUDGET: Final = 20
_SHARE: Final = 0.1


class CircuitBreaker:
    """Counts the attempts of one process for one run."""

    def __init__(self) -> None:
        self._first = 0
        self._again = 0
        self._failures = 0
        self._unreadable = 0
        self._refusals = 0
        self._refused: dict[bytes, int] = {}

    @property
    def has_begun(self) -> bool:
        """Whether an attempt was made."""
        return self._first + self._again > 0

    def began(self, *, again: bool) -> Problem | None:
        """Count an attempt that is about to be made; return why it must not be made, or None.

        Args:
            again: this process already sent a request to exactly these recipients.
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
        """Count an attempt that Metrix did not accept, or may not have accepted; return why the run halts, or None."""
        self._failures += 1
        if self._failures < MOST_FAILURES:
            return None
        return problem("outage", f"{self._failures} attempts failed in a row; the last one: {verdict.explanation}")

    def answered(self, verdict: Verdict) -> Problem | None:
        """Count an answer after which a batch is not retried; return why the run halts, or None."""
        self._failures = 0
        if verdict.is_accepted:
            self._unreadable = self._refusals = 0
            self._refused.clear()
        elif verdict.disposition is Disposition.UNREADABLE:
            self._unreadable += 1
            if self._unreadable >= MOST_UNREADABLE:
                why = f"{self._unreadable} answers in a row could not be trusted: {verdict.explanation}"
                return problem("answers_unreadable", why)
        return None

    def refused_alone(self, message: bytes, verdict: Verdict) -> Problem | None:
        """Count a refused request for a single recipient; return why the run halts, or None."""
        self._refusals += 1
        of_one = self._refused[message] = self._refused.get(message, 0) + 1
        if of_one >= MESSAGE_AT_FAULT_AFTER or self._refusals >= MOST_FAILURES:
            why = f"Metrix refused {self._refusals} recipients in a row, one per request: {verdict.explanation}"
            return problem("message_refused", why)
        return None
