"""Which batch is next, and when: in order, after a wait, or one alone to try."""

import pytest

from metrix_channels.campaign.dispatch.batch_queue import BatchQueue
from metrix_channels.delivery import Holdback
from metrix_channels.ledger import Shard
from metrix_channels.ledger.runs.batches import new_statuses


class Clock:
    """Goes forward when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def holdback(clock):
    return Holdback(clock)


@pytest.fixture
def queue(clock, holdback):
    return BatchQueue(clock, holdback)


def batches(count):
    return Shard.opened(1, False, [({}, [f"u{at}"]) for at in range(count)], new_statuses(count)).taken()


def test_batches_come_in_order_and_parts_take_the_place_of_the_whole(queue):
    """Divided batches go on where the whole one stood."""
    one, two, left, right = batches(4)
    queue.add([one, two])
    assert queue.take() is one
    queue.add_first([left, right])
    assert [queue.take() for _ in range(4)] == [left, right, two, None]
    assert queue.is_empty


def test_a_batch_to_be_repeated_waits_for_its_time(queue, clock):
    """Then it goes before those that were never tried."""
    again, other = batches(2)
    queue.add_later(again, 2.0)
    assert (queue.take(), queue.next_due()) == (None, 2.0)
    queue.add([other])
    clock.now += 2.0
    assert [queue.take(), queue.take()] == [again, other]


def test_a_pause_holds_everything_back_and_then_one_goes_alone(queue, holdback, clock):
    """Its answer tells whether the pause was long enough."""
    one, two = batches(2)
    queue.add([one, two])
    assert holdback.pause(5.0, began=clock.now)
    assert (queue.take(), holdback.seconds()) == (None, 5.0)
    clock.now += 5.0
    assert queue.take() is one
    assert queue.take() is None
    holdback.done(one, was_sent=True)
    assert queue.take() is two


def test_a_shorter_pause_ends_no_longer_one(holdback, clock):
    """Of answers that ask to wait, the one that asks for most is heard, in whatever order they come."""
    holdback.pause(300.0, began=clock.now)
    holdback.pause(1.0, began=clock.now)
    assert holdback.seconds() == 300.0


def test_requests_that_were_under_way_together_fail_once(queue, holdback, clock):
    """A wave of answers that ask to wait is one failure; a later one is another."""
    began = clock.now - 1
    assert [
        holdback.pause(1.0, began=clock.now),
        holdback.pause(1.0, began=began),
        holdback.pause(1.0, began=began),
    ] == [
        True,
        False,
        False,
    ]
    clock.now += 3
    assert holdback.pause(1.0, began=clock.now)
