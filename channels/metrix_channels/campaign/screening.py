"""Who is sent nothing: repeated, suppressed and capped recipients, at a memory that does not grow with the audience."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import Final

_BITS: Final = 1 << 28
_MASK: Final = _BITS - 1
_AT_A_TIME: Final = 50_000


class Seen:
    """Finds repetition over a whole audience, in two steps.

    A bitmap of fixed size, in which each recipient has two bits (a Bloom filter), says of most that they are new. The
    few of whom it cannot say so are put aside and, when everybody has been read, looked for among the others.
    """

    def __init__(self) -> None:
        self._bits = bytearray(_BITS >> 3)
        self._firsts = TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._aside = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._aside.execute("PRAGMA cache_size = -4000")
        self._aside.execute("CREATE TABLE aside (recipient TEXT, row INTEGER, vals TEXT)")

    def doubtful(self, recipients: Sequence[str]) -> list[int]:
        """Return the positions of those who may have been there before, here or in an earlier call."""
        bits = self._bits
        found = []
        for position, recipient in enumerate(recipients):
            hashed = hash(recipient)
            one, other = hashed & _MASK, hashed >> 32 & _MASK
            byte, bit = one >> 3, 1 << (one & 7)
            other_byte, other_bit = other >> 3, 1 << (other & 7)
            if bits[byte] & bit and bits[other_byte] & other_bit:
                found.append(position)
            else:
                bits[byte] |= bit
                bits[other_byte] |= other_bit
        return found

    def first(self, recipients: Sequence[str]) -> None:
        """Remember recipients who are certainly new."""
        if recipients:
            self._firsts.write("\n".join(recipients).encode() + b"\n")

    def put_aside(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Keep doubtful rows for the end: recipient, row number, values."""
        self._aside.execute("BEGIN")
        self._aside.executemany("INSERT INTO aside VALUES (?, ?, ?)", rows)
        self._aside.execute("COMMIT")

    def resolved(self) -> Iterator[tuple[str, int, str, bool]]:
        """Give what was put aside, and whether it is a repetition; of equal recipients the first row is none."""
        self._aside.execute("CREATE INDEX by_recipient ON aside (recipient, row)")
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

    def _resolved(self, some: list[tuple[str, int, str]]) -> Iterator[tuple[str, int, str, bool]]:
        wanted = {recipient for recipient, _, _ in some}
        repeated: set[str] = set()
        self._firsts.seek(0)
        for line in self._firsts:
            recipient = line[:-1].decode()
            if recipient in wanted:
                repeated.add(recipient)
        for recipient, row, values in some:
            yield recipient, row, values, recipient in repeated
            repeated.add(recipient)
