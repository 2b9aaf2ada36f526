"""When a run as a whole must stop: an outage costs little, a message at fault is found out soon."""

import pytest

from metrix_channels.delivery import Disposition, Verdict
from metrix_channels.delivery.circuit_breaker import CircuitBreaker

FAILED = Verdict(Disposition.AMBIGUOUS, "outcome_unknown", "No answer.")
TAKEN = Verdict(Disposition.ACCEPTED, "accepted", "Metrix answered 200.", 200)
STRANGE = Verdict(Disposition.UNREADABLE, "outcome_unknown", "A web page.", 200)
REFUSED = Verdict(Disposition.REFUSED, "rejected", "Metrix answered 400.", 400)


def until(call, most=100):
    """How many calls it takes until something comes of it, and what."""
    for count in range(1, most + 1):
        if found := call():
            return count, found.code
    return None


def test_twenty_failures_in_a_row_are_an_outage():
    """Whatever kind they are of; one that is taken makes the count begin again."""
    breaker = CircuitBreaker()
    for _ in range(19):
        assert breaker.failed(FAILED) is None
    breaker.answered(TAKEN)
    assert until(lambda: breaker.failed(FAILED)) == (20, "outage")


@pytest.mark.parametrize(("first", "again"), [(0, 21), (10, 22), (1_000, 121)])
def test_the_budget_of_repetitions_is_twenty_and_a_tenth(first, again):
    """Of the first attempts; first attempts themselves are always allowed."""
    breaker = CircuitBreaker()
    for _ in range(first):
        assert breaker.began(again=False) is None
    assert until(lambda: breaker.began(again=True), 1_000) == (again, "retries_spent")
    assert breaker.began(again=False) is None


def test_three_successes_in_a_row_that_cannot_be_believed():
    """A proxy answers in Metrix's place; one good answer in between says that it does not."""
    breaker = CircuitBreaker()
    assert breaker.answered(STRANGE) is breaker.answered(STRANGE) is breaker.answered(TAKEN) is None
    assert until(lambda: breaker.answered(STRANGE)) == (3, "answers_unreadable")


def test_eight_lone_refusals_of_one_message():
    """The message is at fault; a recipient who is taken clears it."""
    breaker = CircuitBreaker()
    for _ in range(7):
        assert breaker.refused_alone(b"text", REFUSED) is None
    breaker.answered(TAKEN)
    assert until(lambda: breaker.refused_alone(b"text", REFUSED)) == (8, "message_refused")


def test_twenty_lone_refusals_of_different_messages():
    """What they have in common is at fault; one that is taken shows that they have nothing in common."""
    breaker = CircuitBreaker()
    texts = iter(range(100))
    for _ in range(19):
        assert breaker.refused_alone(str(next(texts)).encode(), REFUSED) is None
    breaker.answered(TAKEN)
    assert until(lambda: breaker.refused_alone(str(next(texts)).encode(), REFUSED)) == (20, "message_refused")
