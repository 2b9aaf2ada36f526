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
    Parcel,
    SkipReason,
    Tally,
    cancelled,
    interrupted,
)
from metrix_channels.ledger.runs.batches import new_marks
from metrix_channels.ledger.runs.transitions import (
    approve,
    begin,
    cancel,
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


def parcel_of(states, flags=0, *, canary=False):
    """Return a parcel with a batch of two recipients in each of some states, and its counts."""
    contents = [[{}, [f"u{at}-0", f"u{at}-1"]] for at in range(len(states))]
    parcel = Parcel.opened(7, canary, contents, new_marks(len(states), flags=flags, attempts=3))
    tally = Tally(rows=2 * len(states), pending=2 * len(states), batches=len(states))
    for batch, state in zip(parcel.batches, states, strict=True):
        tally.move(2, PENDING, state)
        batch.state = state
        batch.save()
    return parcel, tally


def kept(parcel, count):
    """Return state and flags of each batch as the ledger keeps them."""
    opened = Parcel.opened(7, False, [[{}, []]] * count, bytes(parcel.marks))
    return [(batch.state, batch.flags) for batch in opened.batches]


@pytest.mark.parametrize(("mode", "after"), [(OnAmbiguous.RETRY, PENDING), (OnAmbiguous.HOLD, UNKNOWN)])
def test_a_request_under_way_when_its_process_ended_is_in_doubt(mode, after):
    """on_ambiguous says what becomes of it; all other batches stay as they are."""
    parcel, tally = parcel_of(STATES)
    rows = tally.rows
    interrupted(mode)(parcel, tally)
    assert kept(parcel, len(STATES)) == [(after, DOUBT) if state is SENDING else (state, 0) for state in STATES]
    assert (tally.rows, tally.sending, getattr(tally, after.name.lower())) == (rows, 0, 4)


@pytest.mark.parametrize("mode", OnAmbiguous)
def test_who_approved_of_a_request_did_not_approve_of_the_one_after_it(mode):
    """The approval went with the request that was under way, though the process ended before it could write that."""
    parcel, tally = parcel_of([SENDING], flags=DOUBT | REPEATED | APPROVED)
    interrupted(mode)(parcel, tally)
    [(_, flags)] = kept(parcel, 1)
    assert flags == DOUBT | REPEATED


def test_to_cancel_takes_back_nothing_that_may_have_left():
    """What is under way is unknown, and in doubt for whoever retries it; what is settled stays so."""
    parcel, tally = parcel_of(STATES)
    cancelled(parcel, tally)
    changed = {PENDING: (BatchState.CANCELLED, 0), SENDING: (UNKNOWN, DOUBT)}
    assert kept(parcel, len(STATES)) == [changed.get(state, (state, 0)) for state in STATES]
    assert (tally.pending, tally.sending, tally.cancelled, tally.unknown) == (0, 0, 4, 4)


def test_what_takes_a_batchs_place_inherits_all_that_is_known_of_it():
    """Its doubt, its attempts, and that it goes first."""
    parcel, _ = parcel_of([PENDING], flags=DOUBT | REPEATED, canary=True)
    draft = draft_of(parcel.batches[0], [["u0-0"], ["u0-1"]])
    assert (draft.flags, draft.attempts, draft.canary, draft.count) == (DOUBT | REPEATED, 3, True, 2)
    assert json.loads(draft.batches) == [[{}, ["u0-0"]], [{}, ["u0-1"]]]


def test_only_what_is_pending_can_still_be_skipped():
    """A recipient who opts out is taken out of what waits; whom a request names is left as that request leaves it."""
    parcel, tally = parcel_of([PENDING, SENDING, BatchState.ACCEPTED, PENDING], flags=DOUBT)
    barred = {"u0-1", "u1-0", "u2-0", "u3-0", "u3-1"}

    drafts, skips = without(
        parcel, tally, lambda recipients: {each: SkipReason.SUPPRESSED for each in recipients if each in barred}, 0
    )
    states = [state for state, _ in kept(parcel, 4)]
    assert states == [BatchState.REPLACED, SENDING, BatchState.ACCEPTED, BatchState.REPLACED]
    assert [(json.loads(draft.batches), draft.flags) for draft in drafts] == [([[{}, ["u0-0"]]], DOUBT)]
    assert [row for skip in skips for row in skip.rows] == [(0, "u0-1"), (0, "u3-0"), (0, "u3-1")]
    assert (tally.balance, tally.pending, tally.skipped, tally.batches) == (0, 3, {"suppressed": 3}, 3)


AT = 1_800_000_000
STEPS = {
    "begin": lambda batch, tally, half: begin(batch, tally, AT),
    "withdraw": lambda batch, tally, half: withdraw(batch, tally, AT),
    "accept": lambda batch, tally, half: settle(batch, tally, BatchState.ACCEPTED, AT),
    "reject": lambda batch, tally, half: settle(batch, tally, BatchState.REJECTED, AT),
    "lose": lambda batch, tally, half: settle(batch, tally, UNKNOWN, AT),
    "repeat": lambda batch, tally, half: (doubt(batch), settle(batch, tally, PENDING, AT))[1],
    "split": lambda batch, tally, half: split(batch, tally, [batch.recipients[:half], batch.recipients[half:]], AT),
    "exclude": lambda batch, tally, half: exclude(batch, tally, {batch.recipients[0]: SkipReason.CAPPED}, AT)[0],
    "interrupt": lambda batch, tally, half: interrupt(batch, tally, tuple(OnAmbiguous)[half], AT),
    "cancel": lambda batch, tally, half: cancel(batch, tally, AT),
    "approve": lambda batch, tally, half: approve(batch, tally, (BatchState.REJECTED, UNKNOWN)[half]),
}


def take(step, batch, tally, half):
    """Take one step with a batch; return what replaces it. ValueError where it cannot be taken."""
    return STEPS[step](batch, tally, half)


def opened(draft):
    """Return the batches of a draft, as the ledger gives them back."""
    contents = json.loads(draft.batches)
    marks = new_marks(draft.count, flags=draft.flags, attempts=draft.attempts)
    return Parcel.opened(8, draft.canary, contents, marks).taken()


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(STEPS)), st.integers(0, 1)), max_size=60))
def test_the_counts_add_up_after_any_sequence_of_steps(steps):
    """Legal steps and refused ones; what a batch was split into goes on like any other."""
    parcel, tally = parcel_of([PENDING] * 3)
    batches = parcel.taken()
    for at, step, half in steps:
        batch = batches[at % len(batches)]
        before = (batch.state, batch.flags, tally.copy())
        try:
            draft = take(step, batch, tally, half)
        except ValueError:
            assert (batch.state, tally) == (before[0], before[2])
            continue
        assert before[1] & DOUBT <= batch.flags & DOUBT
        if draft is not None:
            parts = opened(draft)
            assert all(part.flags & DOUBT == batch.flags & DOUBT for part in parts)
            batches += parts
    standing = [batch for batch in batches if batch.state is not BatchState.REPLACED]
    for state, name in ((BatchState.ACCEPTED, "accepted"), (BatchState.REJECTED, "rejected"), (UNKNOWN, "unknown"),
                        (BatchState.CANCELLED, "cancelled")):  # fmt: skip
        assert getattr(tally, name) == sum(len(batch.recipients) for batch in standing if batch.state is state)
    waiting = [batch for batch in standing if batch.state in (PENDING, SENDING)]
    assert tally.pending == sum(len(batch.recipients) for batch in waiting)
    assert tally.sending == sum(batch.state is SENDING for batch in waiting)
    assert tally.batches == len(standing)
    assert tally.balance == 0


@pytest.mark.parametrize("state", STATES)
def test_a_step_begins_only_where_it_may(state):
    """An outcome is not overwritten by a late one, and nothing is sent twice under one intent."""

    def of(flags=0):
        parcel, tally = parcel_of([state], flags=flags)
        return parcel.batches[0], tally

    steps = {
        "begin": (PENDING,), "withdraw": (SENDING,), "accept": (SENDING,), "split": (PENDING, SENDING),
        "exclude": (PENDING,),
    }  # fmt: skip
    for step, allowed in steps.items():
        batch, tally = of()
        if state in allowed:
            take(step, batch, tally, 1)
        else:
            with pytest.raises(ValueError, match="does not begin there"):
                take(step, batch, tally, 1)
