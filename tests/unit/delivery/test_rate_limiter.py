"""Places under the rate limits: booked in order, waited for, given back."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.simulated_time import run
from metrix_channels.delivery import Booking, Bookings, ProcessLimit, RateLimiter


def go_on():
    return True


async def moments(limiter, count, patience=60.0, may_go_on=go_on):
    """Let so many requests wait for their places together; return when each may leave, None for those that may not."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one():
        place = await limiter.wait(patience, may_go_on, asyncio.sleep)
        return None if place is None else round(loop.time() - began, 3)

    return await asyncio.gather(*(one() for _ in range(count)))


def test_places_are_evenly_spaced():
    """Without a burst at the start, which many servers punish."""
    assert run(moments(RateLimiter([ProcessLimit(10.0)]), 4)) == [0.0, 0.1, 0.2, 0.3]


def test_the_longer_wait_counts():
    """The run's own, or the one that all processes share."""
    assert run(moments(RateLimiter([ProcessLimit(10.0), ProcessLimit(4.0)]), 3)) == [0.0, 0.25, 0.5]
    assert run(moments(RateLimiter([ProcessLimit(4.0), ProcessLimit(10.0)]), 3)) == [0.0, 0.25, 0.5]


def test_without_a_limit_nobody_waits():
    """Nothing is counted."""
    assert run(moments(RateLimiter(), 3)) == [0.0, 0.0, 0.0]


def test_a_place_beyond_the_patience_is_not_booked():
    """Neither under the limit that has none, nor under the others."""
    fast, slow = ProcessLimit(10.0), ProcessLimit(0.1)
    assert run(moments(RateLimiter([fast, slow]), 3, patience=5.0)) == [0.0, None, None]

    async def afterwards():
        limiter = RateLimiter([fast, slow])
        await moments(limiter, 3, patience=5.0)
        return await fast.book(60.0)

    assert run(afterwards()).seconds == pytest.approx(0.1)


def test_a_wait_that_may_not_go_on_gives_its_place_to_the_next():
    """Within half a second, though the place is far away."""

    async def scenario():
        limit = ProcessLimit(0.1)
        limiter = RateLimiter([limit])
        first = await moments(limiter, 1)
        forbidden = asyncio.Event()
        waiting = asyncio.create_task(moments(limiter, 1, may_go_on=lambda: not forbidden.is_set()))
        await asyncio.sleep(3)
        forbidden.set()
        began = asyncio.get_running_loop().time()
        assert await waiting == [None]
        assert asyncio.get_running_loop().time() - began <= 0.5
        return first, await moments(limiter, 1)

    first, [then] = run(scenario())
    assert first == [0.0]
    assert then == pytest.approx(10 - 3.5, abs=0.5)


def test_a_wait_that_is_cancelled_gives_its_place_back():
    """As when a caller's own timeout ends it."""

    async def scenario():
        limiter = RateLimiter([ProcessLimit(0.1)])
        await moments(limiter, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await moments(limiter, 1)
        return await moments(limiter, 1)

    assert run(scenario()) == [8.0]


STEPS = st.lists(st.tuples(st.sampled_from(["book", "give back", "wait"]), st.floats(0.01, 3.0)), max_size=60)


@given(steps=STEPS, rate=st.sampled_from([0.5, 1.0, 4.0, 100.0]))
def test_no_two_requests_have_one_place_whatever_is_given_back(steps, rate):
    """At most one in each interval; and a place that was given back goes to the next who asks, until it is over."""
    bookings, now, held = Bookings(0.0), 1_000.0, []
    for step, amount in steps:
        if step == "wait":
            now += amount
        elif step == "book":
            free = [place for place in bookings.free if place > now - 1 / rate and now < bookings.next]
            place, bookings = bookings.book(now, rate, 60.0)
            if free and place is not None:
                assert place == min(free)
            if place is not None:
                held.append(place)
        elif held:
            bookings = bookings.give_back(held.pop(int(amount * 1e6) % len(held)))
        assert all(later - earlier > 0.999 / rate for earlier, later in pairwise(sorted(held)))


def test_a_booking_tells_the_seconds_until_its_place():
    """On whatever clock the limit has."""

    async def scenario():
        limit = ProcessLimit(2.0)
        return [await limit.book(60.0) for _ in range(2)]

    first, second = run(scenario())
    assert (first.seconds, second) == (0.0, Booking(first.place + 0.5, 0.5))
