"""How a run went over time: its batches by outcome, in columns of equal length."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime

from attrs import frozen

from ...ledger import BatchState


@frozen
class Timeline:
    """Batches by the moment of their outcome.

    Attributes:
        first: when the first column begins.
        last: when the last one ends.
        seconds: length of a column.
        accepted, rejected, unknown: batches, one number a column.
    """

    first: datetime
    last: datetime
    seconds: int
    accepted: tuple[int, ...]
    rejected: tuple[int, ...]
    unknown: tuple[int, ...]

    @property
    def most(self) -> float:
        """Batches a second in the busiest column."""
        return max(map(sum, zip(self.accepted, self.rejected, self.unknown, strict=True))) / self.seconds


def timeline(settled: Counter[tuple[BatchState, int]], columns: int = 60) -> Timeline | None:
    """Divide the time from the first outcome to the last one; None while there is none.

    Args:
        settled: how many batches, by their outcome and its time in seconds since 1970.
        columns: as many at the most.
    """
    if not settled:
        return None
    first = min(at for _, at in settled)
    length = max(at for _, at in settled) - first + 1
    seconds = math.ceil(length / columns)
    count = math.ceil(length / seconds)
    rows = {state: [0] * count for state in (BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN)}
    for (state, at), batches in settled.items():
        rows[state][(at - first) // seconds] += batches
    return Timeline(
        first=datetime.fromtimestamp(first, UTC),
        last=datetime.fromtimestamp(first + count * seconds, UTC),
        seconds=seconds,
        accepted=tuple(rows[BatchState.ACCEPTED]),
        rejected=tuple(rows[BatchState.REJECTED]),
        unknown=tuple(rows[BatchState.UNKNOWN]),
    )
