"""Places under the rate limits."""

import asyncio

from metrix_channels.campaign.dispatch.rate_limiter import RateLimiter


def turns(pace, count):
    async def run():
        return [round(await pace.turn(), 2) for _ in range(count)]

    return asyncio.run(run())


def test_places_are_evenly_spaced():
    """Without a burst at the start, which many servers punish."""
    assert turns(RateLimiter(10.0), 4) == [0.0, 0.1, 0.2, 0.3]


def test_the_longer_wait_counts():
    """The run's own, or the one that all processes share."""

    async def shared():
        return 0.15

    assert turns(RateLimiter(10.0, [shared]), 3) == [0.15, 0.15, 0.2]
    assert turns(RateLimiter(None, [shared]), 2) == [0.15, 0.15]


def test_without_a_limit_nobody_waits():
    """Nothing is counted."""
    assert turns(RateLimiter(None), 3) == [0.0, 0.0, 0.0]
