"""Stores recipients who must not be sent to: suppressed ones, and those whom campaigns reached too often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ...process.temporary import temporary_files
from ..audience.ids import fold

_FIRST_ALIKE: Final = 5


class ExclusionStore:
    """Excluded recipients in a temporary file on disk, because lists may be long.

    Attributes:
        suppresses: whether there is a list, even an empty one.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA cache_size = -8000")
        self._database.execute(
            "CREATE TABLE suppressed (fold TEXT, recipient TEXT, place TEXT, PRIMARY KEY (fold, recipient))"
            " WITHOUT ROWID"
        )
        self._database.execute(
            "CREATE TABLE reached (recipient TEXT, run INTEGER, at INTEGER, PRIMARY KEY (recipient, run)) WITHOUT ROWID"
        )
        self.suppresses: bool = False
        self._matched = 0

    def suppress(self, recipients: Iterable[tuple[str, str]]) -> None:
        """Add suppressed recipients, each with its place in a list (`FILE:LINE`) or an empty text."""
        self.suppresses = True
        rows = ((fold(who), who, place) for who, place in recipients)
        self._write("INSERT OR IGNORE INTO suppressed VALUES (?, ?, ?)", rows)

    def reach(self, run: int, reached: Iterable[tuple[str, int]]) -> None:
        """Add recipients whom a run reached, with the time in seconds since 1970; one entry per recipient and run."""
        self._write("INSERT OR REPLACE INTO reached VALUES (?, ?, ?)", ((who, run, at) for who, at in reached))

    def suppressed(self, recipients: Sequence[str]) -> tuple[set[str], dict[str, str]]:
        """Return the suppressed `recipients`, and others whose ids look like one on a list.

        The latter come with the place in the list.
        """
        if not self.suppresses or not recipients:
            return set(), {}
        by_fold: dict[str, list[str]] = {}
        for folded, who in zip(fold("\n".join(recipients)).split("\n"), recipients, strict=True):
            by_fold.setdefault(folded, []).append(who)
        found: set[str] = set()
        on_lists: set[str] = set()
        alike: dict[str, str] = {}
        rows = self._among("SELECT fold, recipient, place FROM suppressed WHERE fold IN", list(by_fold))
        for folded, listed, place in rows:
            found.add(listed)
            if place:
                on_lists.add(listed)
                alike |= dict.fromkeys(by_fold[folded], place)
        found.intersection_update(recipients)
        self._matched += len(on_lists & found)
        return found, {who: place for who, place in alike.items() if who not in found}

    def alike(self) -> tuple[int, list[tuple[str, str]]]:
        """Count ids on the lists that look like another id there, and return the places of the first ones."""
        groups = self._database.execute(
            "SELECT count(*) - 1, min(place), max(place) FROM suppressed WHERE place != '' GROUP BY fold"
            " HAVING count(*) > 1"
        )
        count, first = 0, list[tuple[str, str]]()
        for more, one, other in groups:
            count += more
            if len(first) < _FIRST_ALIKE:
                first.append((one, other))
        return count, first

    def matches(self) -> tuple[int, int]:
        """Return how many ids are on the lists, and how many of them `suppressed` has found."""
        (count,) = self._database.execute("SELECT count(*) FROM suppressed WHERE place != ''").fetchone()
        return count, self._matched

    def capped(self, recipients: Sequence[str], count: int, since: int) -> set[str]:
        """Return the `recipients` whom at least `count` runs reached after a time (seconds since 1970)."""
        rest = f" AND at > {since} GROUP BY recipient HAVING count(*) >= {count}"
        rows = self._among("SELECT recipient FROM reached WHERE recipient IN", recipients, rest)
        return {recipient for (recipient,) in rows}

    def close(self) -> None:
        """Delete the file."""
        self._database.close()

    @temporary_files()
    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")

    def _among(self, select: str, texts: Sequence[str], rest: str = "") -> Iterator[tuple[str, ...]]:
        for start in range(0, len(texts), 500):  # SQLite limits the number of variables
            some = texts[start : start + 500]
            yield from self._database.execute(f"{select} ({','.join('?' * len(some))}){rest}", some)
