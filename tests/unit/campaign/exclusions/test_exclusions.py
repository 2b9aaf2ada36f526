"""Whom other campaigns reached, while they go on."""

import asyncio
import time
from datetime import timedelta
from types import SimpleNamespace

from metrix_channels.campaign.definition import Cap
from metrix_channels.campaign.exclusions.exclusions import Screens
from metrix_channels.ledger import BatchState, Parcel, SkipReason
from metrix_channels.ledger.runs.batches import new_marks


class Book:
    """One other run, which is live."""

    def __init__(self, now):
        self.time = now
        self.reached = {}
        self.live = True

    async def now(self):
        return self.time

    async def all(self):
        return [SimpleNamespace(id=7, live=self.live)]

    async def parcels(self, run, after=0, *, since=0):
        found = []
        for number, (recipient, at) in enumerate(self.reached.items(), start=1):
            if number > after and at >= since:
                parcel = Parcel.opened(number, False, [[{}, [recipient]]], new_marks(1))
                parcel.batches[0].state, parcel.batches[0].at = BatchState.ACCEPTED, at
                found.append(parcel)
        return found


def barred_of(screens, book, **reached):
    async def look():
        book.reached |= reached
        await screens.look_again(1)
        return screens.barred(["u1", "u2", "u3"])

    return asyncio.run(look())


def test_whom_a_commit_reached_that_was_under_way_at_the_last_look_is_found():
    """It bears the time at which it began, and appears when it ends: after a look that it was too late for."""
    now = int(time.time())
    book = Book(now)
    screens = Screens(Cap(1, timedelta(hours=1)), book)
    assert barred_of(screens, book) == {}
    book.time = now + 1
    assert barred_of(screens, book, u1=now - 5) == {"u1": SkipReason.CAPPED}
    screens.close()


def test_a_run_that_has_just_ended_is_looked_at_once_more():
    """Its last commits came after the look at which it still went on."""
    now = int(time.time())
    book = Book(now)
    screens = Screens(Cap(1, timedelta(hours=1)), book)
    assert barred_of(screens, book) == {}
    book.live = False
    assert barred_of(screens, book, u2=now) == {"u2": SkipReason.CAPPED}
    screens.close()
