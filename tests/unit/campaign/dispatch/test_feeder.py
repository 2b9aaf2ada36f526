"""Which batch is next, how much is fetched at once, and which lanes news wakes, on a simulated clock."""

import asyncio
from types import SimpleNamespace

import pytest

from helpers.simulated_time import SimulatedLoop, run
from metrix_channels.campaign.dispatch import feeder as feeders
from metrix_channels.campaign.dispatch.ending import EndingSignal
from metrix_channels.campaign.dispatch.feeder import Feeder
from metrix_channels.delivery import Holdback
from metrix_channels.ledger import Counts, Shard
from metrix_channels.ledger.runs.batches import new_statuses

ALWAYS_OPEN = SimpleNamespace(closed_seconds=lambda: 0.0)


class Shards:
    """The shards of a run after its canary, each with so many batches; it notes how many are asked for."""

    def __init__(self, count, batches):
        self.limits = []
        self._shards = [
            Shard.opened(number + 1, False, [({}, [f"u{number}-{at}"]) for at in range(batches)], new_statuses(batches))
            for number in range(count)
        ]

    async def next_shards(self, after, *, canary, limit):
        """Return the next ones."""
        if canary:
            return []
        self.limits.append(limit)
        return self._shards[after : after + limit]


def fed(work, shards, lanes):
    """Run `work(feeder)` in an event loop whose clock stands still unless everything waits."""

    async def main():
        record = SimpleNamespace(counts=Counts(pending=1), facts={"canary": 0}, waits_after_canary=False)
        holdback = Holdback(asyncio.get_running_loop().time)
        return await work(Feeder(record, shards, lanes, 0, ALWAYS_OPEN, holdback, EndingSignal()))

    return run(main(), SimulatedLoop())


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    """Who is not told of news waits for a day."""
    monkeypatch.setattr(feeders, "_LOOK_AGAIN_SECONDS", 86_400.0)


async def lane(feeder, taken, seconds=1):
    """Take batches until there are none; each takes so many seconds."""
    while (batch := await feeder.next()) is not None:
        taken.append(batch)
        await asyncio.sleep(seconds)
        feeder.done(batch, was_sent=True)


@pytest.mark.parametrize("lanes", [1, 2, 7])
def test_all_batches_are_taken_and_all_lanes_end_with_the_last_one(lanes):
    """Nobody waits for a look at the clock: not at the start, and not for the last batch of another lane."""

    async def work(feeder):
        began, taken = asyncio.get_running_loop().time(), []
        await asyncio.gather(*(lane(feeder, taken) for _ in range(lanes)))
        return len(taken), asyncio.get_running_loop().time() - began

    count, seconds = fed(work, Shards(3, 5), lanes)
    assert count == 15
    assert seconds == pytest.approx(-(-15 // lanes), abs=0.1)


@pytest.mark.parametrize("returned", ["put_back", "repeat"])
def test_a_lane_that_waits_takes_a_batch_that_comes_back(returned):
    """Such as one whose request could not leave yet, or that is to be tried again at once."""

    async def work(feeder):
        batch = await feeder.next()
        waiting = asyncio.create_task(feeder.next())
        await asyncio.sleep(1)
        if returned == "put_back":
            feeder.put_back(batch)
        else:
            feeder.repeat(batch, 0.0)
        feeder.done(batch, was_sent=False)
        began = asyncio.get_running_loop().time()
        return await waiting is batch, asyncio.get_running_loop().time() - began

    came_back, seconds = fed(work, Shards(1, 1), 2)
    assert came_back
    assert seconds < 0.1


def test_a_lane_with_nothing_to_do_is_not_woken_by_each_batch_of_the_others(monkeypatch):
    """At the end of a run, each of many lanes would wake all the others."""
    waits, wait = [], Feeder._wait_for_news

    async def counted(self, seconds):
        waits.append(seconds)
        await wait(self, seconds)

    monkeypatch.setattr(Feeder, "_wait_for_news", counted)

    async def work(feeder):
        await asyncio.gather(*(lane(feeder, [], 1 + at) for at in range(20)))

    fed(work, Shards(1, 19), 20)
    assert len(waits) < 4 * 20


@pytest.mark.parametrize(("batches", "then"), [(2, 64), (1, 128), (250, 16)])
def test_so_many_shards_are_fetched_that_each_lane_gets_two_batches(batches, then):
    """Of full batches a shard has one or two, of single recipients 250."""
    shards = Shards(300, batches)

    async def work(feeder):
        for _ in range(batches * 17):
            await feeder.next()

    fed(work, shards, 64)
    assert set(shards.limits[1:]) == {then}
