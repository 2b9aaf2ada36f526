"""The batch as a state machine: no step loses a doubt, and the counts add up after any sequence of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.ledger import (
    APPROVED,
    DOUBT,
    REPEATED,
    BatchState,
    Counts,
    Shard,
    SkipReason,
    cancelled,
    interrupted,
)
from metrix_channels.ledger.runs.batches import new_statuses
from metrix_channels.ledger.runs.transitions import (
    approve,
    begin,
    cancel,
    count_request,
    doubt,
    draft_of,
    exclude,
    interrupt,
    settle,
    split,
    withdraw,
    without,
)
from metrix_channels.models import OnAmbiguous

STATES = tuple(BatchState)
PENDING, SENDING, UNKNOWN = BatchState.PENDING, BatchState.SENDING, BatchState.UNKNOWN


def shard_of(states, flags=0, *, canary=False):
    """Return a shard with a batch of two recipients in each of some states, and its counts."""
    contents = [[{}, [f"u{at}-0", f"u{at}-1"]] for at in range(len(states))]
    shard = Shard.opened(7, canary, contents, new_statuses(len(states), flags=flags, attempts=3))
    counts = Counts(rows=2 * len(states), pending=2 * len(states), batches=len(states))
    for batch, state in zip(shard.batches, states, strict=True):
        counts.move(2, PENDING, state)
        batch.state = state
        batch.save()
    return shard, counts


def suppressing(*recipients):
    """Return what finds these recipients excluded."""
    return lambda among: {each: SkipReason.SUPPRESSED for each in among if each in recipients}


def kept(shard, count):
    """Return state and flags of each batch as the ledger keeps them."""
    opened = Shard.opened(7, False, [[{}, []]] * count, bytes(shard.statuses))
    return [(batch.state, batch.flags) for batch in opened.batches]


@pytest.mark.parametrize(("mode", "after"), [(OnAmbiguous.RETRY, PENDING), (OnAmbiguous.HOLD, UNKNOWN)])
def test_a_request_under_way_when_its_process_ended_is_in_doubt(mode, after):
    """on_ambiguous says what becomes of it; all other batches stay as they are."""
    shard, counts = shard_of(STATES)
    rows = counts.rows
    interrupted(mode)(shard, counts)
    assert kept(shard, len(STATES)) == [(after, DOUBT) if state is SENDING else (state, 0) for state in STATES]
    assert (counts.rows, counts.sending, getattr(counts, after.name.lower())) == (rows, 0, 4)


@pytest.mark.parametrize("mode", OnAmbiguous)
def test_who_approved_of_a_request_did_not_approve_of_the_one_after_it(mode):
    """The approval went with the request that was under way, though the process ended before it could write that."""
    shard, counts = shard_of([SENDING], flags=DOUBT | REPEATED | APPROVED)
    interrupted(mode)(shard, counts)
    [(_, flags)] = kept(shard, 1)
    assert flags == DOUBT | REPEATED


def test_an_approval_ends_with_a_request_that_metrix_may_have_accepted():
    """Not with one that it certainly refused."""
    shard, counts = shard_of([PENDING], flags=DOUBT | APPROVED)
    [batch] = shard.batches
    begin(batch, counts, 1)
    settle(batch, counts, PENDING, 2)
    assert batch.flags & APPROVED
    begin(batch, counts, 3)
    doubt(batch)
    settle(batch, counts, PENDING, 4)
    assert not batch.flags & APPROVED


def test_requests_are_counted_when_they_have_left():
    """An intent counts nothing, and one that is taken back nothing either: the count never goes back."""
    shard, counts = shard_of([PENDING])
    [batch] = shard.batches
    told = []
    for step in (
        lambda: begin(batch, counts, 1),
        lambda: withdraw(batch, counts, 0, 1),
        lambda: begin(batch, counts, 2),
        lambda: count_request(batch, counts),
        lambda: settle(batch, counts, PENDING, 2),
        lambda: begin(batch, counts, 3),
        lambda: interrupt(batch, counts, OnAmbiguous.RETRY),
        lambda: begin(batch, counts, 4),
        lambda: cancel(batch, counts),
    ):
        step()
        told.append(counts.requests)
    assert told == [0, 0, 0, 1, 1, 1, 2, 2, 3]


def test_to_cancel_takes_back_nothing_that_may_have_left():
    """What is under way is unknown, and in doubt for whoever retries it; what is settled stays so."""
    shard, counts = shard_of(STATES)
    cancelled(shard, counts)
    changed = {PENDING: (BatchState.CANCELLED, 0), SENDING: (UNKNOWN, DOUBT)}
    assert kept(shard, len(STATES)) == [changed.get(state, (state, 0)) for state in STATES]
    assert (counts.pending, counts.sending, counts.cancelled, counts.unknown) == (0, 0, 4, 4)


@pytest.mark.parametrize("approved", [0, APPROVED])
def test_to_cancel_leaves_a_batch_in_doubt_unknown(approved):
    """It waits for another attempt, approved or not, but Metrix may have accepted an earlier one."""
    shard, counts = shard_of([PENDING, PENDING], flags=DOUBT | approved)
    doubtful, other = shard.batches
    other.flags = 0
    cancelled(shard, counts)
    assert (doubtful.state, other.state) == (UNKNOWN, BatchState.CANCELLED)
    assert (counts.pending, counts.unknown, counts.cancelled, counts.balance) == (0, 2, 2, 0)


def test_what_takes_a_batchs_place_inherits_all_that_is_known_of_it():
    """Its doubt, its attempts, and that it goes first."""
    shard, _ = shard_of([PENDING], flags=DOUBT | REPEATED, canary=True)
    draft = draft_of(shard.batches[0], [["u0-0"], ["u0-1"]])
    assert (draft.flags, draft.attempts, draft.canary, draft.count) == (DOUBT | REPEATED, 3, True, 2)
    assert json.loads(draft.batches) == [[{}, ["u0-0"]], [{}, ["u0-1"]]]


def test_only_what_is_pending_can_still_be_skipped():
    """A recipient who opts out is taken out of what waits; whom a request names is left as that request leaves it."""
    shard, counts = shard_of([PENDING, SENDING, BatchState.ACCEPTED, PENDING], flags=APPROVED)
    drafts, skips = without(shard, counts, suppressing("u0-1", "u1-0", "u2-0", "u3-0", "u3-1"), 0)
    states = [state for state, _ in kept(shard, 4)]
    assert states == [BatchState.REPLACED, SENDING, BatchState.ACCEPTED, BatchState.REPLACED]
    assert [(json.loads(draft.batches), draft.flags) for draft in drafts] == [([[{}, ["u0-0"]]], APPROVED)]
    assert [row for skip in skips for row in skip.rows] == [(0, "u0-1"), (0, "u3-0"), (0, "u3-1")]
    assert (counts.balance, counts.pending, counts.skipped, counts.batches) == (0, 3, {"suppressed": 3}, 3)


@pytest.mark.parametrize("flags", [DOUBT, DOUBT | APPROVED])
def test_a_recipient_in_doubt_is_unknown_instead_of_skipped(flags):
    """Metrix may have accepted an attempt before the recipient opted out; the others of the batch are sent again."""
    shard, counts = shard_of([PENDING, PENDING], flags=flags)
    excluded = suppressing("u0-1", "u1-0", "u1-1")
    [draft], skips = without(shard, counts, excluded, 0)
    assert (kept(shard, 2), skips) == ([(BatchState.REPLACED, flags), (UNKNOWN, DOUBT)], [])
    parts = opened_shard(draft)
    assert without(parts, counts, excluded, 0) == ([], [])
    assert kept(parts, 2) == [(UNKNOWN, DOUBT), (PENDING, flags)]
    assert (counts.unknown, counts.pending, counts.skipped, counts.batches, counts.balance) == (3, 1, {}, 3, 0)


@pytest.mark.parametrize(("which", "count"), [(UNKNOWN, 2), (BatchState.REJECTED, 0)])
def test_to_send_to_the_unknown_again_may_be_a_duplicate(which, count):
    """Whatever made them unknown, such as a batch that was refused and not split."""
    shard, counts = shard_of([which])
    [batch] = shard.batches
    approve(batch, counts, which)
    begin(batch, counts, 1)
    assert counts.possible_duplicates == count


def test_what_is_unknown_is_in_doubt():
    """However it became so: also a batch that Metrix refused as a whole and that is not split."""
    shard, counts = shard_of([SENDING])
    settle(shard.batches[0], counts, UNKNOWN, AT)
    assert kept(shard, 1) == [(UNKNOWN, DOUBT)]


def test_what_is_in_doubt_is_never_rejected():
    """A refusal says nothing about the attempt before it."""
    shard, counts = shard_of([SENDING], flags=DOUBT)
    with pytest.raises(ValueError, match="in doubt"):
        settle(shard.batches[0], counts, BatchState.REJECTED, AT)


def test_the_parts_of_a_batch_keep_the_time_of_its_last_attempt():
    """A limit per recipient counts from then; parts of what was never attempted have no time."""
    shard, counts = shard_of([PENDING, PENDING])
    attempted, other = shard.batches
    begin(attempted, counts, AT)
    doubt(attempted)
    settle(attempted, counts, PENDING, AT + 1)
    drafts = [split(batch, counts, [[each] for each in batch.recipients], AT + 9) for batch in (attempted, other)]
    assert [draft.at for draft in drafts] == [AT + 1, 0]


AT = 1_800_000_000
STEPS = {
    "begin": lambda batch, counts, half: begin(batch, counts, AT),
    "withdraw": lambda batch, counts, half: withdraw(batch, counts, batch.flags, AT),
    "accept": lambda batch, counts, half: settle(batch, counts, BatchState.ACCEPTED, AT),
    "reject": lambda batch, counts, half: settle(batch, counts, BatchState.REJECTED, AT),
    "lose": lambda batch, counts, half: settle(batch, counts, UNKNOWN, AT),
    "repeat": lambda batch, counts, half: (doubt(batch), settle(batch, counts, PENDING, AT))[1],
    "split": lambda batch, counts, half: split(batch, counts, [batch.recipients[:half], batch.recipients[half:]], AT),
    "exclude": lambda batch, counts, half: exclude(batch, counts, {batch.recipients[0]: SkipReason.CAPPED}, AT)[0],
    "interrupt": lambda batch, counts, half: interrupt(batch, counts, tuple(OnAmbiguous)[half], AT),
    "cancel": lambda batch, counts, half: cancel(batch, counts, AT),
    "approve": lambda batch, counts, half: approve(batch, counts, (BatchState.REJECTED, UNKNOWN)[half]),
}


def take(step, batch, counts, half):
    """Take one step with a batch; return what replaces it. ValueError where it cannot be taken."""
    return STEPS[step](batch, counts, half)


def opened_shard(draft):
    """Return a draft as the ledger gives it back."""
    contents = json.loads(draft.batches)
    statuses = new_statuses(draft.count, flags=draft.flags, attempts=draft.attempts, at=draft.at)
    return Shard.opened(8, draft.canary, contents, statuses)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(STEPS)), st.integers(0, 1)), max_size=60))
def test_the_counts_add_up_after_any_sequence_of_steps(steps):
    """Legal steps and refused ones; what a batch was split into goes on like any other.

    Whom a request may have reached is never rejected, cancelled or skipped afterwards.
    """
    shard, counts = shard_of([PENDING] * 3)
    batches = shard.taken()
    reached = set()
    for at, step, half in steps:
        batch = batches[at % len(batches)]
        before = (batch.state, batch.flags, counts.copy())
        try:
            draft = take(step, batch, counts, half)
        except ValueError:
            assert (batch.state, counts) == (before[0], before[2])
            continue
        assert before[1] & DOUBT <= batch.flags & DOUBT
        if step in ("lose", "repeat") or (before[0] is SENDING and step in ("interrupt", "cancel")):
            reached |= {*batch.recipients}
        if draft is not None:
            parts = opened_shard(draft).taken()
            assert all(part.flags & DOUBT == batch.flags & DOUBT for part in parts)
            batches += parts
    count_states = [batch for batch in batches if batch.state is not BatchState.REPLACED]
    held = {who: batch for batch in count_states for who in batch.recipients}
    assert all(held[who].state not in (BatchState.REJECTED, BatchState.CANCELLED) for who in reached)
    for state, name in ((BatchState.ACCEPTED, "accepted"), (BatchState.REJECTED, "rejected"), (UNKNOWN, "unknown"),
                        (BatchState.CANCELLED, "cancelled")):  # fmt: skip
        assert getattr(counts, name) == sum(len(batch.recipients) for batch in count_states if batch.state is state)
    waiting = [batch for batch in count_states if batch.state in (PENDING, SENDING)]
    assert counts.pending == sum(len(batch.recipients) for batch in waiting)
    assert counts.sending == sum(batch.state is SENDING for batch in waiting)
    assert counts.batches == len(count_states)
    assert counts.balance == 0


@pytest.mark.parametrize("state", STATES)
def test_a_step_begins_only_where_it_may(state):
    """An outcome is not overwritten by a late one, and nothing is sent twice under one intent."""

    def of(flags=0):
        shard, counts = shard_of([state], flags=flags)
        return shard.batches[0], counts

    steps = {
        "begin": (PENDING,), "withdraw": (SENDING,), "accept": (SENDING,), "split": (PENDING, SENDING),
        "exclude": (PENDING,),
    }  # fmt: skip
    for step, allowed in steps.items():
        batch, counts = of()
        if state in allowed:
            take(step, batch, counts, 1)
        else:
            with pytest.raises(ValueError, match="does not start from that state"):
                take(step, batch, counts, 1)
