"""The timeline of a run: its batches by outcome, in columns of equal duration."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime

from attrs import frozen

from ...ledger import BatchState


@frozen
class Timeline:
    """Batches by the time of their outcome.

    Attributes:
        first: the start of the first column.
        last: the end of the last column.
        seconds: the duration of a column.
        accepted: for each column, the number of batches that Metrix accepted.
        rejected: for each column, the number of rejected batches.
        unknown: for each column, the number of batches with an unknown outcome.
    """

    first: datetime
    last: datetime
    seconds: int
    accepted: tuple[int, ...]
    rejected: tuple[int, ...]
    unknown: tuple[int, ...]

    @property
    def most(self) -> float:
        """Batches per second in the busiest column."""
        return max(map(sum, zip(self.accepted, self.rejected, self.unknown, strict=True))) / self.seconds


def timeline(settled: Counter[tuple[BatchState, int]], columns: int = 60) -> Timeline | None:
    """Divide the time from the first to the last outcome into columns; None if there is no outcome.

    Args:
        settled: the number of batches by outcome and time (seconds since 1970).
        columns: the maximum number.
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
