"""Taking up what another call left: pure decisions from the attempts on record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.delivery import Disposition, resume_recipients
from metrix_channels.delivery.resumption import PastAttempt
from metrix_channels.models import OnAmbiguous
from metrix_channels.outcomes import Outcome

RETRY, HOLD = OnAmbiguous.RETRY, OnAmbiguous.HOLD
DOUBTFUL = (None, "ambiguous", "unreadable")
PEOPLE = tuple(f"u{number}" for number in range(6))


def past(disposition, *recipients, status=None):
    return PastAttempt(recipients or ("u1",), disposition, f"It was {disposition}.", status, None)


@pytest.mark.parametrize(
    ("attempts", "mode", "expected"),
    [
        ([], RETRY, "send"),
        ([], HOLD, "send"),
        (["accepted"], RETRY, "accepted"),
        (["not_taken", "accepted"], HOLD, "accepted"),
        (["ambiguous", "accepted"], RETRY, "accepted twice?"),
        ([None], RETRY, "send in doubt"),
        ([None], HOLD, "unknown"),
        (["ambiguous"], RETRY, "send in doubt"),
        (["ambiguous"], HOLD, "unknown"),
        (["ambiguous", "refused"], HOLD, "unknown"),
        (["ambiguous", "refused"], RETRY, "send in doubt"),
        (["unreadable"], RETRY, "unknown"),
        (["unreadable"], HOLD, "unknown"),
        (["refused"], RETRY, "rejected"),
        (["not_taken", "not_taken"], HOLD, "send"),
        (["halt"], HOLD, "send"),
    ],
)
def test_one_recipient(attempts, mode, expected):
    """The attempts that named somebody decide about them; an attempt without an end may have been taken."""
    resumption = resume_recipients(["u1"], [past(each) for each in attempts], mode)
    if expected.startswith("send"):
        [part], settled = resumption.parts, resumption.settled
        assert (settled, part.attempts, part.doubt is not None) == ((), len(attempts), expected == "send in doubt")
    else:
        [result], parts = resumption.settled, resumption.parts
        assert (parts, result.attempts, result.outcome) == ((), len(attempts), Outcome(expected.split()[0]))
        assert result.possible_duplicate is expected.endswith("twice?")


def test_a_refused_batch_refuses_nobody():
    """Nobody knows which of them was at fault: they are sent to again."""
    resumption = resume_recipients(["u1", "u2"], [past("refused", "u1", "u2"), past("refused", "u2")], HOLD)
    assert [part.recipients for part in resumption.parts] == [("u1",)]
    assert [(result.recipients, result.outcome) for result in resumption.settled] == [(("u2",), Outcome.REJECTED)]


def test_recipients_with_one_history_stay_together():
    """So that taking up costs no more requests than there are histories."""
    resumption = resume_recipients(
        ["u1", "u2", "u3", "u4"], [past("accepted", "u1", "u3"), past("not_taken", "u2", "u4")], RETRY
    )
    assert [result.recipients for result in resumption.settled] == [("u1", "u3")]
    assert [part.recipients for part in resumption.parts] == [("u2", "u4")]


attempts = st.builds(
    PastAttempt,
    recipients=st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True).map(tuple),
    disposition=st.none() | st.sampled_from([each.value for each in Disposition]),
    explanation=st.just("It happened."),
    status=st.none() | st.just(503),
    ended_at=st.none(),
)


@given(st.lists(attempts, max_size=6), st.sampled_from(OnAmbiguous))
def test_every_recipient_lands_in_one_place_and_nobody_is_sent_to_in_silence(history, mode):
    """Each exactly once; nobody accepted, and under hold nobody in doubt, is sent to; else doubt is remembered."""
    resumption = resume_recipients(PEOPLE, history, mode)
    landed = [each for group in (*resumption.settled, *resumption.parts) for each in group.recipients]
    assert sorted(landed) == sorted(PEOPLE)

    def seen(recipient):
        return [attempt.disposition for attempt in history if recipient in attempt.recipients]

    for part in resumption.parts:
        for recipient in part.recipients:
            doubtful = any(each in DOUBTFUL for each in seen(recipient))
            assert "accepted" not in seen(recipient)
            assert "unreadable" not in seen(recipient)
            assert not (mode is HOLD and doubtful)
            assert (part.doubt is not None) == doubtful
            assert part.attempts == len(seen(recipient))
    for result in resumption.settled:
        for recipient in result.recipients:
            doubtful = any(each in DOUBTFUL for each in seen(recipient))
            assert (result.outcome is Outcome.ACCEPTED) == ("accepted" in seen(recipient))
            assert result.possible_duplicate == (result.outcome is Outcome.ACCEPTED and doubtful)
            assert not (result.outcome is Outcome.REJECTED and doubtful)
