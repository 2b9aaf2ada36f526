"""Finds repeated recipients over a whole audience, in a memory that does not grow with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import Final

from ...process.temporary import temporary_files

_PLACES: Final = 1 << 25
_MASK: Final = _PLACES - 1
_PROBES: Final = 8
_AT_A_TIME: Final = 50_000


class DuplicateFinder:
    """Finds repetition over a whole audience, in two steps.

    A hash table of fixed size, in which each recipient has one byte of its hash, says of most that they are new. The
    few of whom it cannot say so are put aside and, when everybody has been read, looked for among the others.
    """

    def __init__(self) -> None:
        self._marks = bytearray(_PLACES)
        with temporary_files():
            self._firsts = TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._aside = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._aside.execute("PRAGMA cache_size = -4000")
        self._aside.execute("CREATE TABLE aside (recipient TEXT, row INTEGER, vals TEXT)")

    def doubtful(self, recipients: Sequence[str]) -> list[int]:
        """Return the positions of those who may have been there before, here or in an earlier call."""
        marks = self._marks
        found = []
        for position, hashed in enumerate(map(hash, recipients)):
            place = hashed & _MASK
            if not marks[place]:
                marks[place] = _mark(hashed)
            elif self._may_be_there(hashed, place):
                found.append(position)
        return found

    @temporary_files()
    def first(self, recipients: Sequence[str]) -> None:
        """Remember recipients who are certainly new."""
        if recipients:
            self._firsts.write("\n".join(recipients).encode() + b"\n")

    @temporary_files()
    def put_aside(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Keep doubtful rows for the end: recipient, row number, values."""
        self._aside.execute("BEGIN")
        self._aside.executemany("INSERT INTO aside VALUES (?, ?, ?)", rows)
        self._aside.execute("COMMIT")

    def resolved(self) -> Iterator[tuple[str, int, str, bool]]:
        """Give what was put aside, and whether it is a repetition; of equal recipients the first row is none."""
        with temporary_files():
            self._aside.execute("CREATE INDEX by_recipient ON aside (recipient, row)")
            self._firsts.flush()
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

    def close(self) -> None:
        """Remove what was written to disk."""
        self._firsts.close()
        self._aside.close()

    def _may_be_there(self, hashed: int, place: int) -> bool:
        """Look for a hash, or a place for it, where others stand already."""
        marks, mark, step = self._marks, _mark(hashed), hashed >> 33 | 1
        for _ in range(_PROBES):
            if marks[place] == mark:
                return True
            if not marks[place]:
                marks[place] = mark
                return False
            place = (place + step) & _MASK
        return True

    def _resolved(self, some: list[tuple[str, int, str]]) -> Iterator[tuple[str, int, str, bool]]:
        wanted = {f"{recipient}\n".encode() for recipient, _, _ in some}
        self._firsts.seek(0)
        repeated = {line[:-1].decode() for line in wanted.intersection(self._firsts)}
        for recipient, row, values in some:
            yield recipient, row, values, recipient in repeated
            repeated.add(recipient)


def _mark(hashed: int) -> int:
    return hashed >> 25 & 0xFF or 1
