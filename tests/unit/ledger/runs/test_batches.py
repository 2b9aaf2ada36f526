"""Eight bytes a batch: what is known of it comes back as it was."""

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.ledger import APPROVED, DOUBT, REPEATED, BatchState, Shard
from metrix_channels.ledger.runs.batches import SIZE, has_sending, new_statuses


def shard(count, statuses=None):
    contents = [({"name": f"n{at}"}, [f"u{at}"]) for at in range(count)]
    return Shard.opened(1, False, contents, statuses or new_statuses(count))


@given(
    st.sampled_from(BatchState),
    st.sampled_from([0, DOUBT, DOUBT | REPEATED, DOUBT | APPROVED]),
    st.integers(0, 300),
    st.integers(0, 599),
    st.integers(0, 2**32 - 1),
)
def test_a_status_comes_back_as_it_was(state, flags, attempts, status, at):
    """State, doubts, attempts up to 255, status and time; its neighbours are left alone."""
    before = shard(3)
    batch = before.batches[1]
    batch.state, batch.flags, batch.attempts, batch.status, batch.at = state, flags, attempts, status, at
    batch.save()
    after = shard(3, bytes(before.statuses)).batches
    assert (after[1].state, after[1].flags, after[1].status, after[1].at) == (state, flags, status, at)
    assert after[1].attempts == min(attempts, 255)
    assert {after[0].state, after[2].state} == {BatchState.PENDING}


def test_the_parts_of_a_batch_that_was_tried_for_ever_can_be_kept():
    """They begin with its attempts, of which a mark holds no more than 255."""
    [batch] = shard(1, new_statuses(1, flags=DOUBT, attempts=300)).batches
    assert (batch.state, batch.flags, batch.attempts) == (BatchState.PENDING, DOUBT, 255)


def test_a_shard_is_open_until_each_batch_has_an_outcome():
    """Being sent is none."""
    one = shard(2)
    first, second = one.batches
    for states, is_open in (
        ((BatchState.PENDING, BatchState.UNKNOWN), True),
        ((BatchState.SENDING, BatchState.REPLACED), True),
        ((BatchState.ACCEPTED, BatchState.REPLACED), False),
        ((BatchState.REJECTED, BatchState.CANCELLED), False),
    ):
        first.state, second.state = states
        first.save()
        second.save()
        assert one.is_open is is_open


def test_an_intent_without_an_outcome_is_found():
    """What a crash leaves behind."""
    one = shard(2)
    assert not has_sending(one.statuses)
    one.batches[1].state = BatchState.SENDING
    one.batches[1].save()
    assert has_sending(one.statuses)
    assert len(one.statuses) == 2 * SIZE == 16


def test_batches_that_were_taken_are_freed_without_a_garbage_collection():
    """A million of them would be memory that nobody sees."""
    gc.disable()
    try:
        one = shard(2)
        batches = one.taken()
        reference = weakref.ref(one) if hasattr(one, "__weakref__") else None
        assert one.batches == []
        del one, batches
        assert reference is None or reference() is None
    finally:
        gc.enable()
