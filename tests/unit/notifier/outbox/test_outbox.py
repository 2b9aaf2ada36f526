"""What follows a try that did not send a message: a pure decision."""

from datetime import timedelta

import pytest

from metrix_channels.notifier.outbox.outbox import REFUSALS, decide_retry

YOUNG, OLD = timedelta(minutes=5), timedelta(hours=25)


def test_an_outage_is_waited_for_longer_and_longer():
    """15 seconds, doubled up to 15 minutes; each try counts."""
    waits = [decide_retry("unavailable", YOUNG, tries) for tries in range(8)]
    assert waits == [(min(15.0 * 2**tries, 900.0), tries + 1) for tries in range(8)]


@pytest.mark.parametrize("code", ["unavailable", "unreachable", "deadline_passed", "outcome_unknown"])
def test_after_a_day_it_is_given_up(code):
    """With the last reason."""
    assert decide_retry(code, OLD, 40) is None


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_what_is_said_to_one_worker_lets_another_try_at_once(code):
    """Also for a message that is a day old already: only a second refusal ends it."""
    assert decide_retry(code, YOUNG, 0) == decide_retry(code, OLD, 0) == (1.0, 1)
    assert decide_retry(code, OLD, 1) is None


@pytest.mark.parametrize("code", ["interrupted", "channel_unverified", "verification_expired", "secret_missing"])
def test_what_was_not_tried_is_no_try(code):
    """However old it is: it goes back as it was."""
    assert decide_retry(code, OLD, 3) == (1.0, 3)


def test_a_message_at_fault_is_not_tried_again():
    """Metrix refused one recipient after the other."""
    assert decide_retry("message_refused", YOUNG, 0) is None
