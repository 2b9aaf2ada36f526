"""Enforces rate limits: each request books a place, waits for it, and gives it back if it is not sent after all."""

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
"""The minimum time for which a place can be used, even if the next one comes sooner."""


@frozen
class Bookings:
    """The bookings under one limit, in times of the limit's clock. Each step returns a new value.

    Attributes:
        next: the first place that has never been booked.
        free: earlier places that were given back.
    """

    next: float
    free: tuple[float, ...] = ()

    def book(self, now: float, rate: float, patience: float) -> tuple[float | None, Bookings]:
        """Book the first free place.

        Args:
            now: the time on the limit's clock.
            rate: requests per second.
            patience: the maximum seconds to wait; later places are not booked.

        Returns:
            The place, or None if there is none in time; and the new bookings.
        """
        interval = 1 / rate
        # Nobody books further ahead than this, so the clock restarted together with the machine.
        if not now < self.next <= now + patience + interval:
            return now, Bookings(now + interval)
        # A place that was given back can be used until the next one begins.
        free = tuple(place for place in self.free if now - interval < place)
        place = min(free, default=self.next)
        if place > now + patience:
            return None, Bookings(self.next, free)
        if free:
            return place, Bookings(self.next, tuple(other for other in free if other != place))
        return place, Bookings(place + interval)

    def give_back(self, place: float) -> Bookings:
        """Return the bookings after a place was given back."""
        return Bookings(self.next, (*self.free, place))


@frozen
class Booking:
    """A booked place under one limit.

    Attributes:
        place: the time on the limit's clock.
        seconds: the seconds until then; negative for a place that was given back and can still be used.
    """

    place: float
    seconds: float


class Limit(Protocol):
    """One rate limit."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        ...

    async def book(self, patience: float) -> Booking | None:
        """Book the next place; return None if there is none within `patience` seconds."""
        ...

    async def give_back(self, booking: Booking) -> None:
        """Give the place back, so that another request can book it."""
        ...


class ProcessLimit:
    """A rate limit for this process only.

    Args:
        rate: requests per second.
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
    """The time at which a request may be sent.

    Attributes:
        moment: the time on the event loop's clock.
        ends: until when the request may be sent: the start of the next place, or a little later.
        bookings: the booking under each limit.
    """

    moment: float
    ends: float
    bookings: tuple[tuple[Limit, Booking], ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether the place has passed: a request that is sent now could exceed the rate."""
        return bool(self.bookings) and asyncio.get_running_loop().time() > self.ends


ANY_TIME: Final = Place(math.inf, math.inf)
"""The place of a request without limits."""


class RateLimiter:
    """Books places under several limits at once.

    Args:
        limits: the limits; without any, no request waits.
    """

    def __init__(self, limits: Sequence[Limit] = ()) -> None:
        self._limits = limits

    @property
    def has_limits(self) -> bool:
        """Whether a request may have to wait."""
        return bool(self._limits)

    async def wait(
        self, patience: float, may_go_on: Callable[[], bool], sleep: Callable[[float], Awaitable[None]]
    ) -> Place | None:
        """Book a place and wait for it. The caller must check again afterwards whether the request may be sent.

        Args:
            patience: the maximum seconds to wait; later places are not booked.
            may_go_on: called repeatedly during the wait.
            sleep: waits for a number of seconds, or less.

        Returns:
            The place; or None, with nothing booked, if there is none within `patience` or `may_go_on` returned false.
        """
        if not self._limits:
            return ANY_TIME
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
        """Give an unused place back to other requests, without waiting for the ledger."""
        with suppress(TimeoutError):
            await wait_at_most(0, self._give_back(place))

    async def _give_back(self, place: Place) -> None:
        for limit, booking in place.bookings:
            await limit.give_back(booking)

    async def _book_while_wanted(self, patience: float) -> Place | None:
        """Book a place; if the caller is cancelled or gives up meanwhile, give it back."""
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
