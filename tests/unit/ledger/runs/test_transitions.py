"""How batches that nobody sends come into another state: no doubt is lost, and the counts follow."""

import json

import pytest

from metrix_channels.ledger import (
    APPROVED,
    DOUBT,
    REPEATED,
    BatchState,
    Parcel,
    SkipReason,
    Tally,
    cancelled,
    draft_of,
    interrupted,
)
from metrix_channels.ledger.runs.batches import new_marks
from metrix_channels.ledger.runs.transitions import without
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
        parcel, tally, lambda recipients: {each: SkipReason.SUPPRESSED for each in recipients if each in barred}
    )
    states = [state for state, _ in kept(parcel, 4)]
    assert states == [BatchState.REPLACED, SENDING, BatchState.ACCEPTED, BatchState.REPLACED]
    assert [(json.loads(draft.batches), draft.flags) for draft in drafts] == [([[{}, ["u0-0"]]], DOUBT)]
    assert [row for skip in skips for row in skip.rows] == [(0, "u0-1"), (0, "u3-0"), (0, "u3-1")]
    assert (tally.balance, tally.pending, tally.skipped, tally.batches) == (0, 3, {"suppressed": 3}, 3)
