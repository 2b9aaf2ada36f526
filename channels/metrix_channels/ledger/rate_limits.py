"""Rate limits that all processes of a ledger share: each request books the next place."""

from __future__ import annotations

from .database import Connection, Database


class RateLimits:
    """The rate limits of one ledger: that of the configuration, and those of runs.

    Args:
        database: the ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def book(self, rate: float, patience: float, run: int = 0) -> float | None:
        """Book the next place under a rate limit that all processes of this ledger share.

        Args:
            rate: requests a second.
            patience: seconds; a place later than that is not booked.
            run: whose limit it is; 0 for that of the configuration.

        Returns:
            Seconds to wait before the request; None when there is no place.
        """
        limit = 1 + run

        def work(connection: Connection) -> float | None:
            connection.need_not_last()
            connection.lock(f"rate limit {limit}")
            now = connection.clock()
            found = connection.execute("SELECT next FROM rate_limits WHERE id = ?", (limit,)).fetchone()
            if found is None:
                connection.execute("INSERT INTO rate_limits (id, next) VALUES (?, ?)", (limit, now))
            booked: float = found[0] if found else now
            # Nobody books further ahead than this: the clock began anew when the machine did.
            place = booked if now < booked <= now + patience + 1 / rate else now
            if place > now + patience:
                return None
            connection.execute("UPDATE rate_limits SET next = ? WHERE id = ?", (place + 1 / rate, limit))
            return place - now

        return await self._database.transact(work)
