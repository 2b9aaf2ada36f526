"""Whom other campaigns reached, while they go on."""

import asyncio
import time
from datetime import timedelta
from types import SimpleNamespace

from metrix_channels.campaign.definition import Cap
from metrix_channels.campaign.exclusions.exclusions import Exclusions
from metrix_channels.ledger import BatchState, Shard, SkipReason
from metrix_channels.ledger.runs.batches import new_statuses


class Book:
    """One other run, which is live."""

    def __init__(self, now):
        self.time = now
        self.reached = {}
        self.live = True

    async def now(self):
        return self.time

    async def all(self):
        return [SimpleNamespace(id=7, live=self.live, facts={}, finished_at=None)]

    async def shards(self, run, after=0, *, since=0):
        found = []
        for number, (recipient, at) in enumerate(self.reached.items(), start=1):
            if number > after and at >= since:
                shard = Shard.opened(number, False, [[{}, [recipient]]], new_statuses(1))
                shard.batches[0].state, shard.batches[0].at = BatchState.ACCEPTED, at
                found.append(shard)
        return found


def barred_of(exclusions, book, **reached):
    async def look():
        book.reached |= reached
        await exclusions.look_again(1)
        return exclusions.excluded(["u1", "u2", "u3"])

    return asyncio.run(look())


def test_whom_a_commit_reached_that_was_under_way_at_the_last_look_is_found():
    """It bears the time at which it began, and appears when it ends: after a look that it was too late for."""
    now = int(time.time())
    book = Book(now)
    exclusions = Exclusions(Cap(1, timedelta(hours=1)), book)
    assert barred_of(exclusions, book) == {}
    book.time = now + 1
    assert barred_of(exclusions, book, u1=now - 5) == {"u1": SkipReason.CAPPED}
    exclusions.close()


def test_a_run_that_has_just_ended_is_looked_at_once_more():
    """Its last commits came after the look at which it still went on."""
    now = int(time.time())
    book = Book(now)
    exclusions = Exclusions(Cap(1, timedelta(hours=1)), book)
    assert barred_of(exclusions, book) == {}
    book.live = False
    assert barred_of(exclusions, book, u2=now) == {"u2": SkipReason.CAPPED}
    exclusions.close()
