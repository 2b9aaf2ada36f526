"""Rate limits shared by all processes of a ledger: each request books the next place."""

from __future__ import annotations

import json
from contextlib import suppress

from ..delivery import GRACE_SECONDS, Booking, Bookings, wait_at_most
from ..errors import LedgerError
from .database import Connection, Database


class SharedLimit:
    """A rate limit shared by all processes of a ledger.

    Args:
        database: of the ledger.
        rate: requests per second.
        run: id of the run; 0 for the limit of the configuration.
    """

    def __init__(self, database: Database, rate: float, run: int = 0) -> None:
        self._database = database
        self.rate = rate
        self._row = 1 + run

    async def book(self, patience: float) -> Booking | None:
        """Book the next place.

        Args:
            patience: the longest wait in seconds; a later place is not booked.

        Returns:
            The booking; None if there is no place.

        Raises:
            LedgerError: the ledger cannot be used.
        """

        def work(connection: Connection) -> Booking | None:
            before = self._read(connection)
            now = connection.clock()
            place, after = before.book(now, self.rate, patience)
            if after != before:
                self._write(connection, after)
            return None if place is None else Booking(place, place - now)

        return await self._database.transact(work)

    async def give_back(self, booking: Booking) -> None:
        """Release the place for any process; if the ledger cannot be used, the place is lost."""

        def work(connection: Connection) -> None:
            self._write(connection, self._read(connection).give_back(booking.place))

        with suppress(LedgerError, TimeoutError):  # the caller may be at its deadline
            await wait_at_most(GRACE_SECONDS, self._database.transact(work))

    def _read(self, connection: Connection) -> Bookings:
        connection.need_not_last()
        connection.lock(f"rate limit {self._row}")
        found = connection.execute("SELECT next, free FROM rate_limits WHERE id = ?", (self._row,)).fetchone()
        return Bookings(found[0], tuple(json.loads(found[1]))) if found else Bookings(0.0)

    def _write(self, connection: Connection, bookings: Bookings) -> None:
        connection.execute(
            "INSERT INTO rate_limits (id, next, free) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET next = excluded.next, free = excluded.free",
            (self._row, bookings.next, json.dumps(bookings.free)),
        )


class RateLimits:
    """The rate limits of one ledger: of the configuration, and of runs.

    Args:
        database: of the ledger.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def limit(self, rate: float, run: int = 0) -> SharedLimit:
        """Return the limit of a run or of the configuration.

        Args:
            rate: requests per second.
            run: its id; 0 for the configuration.
        """
        return SharedLimit(self._database, rate, run)
