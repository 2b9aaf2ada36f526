"""Keeps the times of a user's events unique, over all threads and processes of the ledger.

Metrix answers 200 but drops an event if the user has another one with the same time (API Troubleshooting, section 2).
Therefore a time is reserved before the request leaves, and released only if Metrix certainly did not accept the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen

from ..errors import LedgerError
from ..process import wall_clock
from .checksums import fingerprint
from .database import PASSING, Connection, Database

_DIGEST: Final = 16
_DOUBTFUL: Final = ""

EventTime = tuple[str, int]
"""A user, as in `Wanted`, and a time in Unix milliseconds."""


@frozen
class Wanted:
    """Times for the events of one user.

    Attributes:
        user: identifies the user, including the application.
        times: in Unix milliseconds, one per event; None for any free time.
    """

    user: str
    times: Sequence[int | None]


class EventTimes:
    """The times of all users' events.

    Args:
        database: the ledger's file.
        ahead: how far in the future a free time may be, in milliseconds.
    """

    def __init__(self, database: Database, ahead: int) -> None:
        self._database = database
        self._ahead = ahead

    async def take(self, wanted: Sequence[Wanted]) -> list[list[int | None]] | None:
        """Reserve times in one transaction.

        Returns:
            For each of `wanted`, its times in order, with None for a time that the user already has. Just None if a
            user has no free times left for now; nothing was reserved then.

        Raises:
            LedgerError: the ledger cannot be used.
        """

        def work(connection: Connection) -> list[list[int | None]] | None:
            now = wall_clock.milliseconds()
            rows: list[tuple[bytes, int, str]] = []
            found = []
            owner = self._database.owner
            users = [_digest(connection, each.user) for each in wanted]
            for user in sorted(set(users)):  # in a fixed order, to avoid deadlocks
                connection.lock(f"times of {user.hex()}")
            for user, each in zip(users, wanted, strict=True):
                given = self._check_explicit(connection, user, each.times)
                count = sum(1 for asked in each.times if asked is None)
                free = self._find_free(connection, user, now, count, {moment for moment in given if moment is not None})
                if free is None:
                    return None
                waiting, explicit = iter(free), iter(given)
                taken = [next(waiting) if asked is None else next(explicit) for asked in each.times]
                rows += [(user, moment, owner) for moment in taken if moment is not None]
                found.append(taken)
            connection.executemany(
                'INSERT INTO event_times ("user", time, owner) VALUES (?, ?, ?)'
                ' ON CONFLICT ("user", time) DO UPDATE SET owner = excluded.owner',
                rows,
            )
            return found

        return await self._database.transact(work, together=True)

    async def settle(
        self, taken: Iterable[EventTime], doubtful: Iterable[EventTime], freed: Iterable[EventTime]
    ) -> None:
        """Record the outcomes of events; with the next transaction, if all were accepted or the ledger fails for now.

        Until then they count as in flight, or as doubtful if the process is dead. A doubtful time is not assigned to
        another event. The same event may be sent again with it; Metrix then drops the duplicate.

        Args:
            taken: of events that Metrix accepted.
            doubtful: of events that it may have accepted.
            freed: of events that it certainly did not accept.

        Raises:
            LedgerError: the ledger is damaged.
        """
        groups = [tuple(taken), tuple(doubtful), tuple(freed)]

        def work(connection: Connection) -> None:
            taken, doubtful, freed = (_rows(connection, group) for group in groups)
            connection.executemany('UPDATE event_times SET owner = NULL WHERE "user" = ? AND time = ?', taken)
            connection.executemany("UPDATE event_times SET owner = '' WHERE \"user\" = ? AND time = ?", doubtful)
            connection.executemany('DELETE FROM event_times WHERE "user" = ? AND time = ?', freed)

        if not (groups[1] or groups[2]):
            self._database.defer(work)
            return
        try:
            await self._database.transact(work, together=True)
        except LedgerError as error:
            if error.code not in PASSING:
                raise
            self._database.defer(work)  # the caller must learn the outcomes all the same

    def _check_explicit(self, connection: Connection, user: bytes, asked: Sequence[int | None]) -> list[int | None]:
        """Return the explicit times, with None for those that the user already has or that occur twice."""
        times: list[int | None] = []
        seen: set[int] = set()
        for moment in asked:
            if moment is None:
                continue
            times.append(None if moment in seen or self._is_taken(connection, user, moment) else moment)
            seen.add(moment)
        return times

    def _is_taken(self, connection: Connection, user: bytes, moment: int) -> bool:
        found = connection.execute(
            'SELECT owner FROM event_times WHERE "user" = ? AND time = ?', (user, moment)
        ).fetchone()
        if found is None or found[0] == _DOUBTFUL:
            return False
        return found[0] is None or self._database.is_alive(connection, found[0])

    def _find_free(
        self, connection: Connection, user: bytes, now: int, count: int, given: set[int]
    ) -> list[int] | None:
        """Return `count` free times in order, starting at the later of now and the last used time."""
        limit = now + self._ahead
        last = connection.execute(
            'SELECT max(time) FROM event_times WHERE "user" = ? AND time <= ?', (user, limit)
        ).fetchone()[0]
        last = max([moment for moment in (last, *given) if moment is not None and moment <= limit], default=now - 1)
        start = max(now, last + 1)
        if start + count - 1 <= limit:
            return list(range(start, start + count))
        # The limit is near, after a burst or after the clock was set back. Look for gaps between the used times.
        taken = connection.execute(
            'SELECT time FROM event_times WHERE "user" = ? AND time BETWEEN ? AND ?', (user, now, limit)
        )
        room = sorted(set(range(now, limit + 1)) - {row[0] for row in taken} - given)
        return room[:count] if len(room) >= count else None


def _digest(connection: Connection, user: str) -> bytes:
    return fingerprint(connection, user.encode("utf-8", "backslashreplace"), _DIGEST)


def _rows(connection: Connection, events: Iterable[EventTime]) -> list[tuple[bytes, int]]:
    return [(_digest(connection, user), moment) for user, moment in events]
