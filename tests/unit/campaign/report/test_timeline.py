"""A run over time: columns of equal length that hold every batch once."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.campaign.report.timeline import timeline
from metrix_channels.ledger import BatchState

OUTCOMES = (BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN)
BEGAN = 1_795_000_000


def test_without_an_outcome_there_is_none():
    """Nothing to draw yet."""
    assert timeline(Counter()) is None


def test_a_moment_is_one_column():
    """Of one second."""
    found = timeline(Counter({(BatchState.ACCEPTED, BEGAN): 7, (BatchState.UNKNOWN, BEGAN): 1}))
    assert (found.accepted, found.rejected, found.unknown, found.seconds) == ((7,), (0,), (1,), 1)
    assert (found.first, found.last) == (datetime.fromtimestamp(BEGAN, UTC), datetime.fromtimestamp(BEGAN + 1, UTC))
    assert found.most == 8


def test_a_long_run_has_at_most_sixty_columns():
    """An hour: a minute each."""
    found = timeline(Counter({(BatchState.ACCEPTED, BEGAN + at): 3 for at in range(3600)}))
    assert (found.seconds, found.accepted) == (60, (180,) * 60)
    assert found.most == 3


@given(
    st.dictionaries(st.tuples(st.sampled_from(OUTCOMES), st.integers(BEGAN, BEGAN + 10**6)), st.integers(1, 10**6)),
    st.integers(1, 100),
)
def test_every_batch_is_drawn_once(settled, columns):
    """Whatever the times and the number of columns."""
    found = timeline(Counter(settled), columns)
    if found is None:
        assert not settled
        return
    assert 1 <= len(found.accepted) == len(found.rejected) == len(found.unknown) <= columns
    for state, counts in zip(OUTCOMES, (found.accepted, found.rejected, found.unknown), strict=True):
        assert sum(counts) == sum(count for (each, _), count in settled.items() if each is state)
