"""Recipients who are not to be sent to: suppressed ones, and those whom campaigns reached too often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from ...process.temporary import temporary_files


class ExclusionStore:
    """On disk, in a file of its own that the system removes with the process: lists may be long.

    Attributes:
        suppresses: there is a list, however short.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA cache_size = -8000")
        self._database.execute("CREATE TABLE suppressed (recipient TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute(
            "CREATE TABLE reached (recipient TEXT, run INTEGER, at INTEGER, PRIMARY KEY (recipient, run)) WITHOUT ROWID"
        )
        self.suppresses = False

    def suppress(self, recipients: Iterable[str]) -> None:
        """Bar recipients for good."""
        self.suppresses = True
        self._write("INSERT OR IGNORE INTO suppressed VALUES (?)", ((each,) for each in recipients))

    def reach(self, run: int, reached: Iterable[tuple[str, int]]) -> None:
        """Remember whom a run reached, and when, in seconds since 1970; a run reaches nobody twice."""
        self._write("INSERT OR REPLACE INTO reached VALUES (?, ?, ?)", ((who, run, at) for who, at in reached))

    def suppressed(self, recipients: Sequence[str]) -> set[str]:
        """Return those of `recipients` who are suppressed."""
        return (
            self._among("SELECT recipient FROM suppressed WHERE recipient IN", recipients) if self.suppresses else set()
        )

    def capped(self, recipients: Sequence[str], count: int, since: int) -> set[str]:
        """Return those of `recipients` whom `count` runs or more reached after a time in seconds since 1970."""
        rest = f" AND at > {since} GROUP BY recipient HAVING count(*) >= {count}"
        return self._among("SELECT recipient FROM reached WHERE recipient IN", recipients, rest)

    def close(self) -> None:
        """Remove the file."""
        self._database.close()

    @temporary_files()
    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")

    def _among(self, select: str, recipients: Sequence[str], rest: str = "") -> set[str]:
        found: set[str] = set()
        for start in range(0, len(recipients), 500):  # SQLite bounds the number of variables
            some = recipients[start : start + 500]
            rows = self._database.execute(f"{select} ({','.join('?' * len(some))}){rest}", some)
            found.update(recipient for (recipient,) in rows)
        return found
