"""Places under rate limits: each request books one, waits for it, and gives it back when it may not leave after all."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from attrs import frozen

from .deadline import GRACE_SECONDS, wait_at_most

_LONGEST_STEP_SECONDS: Final = 0.5
_LATE_SECONDS: Final = 0.03
"""A place can be used for so long at least, however soon the next one comes."""


@frozen
class Bookings:
    """What is booked under one limit, on whatever clock the limit has: a value, from which each step makes the next.

    Attributes:
        next: the first place that nobody has booked yet.
        free: earlier places that were given back.
    """

    next: float
    free: tuple[float, ...] = ()

    def book(self, now: float, rate: float, patience: float) -> tuple[float | None, Bookings]:
        """Book the first place that is free.

        Args:
            now: on the limit's clock.
            rate: requests a second.
            patience: seconds; a place later than that is not booked.

        Returns:
            The place, None when there is none; and the places that are left.
        """
        interval = 1 / rate
        # Nobody books further ahead than this: the clock began anew when the machine did.
        if not now < self.next <= now + patience + interval:
            return now, Bookings(now + interval)
        # A place that was given back can be used until the one after it.
        free = tuple(place for place in self.free if now - interval < place)
        place = min(free, default=self.next)
        if place > now + patience:
            return None, Bookings(self.next, free)
        if free:
            return place, Bookings(self.next, tuple(other for other in free if other != place))
        return place, Bookings(place + interval)

    def give_back(self, place: float) -> Bookings:
        """Let somebody else book a place."""
        return Bookings(self.next, (*self.free, place))


@frozen
class Booking:
    """A place under one limit.

    Attributes:
        place: on the limit's clock.
        seconds: until then; less than 0 for one that was given back and is not over yet.
    """

    place: float
    seconds: float


class Limit(Protocol):
    """One rate limit."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        ...

    async def book(self, patience: float) -> Booking | None:
        """Book the next place; None when there is none within so many seconds."""
        ...

    async def give_back(self, booking: Booking) -> None:
        """Let somebody else book the place."""
        ...


class ProcessLimit:
    """A rate limit of this process alone.

    Args:
        rate: requests a second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._bookings = Bookings(0.0)

    async def book(self, patience: float) -> Booking | None:
        """See `Limit`."""
        now = asyncio.get_running_loop().time()
        place, self._bookings = self._bookings.book(now, self.rate, patience)
        return None if place is None else Booking(place, place - now)

    async def give_back(self, booking: Booking) -> None:
        """See `Limit`."""
        self._bookings = self._bookings.give_back(booking.place)


@frozen
class Place:
    """The moment at which a request may leave.

    Attributes:
        moment: on the event loop's clock.
        ends: when the next place begins, or a moment later.
        bookings: what was booked for it, under each limit.
    """

    moment: float
    ends: float
    bookings: tuple[tuple[Limit, Booking], ...] = ()

    @property
    def is_late(self) -> bool:
        """It has passed: a request that left now would be one too many for this moment."""
        return asyncio.get_running_loop().time() > self.ends


_ANY_TIME: Final = Place(math.inf, math.inf)


class RateLimiter:
    """Gives out places under several limits at once.

    Args:
        limits: each of them; without any, no request waits.
    """

    def __init__(self, limits: Sequence[Limit] = ()) -> None:
        self._limits = limits

    async def wait(
        self, patience: float, may_go_on: Callable[[], bool], sleep: Callable[[float], Awaitable[None]]
    ) -> Place | None:
        """Book a place and wait for it. Whoever has it looks once more at what may forbid the request.

        Args:
            patience: seconds; a place later than that is not booked.
            may_go_on: asked again and again during the wait.
            sleep: waits for some seconds, or less.

        Returns:
            The place; None, with nothing booked, when there is none within `patience` or the wait may not go on.
        """
        if not self._limits:
            return _ANY_TIME
        place = await self._book_while_wanted(patience)
        clock = asyncio.get_running_loop().time
        try:
            while place is not None and (left := place.moment - clock()) > 0:
                await sleep(min(left, _LONGEST_STEP_SECONDS))
                if not may_go_on():
                    await self.give_back(place)
                    place = None
        except BaseException:
            if place is not None:
                await self.give_back(place)
            raise
        return place

    async def give_back(self, place: Place) -> None:
        """Let somebody else use a place that could not be used; the ledger is not waited for."""
        with suppress(TimeoutError):
            await wait_at_most(0, self._give_back(place))

    async def _give_back(self, place: Place) -> None:
        for limit, booking in place.bookings:
            await limit.give_back(booking)

    async def _book_while_wanted(self, patience: float) -> Place | None:
        """Book a place; one that comes after the caller was cancelled is given back."""
        is_wanted = True

        async def book() -> Place | None:
            place = await self._book(patience)
            if place is not None and not is_wanted:
                await self._give_back(place)
            return place

        try:
            return await wait_at_most(patience + GRACE_SECONDS, book())
        except TimeoutError:
            is_wanted = False
            return None
        except asyncio.CancelledError:
            is_wanted = False
            raise

    async def _book(self, patience: float) -> Place | None:
        place = Place(-math.inf, -math.inf)
        for limit in self._limits:
            booking = await limit.book(patience)
            if booking is None:
                await self._give_back(place)
                return None
            moment = asyncio.get_running_loop().time() + booking.seconds
            ends = moment + max(1 / limit.rate, _LATE_SECONDS)
            place = Place(max(place.moment, moment), max(place.ends, ends), (*place.bookings, (limit, booking)))
        return place
