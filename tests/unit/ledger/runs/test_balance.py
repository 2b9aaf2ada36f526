"""A change of counts is that of the batches that are written with it, or it is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.errors import LedgerError
from metrix_channels.ledger import BatchState, Counts, Draft, Shard, Skip, SkipReason
from metrix_channels.ledger.runs import transitions
from metrix_channels.ledger.runs.balance import is_sound, require_match, require_over, require_sound
from metrix_channels.ledger.runs.batches import ShardStatus, new_statuses

SIZES = (3, 1, 4)
MOVES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([BatchState.PENDING, BatchState.SENDING])), max_size=6)
OUTCOMES = st.lists(
    st.sampled_from([BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN, BatchState.CANCELLED, None]),
    min_size=3,
    max_size=3,
)


def move(batch, state, change):
    """Bring a batch into any state, also by a way that no transition takes."""
    transitions._move(batch, state, change, None)


def shard():
    contents = [({}, [f"u{at}-{person}" for person in range(size)]) for at, size in enumerate(SIZES)]
    return Shard.opened(1, False, contents, new_statuses(len(SIZES)))


@given(MOVES, OUTCOMES, st.booleans(), st.booleans())
def test_whatever_happens_to_batches_is_accepted_and_nothing_else(moves, outcomes, divides, skips):
    """Moves, outcomes, divisions and skips, in any number; and no count more or less than that."""
    one, change, drafts, skipped = shard(), Counts(), [], []
    for at, state in moves:
        move(one.batches[at], state, change)
    for batch, outcome in zip(one.batches, outcomes, strict=True):
        if outcome is not None:
            move(batch, outcome, change)
    last = one.batches[2]
    if outcomes[2] is None and divides:
        move(last, BatchState.PENDING, change)
        rest = last.recipients[1:] if skips else last.recipients
        drafts.append(transitions._replace(last, change, [rest[:1], rest[1:]], 0))
        if skips:
            change.skip(1, SkipReason.CAPPED)
            change.pending -= 1
            skipped.append(Skip(SkipReason.CAPPED, [(0, last.recipients[0])]))
    changed_statuses = [ShardStatus.of(one)]
    require_match(change, changed_statuses, drafts, skipped)
    for name in ("rows", "accepted", "rejected", "unknown", "pending", "cancelled", "sending", "batches"):
        wrong = change.copy()
        setattr(wrong, name, getattr(wrong, name) + 1)
        with pytest.raises(LedgerError):
            require_match(wrong, changed_statuses, drafts, skipped)


@pytest.mark.parametrize("outcome", [BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN])
def test_an_outcome_is_not_that_of_another_batch_state(outcome):
    """Recipients who are counted as one thing while their batch says another."""
    one, change = shard(), Counts()
    move(one.batches[0], outcome, change)
    swapped = change.copy()
    name = outcome.name.lower()
    setattr(swapped, name, 0)
    swapped.cancelled = SIZES[0]
    with pytest.raises(LedgerError) as caught:
        require_match(swapped, [ShardStatus.of(one)])
    assert caught.value.code == "counts_wrong"
    require_match(change, [ShardStatus.of(one)])


@pytest.mark.parametrize("reason", [SkipReason.CAPPED, SkipReason.DUPLICATE])
def test_skipped_rows_are_counted_by_their_reasons(reason):
    """As many as are written down."""
    change = Counts(pending=-1, skipped={reason.value: 1})
    require_match(change, [], skips=[Skip(reason, [(0, "u1")])])
    for skips in ([], [Skip(reason, [(0, "u1"), (0, "u2")])], [Skip(SkipReason.INVALID, [(0, "u1")])]):
        with pytest.raises(LedgerError):
            require_match(change, [], skips=skips)


def test_a_new_batch_is_counted():
    """Those of a draft stand as long as nothing else is said."""
    draft = Draft(json.dumps([[{}, ["u1"]]]), 1)
    require_match(Counts(batches=1), [], [draft])
    with pytest.raises(LedgerError):
        require_match(Counts(), [], [draft])


@pytest.mark.parametrize(
    ("counts", "sound"),
    [
        (Counts(rows=5, pending=3, skipped={"invalid": 2}), True),
        (Counts(rows=5, pending=4), False),
        (Counts(rows=5, pending=-1, accepted=6), False),
        (Counts(rows=5, pending=6, skipped={"invalid": -1}), False),
        (Counts(rows=5, pending=5, sending=-1), False),
    ],
)
def test_sound_counts_add_up_and_none_is_negative(counts, sound):
    """`pending: -20` is no count."""
    assert is_sound(counts) is sound
    if sound:
        require_sound(counts)
    else:
        with pytest.raises(LedgerError):
            require_sound(counts)


@pytest.mark.parametrize(
    ("counts", "is_open"),
    [(Counts(rows=1, pending=1), False), (Counts(rows=1, accepted=1), True), (Counts(rows=2, accepted=1), False)],
)
def test_a_run_is_over_when_nothing_is_pending_in_counts_and_batches(counts, is_open):
    """One of both is not enough."""
    with pytest.raises(LedgerError):
        require_over(counts, is_open=is_open)
    require_over(Counts(rows=1, accepted=1), is_open=False)
