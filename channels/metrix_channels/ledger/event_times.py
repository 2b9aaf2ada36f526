"""Times of events: never equal for one user, over all threads and processes of the ledger.

Metrix drops an event behind a 200 when the user has one of the same time (API Troubleshooting, section 2). So a time
belongs to one event from before its request leaves, and is free again only when Metrix certainly has not taken it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen

from ..process import wall_clock
from .checksums import fingerprint
from .database import Connection, Database

_DIGEST: Final = 16
_DOUBTFUL: Final = ""

EventTime = tuple[str, int]
"""A user, as in `Wanted`, and a time in Unix milliseconds."""


@frozen
class Wanted:
    """Times that some events of one user need.

    Attributes:
        user: whatever tells users apart, the application among it.
        times: in Unix milliseconds, one an event; None for any that is free.
    """

    user: str
    times: Sequence[int | None]


class EventTimes:
    """The times that the users' events have.

    Args:
        database: the ledger's file.
        ahead: milliseconds by which a free time may lie ahead of now.
    """

    def __init__(self, database: Database, ahead: int) -> None:
        self._database = database
        self._ahead = ahead

    async def take(self, wanted: Sequence[Wanted]) -> list[list[int | None]] | None:
        """Take times, in one transaction.

        Returns:
            For each of `wanted` its times in their order, and None for one that the user has already. None in place
            of it all: some user's free times are used up for now, and nothing was taken.

        Raises:
            LedgerError: the ledger cannot be used.
        """

        def work(connection: Connection) -> list[list[int | None]] | None:
            now = wall_clock.milliseconds()
            rows: list[tuple[bytes, int, str]] = []
            found = []
            owner = self._database.owner
            users = [_digest(connection, each.user) for each in wanted]
            for user in sorted(set(users)):  # in one order, so that no two wait for each other
                connection.lock(f"times of {user.hex()}")
            for user, each in zip(users, wanted, strict=True):
                given = self._given(connection, user, each.times)
                count = sum(1 for asked in each.times if asked is None)
                free = self._free(connection, user, now, count, {moment for moment in given if moment is not None})
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
        """Write down what became of events; where all were taken, with whatever is written next.

        Until then they count as under way, or as doubtful, once the process is dead. A doubtful time is given to no
        other event by itself; the same event may be sent again with it, and Metrix drops the second of the two.

        Args:
            taken: of events that Metrix has.
            doubtful: of events that it may have.
            freed: of events that it certainly has not.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        groups = [tuple(taken), tuple(doubtful), tuple(freed)]

        def work(connection: Connection) -> None:
            taken, doubtful, freed = (_rows(connection, group) for group in groups)
            connection.executemany('UPDATE event_times SET owner = NULL WHERE "user" = ? AND time = ?', taken)
            connection.executemany("UPDATE event_times SET owner = '' WHERE \"user\" = ? AND time = ?", doubtful)
            connection.executemany('DELETE FROM event_times WHERE "user" = ? AND time = ?', freed)

        if groups[1] or groups[2]:
            await self._database.transact(work, together=True)
        else:
            self._database.defer(work)

    def _given(self, connection: Connection, user: bytes, asked: Sequence[int | None]) -> list[int | None]:
        """Return the explicit times, None in place of those that the user has, or that come twice."""
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

    def _free(self, connection: Connection, user: bytes, now: int, count: int, given: set[int]) -> list[int] | None:
        """Return so many free times, in their order: from the later of now and the last one on."""
        limit = now + self._ahead
        last = connection.execute(
            'SELECT max(time) FROM event_times WHERE "user" = ? AND time <= ?', (user, limit)
        ).fetchone()[0]
        last = max([moment for moment in (last, *given) if moment is not None and moment <= limit], default=now - 1)
        start = max(now, last + 1)
        if start + count - 1 <= limit:
            return list(range(start, start + count))
        # Near the limit: after a burst, or since the clock went back. There may be room between those taken.
        taken = connection.execute(
            'SELECT time FROM event_times WHERE "user" = ? AND time BETWEEN ? AND ?', (user, now, limit)
        )
        room = sorted(set(range(now, limit + 1)) - {row[0] for row in taken} - given)
        return room[:count] if len(room) >= count else None


def _digest(connection: Connection, user: str) -> bytes:
    return fingerprint(connection, user.encode("utf-8", "backslashreplace"), _DIGEST)


def _rows(connection: Connection, events: Iterable[EventTime]) -> list[tuple[bytes, int]]:
    return [(_digest(connection, user), moment) for user, moment in events]
