"""The counts of a run add up, whatever its batches go through."""

from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.ledger import BatchState, Counts, SkipReason

STATES = [state for state in BatchState if state is not BatchState.REPLACED]


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(STATES)), max_size=40),
)
def test_the_counts_always_add_up(sizes, moves):
    """Each recipient has one outcome, however its batch is moved; a batch being sent counts as pending."""
    counts = Counts(rows=sum(sizes), pending=sum(sizes), batches=len(sizes))
    states = [BatchState.PENDING] * len(sizes)
    for which, state in moves:
        at = which % len(sizes)
        counts.move(sizes[at], states[at], state)
        states[at] = state
        assert counts.balance == 0
    for name, of in (("accepted", BatchState.ACCEPTED), ("rejected", BatchState.REJECTED)):
        assert getattr(counts, name) == sum(size for size, state in zip(sizes, states, strict=True) if state is of)
    assert counts.sending == states.count(BatchState.SENDING)
    assert min(counts.accepted, counts.rejected, counts.unknown, counts.pending, counts.cancelled) >= 0


def test_a_run_counts_comes_back_as_it_was():
    """From its JSON."""
    counts = Counts(rows=5, pending=3)
    counts.skip(2, SkipReason.DUPLICATE)
    assert Counts.load(counts.dump()) == counts
    assert counts.balance == 0
