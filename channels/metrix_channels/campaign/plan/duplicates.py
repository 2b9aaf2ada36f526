"""Finds ids that repeat or look alike over a whole audience, with constant memory."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from operator import itemgetter
from os import SEEK_END
from struct import pack
from tempfile import TemporaryFile
from typing import IO, Final

from ...process.temporary import temporary_files
from ..audience.ids import fold
from .line_runs import LineRuns

_PLACES: Final = 1 << 25
_MASK: Final = _PLACES - 1
_PROBES: Final = 8
_NOT_ZERO: Final = bytes([1, *range(1, 256)])
"""Translates a byte of a hash into a mark: 0 is a free place."""
_AT_ONCE: Final = 1_000
"""Rows that are put aside together, because each transaction takes as long as forty rows."""
_AT_A_TIME: Final = 50_000
_FIRST_ALIKE: Final = 5


class DuplicateFinder:
    """Finds duplicates over a whole audience in two steps.

    A hash table of fixed size stores one byte of the hash of each id. It shows that most ids are new. The few doubtful
    ids are put aside and compared with all others after the whole audience was read. The folded id is hashed, so that
    one table finds both equal ids and ids that only look alike.

    Attributes:
        alike: the number of unique ids that look like another id, after `resolved` is exhausted.
    """

    def __init__(self) -> None:
        self._marks = bytearray(_PLACES)
        with temporary_files():
            self._firsts = TemporaryFile()  # noqa: SIM115 - closed in `close`
            self._folds = TemporaryFile()  # noqa: SIM115 - closed in `close`
            self._lines = TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._aside = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._aside.execute("PRAGMA cache_size = -4000")
        self._aside.execute("CREATE TABLE aside (recipient TEXT, row INTEGER, vals TEXT)")
        self._waiting: list[tuple[str, int, str]] = []
        self.alike: int = 0
        self._alike_first: list[tuple[int, str]] = []

    def doubtful(self, folds: Sequence[str]) -> list[int]:
        """Return the positions of ids that may have occurred before, in this or an earlier call.

        Args:
            folds: recipients, folded.
        """
        marks = self._marks
        hashes = list(map(hash, folds))
        places = [hashed & _MASK for hashed in hashes]
        # A byte of each hash that its place does not depend on.
        new = pack(f"<{len(hashes)}q", *hashes)[4::8].translate(_NOT_ZERO)
        # Almost all of the time is spent waiting for the memory. A read of all places at once waits for many of them
        # together; the loop then finds them in the cache of the processor.
        itemgetter(0, *places)(marks)
        taken = []
        for at, place in enumerate(places):
            if marks[place]:
                taken.append(at)
            else:
                marks[place] = new[at]
        return [at for at in taken if self._may_be_there(hashes[at], new[at])]

    @temporary_files()
    def first(self, recipients: Sequence[str], folds: Sequence[str], lines: LineRuns) -> None:
        """Store recipients who are certainly new.

        Args:
            recipients: their ids.
            folds: the same, folded.
            lines: of the file, parallel to them.
        """
        if not recipients:
            return
        self._firsts.write("\n".join(recipients).encode() + b"\n")
        bounds = [bound for run in lines.runs for bound in (run.start, run.stop)]
        self._lines.write(pack(f"{len(bounds)}I", *bounds))
        if folds is not recipients:
            changed = [folded for folded, who in zip(folds, recipients, strict=True) if folded != who]
            self._folds.write("".join(f"{folded}\n" for folded in changed).encode())

    def put_aside(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Store doubtful rows (recipient, line, values) for `resolved`."""
        self._waiting += rows
        if len(self._waiting) >= _AT_ONCE:
            self._write_waiting()

    def resolved(self) -> Iterator[tuple[str, int, str, bool]]:
        """Yield the rows that were put aside, and whether each is a duplicate; the first of equal rows is not."""
        self._write_waiting()
        with temporary_files():
            self._aside.execute("CREATE INDEX by_recipient ON aside (recipient, row)")
            for file in (self._firsts, self._folds, self._lines):
                file.flush()
        last = ""
        while bound := self._aside.execute(
            "SELECT max(recipient) FROM (SELECT recipient FROM aside WHERE recipient > ? ORDER BY recipient LIMIT ?)",
            (last, _AT_A_TIME),
        ).fetchone()[0]:
            yield from self._resolved(
                self._aside.execute(
                    "SELECT recipient, row, vals FROM aside WHERE recipient > ? AND recipient <= ?"
                    " ORDER BY recipient, row",
                    (last, bound),
                ).fetchall()
            )
            last = bound

    def alike_lines(self) -> list[tuple[int, int]]:
        """Return the lines of the first ids that look like another id, each with the line of the other."""
        wanted = {folded: line for line, folded in self._alike_first}
        others: dict[str, int] = {}
        self._firsts.seek(0)
        for line, who in zip(_numbers(self._lines), self._firsts, strict=True):
            if len(others) == len(wanted):
                break
            folded = fold(who[:-1].decode())
            if folded in wanted and line != wanted[folded]:
                others.setdefault(folded, line)
        return [(others[folded], line) for line, folded in self._alike_first]

    def close(self) -> None:
        """Delete temporary files."""
        for file in (self._firsts, self._folds, self._lines):
            file.close()
        self._aside.close()

    @temporary_files()
    def _write_waiting(self) -> None:
        self._aside.execute("BEGIN")
        self._aside.executemany("INSERT INTO aside VALUES (?, ?, ?)", self._waiting)
        self._aside.execute("COMMIT")
        self._waiting.clear()

    def _may_be_there(self, hashed: int, mark: int) -> bool:
        """Look for a hash; if it is not there, mark the first free of its places."""
        marks, place, step = self._marks, hashed & _MASK, hashed >> 40 | 1
        for _ in range(_PROBES):
            if marks[place] == mark:
                return True
            if not marks[place]:
                marks[place] = mark
                return False
            place = (place + step) & _MASK
        return True

    def _resolved(self, some: list[tuple[str, int, str]]) -> Iterator[tuple[str, int, str, bool]]:
        folds = {recipient: fold(recipient) for recipient, _, _ in some}
        there = _present({*folds, *folds.values()}, self._firsts)
        folds_there = _present({*folds.values()}, self._folds)
        added: list[tuple[str, str, int]] = []
        for recipient, row, values in some:
            folded = folds[recipient]
            yield recipient, row, values, recipient in there
            if recipient not in there:
                if folded in there or folded in folds_there:
                    self.alike += 1
                    self._alike_first = nsmallest(_FIRST_ALIKE, [*self._alike_first, (row, folded)])
                there.add(recipient)
                folds_there.add(folded)
                added.append((recipient, folded, row))
        if added:  # ids of later portions may look like them
            lines = LineRuns([line for *_, line in added])
            self.first([who for who, _, _ in added], [folded for _, folded, _ in added], lines)


def _present(wanted: set[str], file: IO[bytes]) -> set[str]:
    """Return which texts are lines of a file; reads to its end."""
    lines = {f"{text}\n".encode() for text in wanted}
    file.seek(0)
    found = {line[:-1].decode() for line in lines.intersection(file)}
    file.seek(0, SEEK_END)
    return found


def _numbers(file: IO[bytes]) -> Iterator[int]:
    file.seek(0)
    while data := file.read(1 << 16):
        bounds = array("I", data)
        for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
            yield from range(start, stop)
