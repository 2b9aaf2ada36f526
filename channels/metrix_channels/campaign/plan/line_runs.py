"""Line numbers as runs of consecutive numbers: a chunk of a thousand rows has few gaps, and rarely needs a number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import overload


class LineRuns(Sequence[int]):
    """The lines of some rows.

    Args:
        lines: of more rows.
        without: positions in `lines` of rows to leave out, ascending.

    Attributes:
        runs: the lines as runs of consecutive numbers.
    """

    def __init__(self, lines: Sequence[int], without: Sequence[int] = ()) -> None:
        ends = pairwise([-1, *without, len(lines)])
        pieces = [lines[before + 1 : after] for before, after in ends if after - before > 1]
        self.runs: list[range] = list(chain.from_iterable(map(_runs, pieces)))
        self._starts = [0, *accumulate(map(len, self.runs))]

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.runs)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        run = bisect_right(self._starts, at) - 1
        return self.runs[run][at - self._starts[run]]


def _runs(lines: Sequence[int]) -> list[range]:
    return [lines] if isinstance(lines, range) else [range(line, line + 1) for line in lines]
