"""Decides, after the last wait before a request, whether the request may leave now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from ...delivery import Holdback
from ...ledger import Batch
from ...outcomes import Problem
from ...process import wall_clock
from ..calendar import next_quiet_hours
from ..definition import QuietHours
from .ending import Ending, EndingSignal

_SAME_MOMENT_SECONDS: Final = 0.01
"""Requests within this time share one check of the configuration file."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Gate:
    """Checks everything that may forbid the requests of a run. A check costs a few comparisons.

    Args:
        stop: when set, no more requests are made.
        admit: returns why no more requests are allowed, such as a withdrawn verification; None if they are.
        quiet: hours in which no request starts.
        holdback: delays requests when Metrix asks to wait.
        signal: ends the dispatch.
    """

    def __init__(
        self,
        stop: asyncio.Event,
        admit: Callable[[], Problem | None],
        quiet: QuietHours | None,
        holdback: Holdback,
        signal: EndingSignal,
    ) -> None:
        self._stop = stop
        self._admit = admit
        self._quiet = _QuietWatch(quiet) if quiet is not None else None
        self._holdback = holdback
        self._signal = signal
        self._clock = asyncio.get_running_loop().time
        self._admitted_at = -1.0

    @property
    def is_quiet(self) -> bool:
        """Whether quiet hours forbid requests now."""
        return self._quiet is not None and self._quiet.seconds() > 0

    def closed_seconds(self, batch: Batch | None = None) -> float:
        """Return how many seconds a request has to wait before the next check; 0 if it may leave.

        Args:
            batch: of the request; None if it is not known yet.
        """
        held = self._holdback.seconds(batch)
        return held if self._quiet is None else max(held, self._quiet.seconds())

    def is_open(self, batch: Batch) -> bool:
        """Tell whether the request for a batch may leave now; end the dispatch if no more requests are allowed."""
        if self._stop.is_set():
            self._signal.end(Ending(interrupted=True))
        if self._signal.ending is not None or self._holdback.seconds(batch) > 0 or self.is_quiet:
            return False
        if (refusal := self._refusal()) is not None:
            self._signal.halt(refusal)
            return False
        self._holdback.taken(batch)
        return True

    def _refusal(self) -> Problem | None:
        now = self._clock()
        if now - self._admitted_at < _SAME_MOMENT_SECONDS:
            return None
        refusal = self._admit()
        if refusal is None:
            self._admitted_at = now
        return refusal


class _QuietWatch:
    """Caches the start and end of the next quiet hours, so that a check compares two times.

    Args:
        quiet: the hours.
    """

    def __init__(self, quiet: QuietHours) -> None:
        self._quiet = quiet
        self._looked = self._begins = self._ends = _EPOCH

    def seconds(self) -> float:
        """Return the seconds until the next check during quiet hours; 0 outside quiet hours."""
        now = wall_clock.now()
        if not self._looked <= now < self._ends:  # the hours are over, or the clock was set back
            self._looked = now
            self._begins, self._ends = next_quiet_hours(now, self._quiet)
        return wall_clock.step_towards(self._ends) if self._begins <= now else 0.0
