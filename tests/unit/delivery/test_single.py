"""A delivery, attempt by attempt, against scripted answers."""

import asyncio
import random
import time

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from helpers.verdicts import judged
from metrix_channels.api import Failure, Reply, Stage
from metrix_channels.delivery import Deadlines, Delivery, Part, Policy, ProcessLimit, RateLimiter
from metrix_channels.delivery import single as delivery
from metrix_channels.errors import LedgerError, problem
from metrix_channels.models import OnAmbiguous
from metrix_channels.outcomes import Outcome

OK, BUSY, BROKEN, BAD, LARGE, DENIED = map(Reply, (200, 503, 500, 400, 413, 403))
LOST = Failure(Stage.BEGUN, "reset")
NO_ROUTE = Failure(Stage.NOT_BEGUN, "no route")
PAGE = Reply(200, "<html>")


@define(slots=False)
class Metrix:
    """A journal and a server in one: answers from a script, and notes the order of things."""

    answer: object
    requests: list = field(factory=list)
    log: list = field(factory=list)
    fails_at: int = 99
    """From this step of the log on, the journal cannot be written."""

    async def post(self, recipients, seconds):
        self.requests.append(recipients)
        self.log.append("post")
        exchange = self.answer(recipients) if callable(self.answer) else self.answer[len(self.requests) - 1]
        return exchange, judged(exchange)

    async def intend(self, recipients):
        self._write("intend")
        return len(self.log)

    async def settle(self, attempt, exchange, verdict):
        self._write("settle")

    def _write(self, step):
        self.log.append(step)
        if len(self.log) > self.fails_at:
            raise LedgerError("The disk is full.", code="ledger_unavailable")

    def withdraw(self, attempt):
        self.log.append("withdraw")


def admitted():
    return None


def deliver(metrix, recipients=("u1",), *arguments, **named):
    return deliver_parts(metrix, [Part(tuple(recipients))], *arguments, **named)


def deliver_apart(metrix, recipients):
    return deliver_parts(metrix, [Part((recipient,)) for recipient in recipients])


def deliver_parts(metrix, parts, on_ambiguous=OnAmbiguous.RETRY, refusal=admitted, deadline=60, **limits):
    async def run():
        policy = Policy(**{"max_attempts": 5, "timeout": 1, **limits}, on_ambiguous=on_ambiguous)
        stop = asyncio.Event()
        places = asyncio.Semaphore(1)
        delivery = Delivery(
            metrix.post, metrix, policy, places, RateLimiter(), refusal, stop, Deadlines(), random.Random(1)
        )
        return await delivery.run(parts, asyncio.get_running_loop().time() + deadline)

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(delivery, "backoff_seconds", lambda failures, rng: 0.0)


RETRY, HOLD = OnAmbiguous.RETRY, OnAmbiguous.HOLD


@pytest.mark.parametrize(
    ("answers", "mode", "outcome", "attempts", "duplicate"),
    [
        ([OK], RETRY, "accepted", 1, False),
        ([BUSY, BUSY, OK], RETRY, "accepted", 3, False),
        ([BUSY, BUSY, OK], HOLD, "accepted", 3, False),
        ([NO_ROUTE, OK], HOLD, "accepted", 2, False),
        ([LOST, OK], RETRY, "accepted", 2, True),
        ([LOST], HOLD, "unknown", 1, False),
        ([BROKEN, OK], RETRY, "accepted", 2, True),
        ([BROKEN], HOLD, "unknown", 1, False),
        ([BUSY] * 5, RETRY, "not_sent", 5, False),
        ([NO_ROUTE] * 5, RETRY, "not_sent", 5, False),
        ([BROKEN] * 5, RETRY, "unknown", 5, False),
        ([BROKEN, BUSY, BUSY, BUSY, BUSY], RETRY, "unknown", 5, False),
        ([BAD], RETRY, "rejected", 1, False),
        ([LARGE], RETRY, "rejected", 1, False),
        ([BUSY, BAD], RETRY, "rejected", 2, False),
        ([LOST, BAD], RETRY, "unknown", 2, False),
        ([DENIED], RETRY, "not_sent", 1, False),
        ([LOST, DENIED], RETRY, "unknown", 2, False),
        ([PAGE], RETRY, "unknown", 1, False),
        ([PAGE], HOLD, "unknown", 1, False),
    ],
)
def test_the_outcome_of_one_recipient(answers, mode, outcome, attempts, duplicate):
    """The design's table; doubt is sticky."""
    metrix = Metrix(answers)
    [result] = deliver(metrix, on_ambiguous=mode)
    assert (result.outcome, result.attempts, result.possible_duplicate) == (outcome, attempts, duplicate)
    assert len(metrix.requests) == attempts
    assert (result.problem is None) == (outcome == "accepted")


def test_an_intent_is_durable_before_each_request_and_settled_after_it():
    """In this order, for every attempt."""
    metrix = Metrix([BUSY, LOST, OK])
    deliver(metrix)
    assert metrix.log == ["intend", "post", "settle"] * 3


def test_a_journal_that_fails_before_the_first_request_is_an_error():
    """Nothing was sent."""
    metrix = Metrix([OK], fails_at=0)
    with pytest.raises(LedgerError):
        deliver(metrix)
    assert metrix.requests == []


@pytest.mark.parametrize(
    ("fails_at", "outcome", "code"),
    [
        (2, "unknown", "outcome_unknown"),  # as the result of the first attempt is recorded
        (3, "unknown", "ledger_unavailable"),  # as the second intent is recorded
        (5, "rejected", "rejected"),  # as the result of the second attempt is recorded
    ],
)
def test_a_journal_that_fails_later_ends_the_delivery_with_the_outcomes_so_far(fails_at, outcome, code):
    """The caller must learn what was sent, and to whom nothing was sent any more."""
    metrix = Metrix([BROKEN, BAD] if fails_at < 5 else [BUSY, BAD], fails_at=fails_at)
    result, other = deliver_apart(metrix, ("u1", "u2"))
    assert (result.outcome, result.problem.code, result.halts) == (outcome, code, True)
    assert (other.outcome, other.recipients) == ("not_sent", ("u2",))
    assert {who for recipients in metrix.requests for who in recipients} == {"u1"}


def test_who_was_accepted_is_named_though_the_journal_fails_for_the_next():
    """One request for each of two recipients."""
    results = deliver_apart(Metrix([OK, OK], fails_at=3), ("u1", "u2"))
    assert [(result.outcome, result.problem and result.problem.code) for result in results] == [
        ("accepted", None),
        ("not_sent", "ledger_unavailable"),
    ]


def test_doubt_names_the_attempt_that_it_comes_from():
    """The last answer alone would mislead."""
    [result] = deliver(Metrix([LOST, DENIED]))
    assert result.problem.code == "credentials_refused"
    assert "Metrix may have accepted an earlier attempt" in result.problem.message


def refusing(*bad):
    return lambda recipients: BAD if set(recipients) & set(bad) else OK


def outcomes(results):
    return {recipient: result.outcome for result in results for recipient in result.recipients}


def test_one_bad_recipient_among_500_costs_the_others_nothing():
    """It is found by halving, named, and the other 499 are accepted, on few requests."""
    everyone = [f"u{number}" for number in range(500)]
    metrix = Metrix(refusing("u321"))
    found = outcomes(deliver(metrix, everyone))
    assert found.pop("u321") is Outcome.REJECTED
    assert set(found) == set(everyone) - {"u321"}
    assert set(found.values()) == {Outcome.ACCEPTED}
    assert len(metrix.requests) <= 19


def test_a_message_at_fault_is_found_out_on_few_requests():
    """Eight lone rejections in a row: the rest is not rejected one by one."""
    metrix = Metrix(lambda recipients: BAD)
    results = deliver(metrix, [f"u{number}" for number in range(500)])
    found = outcomes(results)
    assert sum(outcome is Outcome.REJECTED for outcome in found.values()) == 8
    assert sum(outcome is Outcome.NOT_SENT for outcome in found.values()) == 492
    assert results[-1].problem.code == "message_refused"
    assert len(metrix.requests) <= 30


def test_413_makes_requests_smaller_until_they_fit():
    """Nobody is rejected for the size of a batch."""
    metrix = Metrix(lambda recipients: LARGE if len(recipients) > 60 else OK)
    found = outcomes(deliver(metrix, [f"u{number}" for number in range(500)]))
    assert set(found.values()) == {Outcome.ACCEPTED}
    assert len(metrix.requests) < 40


def test_413_makes_requests_smaller_also_where_refused_batches_are_not_split():
    """It says that the request is too large, and not that a recipient is at fault."""
    metrix = Metrix(lambda recipients: LARGE if len(recipients) > 1 else OK)
    results = deliver(metrix, ["u1", "u2"], split_refused=False)
    assert outcomes(results) == {"u1": "accepted", "u2": "accepted"}


def test_without_splitting_a_refused_batch_is_unknown():
    """Nobody knows whom of it Metrix refused."""
    [result] = deliver(Metrix([BAD]), ["u1", "u2"], split_refused=False)
    assert result.outcome is Outcome.UNKNOWN


def test_the_parts_of_a_split_batch_inherit_doubt():
    """A batch that may have been taken, then refused, then taken in halves: both halves may have it twice."""
    results = deliver(Metrix([LOST, BAD, OK, OK]), ["u1", "u2"])
    assert [result.possible_duplicate for result in results] == [True, True]
    assert [result.attempts for result in results] == [3, 3]


def test_403_in_the_middle_of_halving_ends_everything():
    """The rest is not sent, and says why."""
    results = deliver(Metrix([BAD, DENIED]), ["u1", "u2"])
    assert outcomes(results) == {"u1": "not_sent", "u2": "not_sent"}
    assert {result.problem.code for result in results} == {"credentials_refused"}


def test_a_verification_withdrawn_between_attempts_stops_the_next_one():
    """It is looked at again before each attempt."""
    metrix = Metrix([BUSY, OK])
    withdrawn = problem("channel_unverified", "Withdrawn.")
    [result] = deliver(metrix, refusal=lambda: withdrawn if metrix.requests else None)
    assert (result.outcome, result.problem.code, len(metrix.requests)) == ("not_sent", "channel_unverified", 1)


@pytest.mark.parametrize("ends", ["refused", "stopped", "too late"])
def test_doubt_outlives_the_attempt_that_is_never_made(ends, monkeypatch):
    """What may have been taken is unknown, never `not_sent`, which would free its key: whatever ends the retries."""
    deliveries = []
    run = Delivery.run
    monkeypatch.setattr(Delivery, "run", lambda self, *given: (deliveries.append(self), run(self, *given))[1])
    metrix = Metrix([LOST, OK])

    def refusal():
        if not metrix.requests:
            return None
        if ends == "too late":
            time.sleep(0.6)
        if ends == "stopped":
            deliveries[0].stop.set()
        return problem("channel_unverified", "Withdrawn.") if ends == "refused" else None

    [result] = deliver(metrix, refusal=refusal, deadline=0.5)
    assert (result.outcome, len(metrix.requests)) == ("unknown", 1)
    assert "Metrix may have accepted an earlier attempt" in result.problem.message


def test_the_deadline_ends_the_retries(monkeypatch):
    """A wait that would go past it is not waited for."""
    monkeypatch.setattr(delivery, "backoff_seconds", lambda failures, rng: 0.2)
    metrix = Metrix(lambda recipients: BUSY)
    [result] = deliver(metrix, deadline=0.5, max_attempts=100)
    assert result.outcome is Outcome.NOT_SENT
    assert len(metrix.requests) <= 4


def test_an_attempt_gets_no_more_time_than_the_delivery_has_left():
    """A caller with a deadline of half a second does not wait ten for one attempt."""
    given_seconds = []

    async def post(recipients, seconds):
        given_seconds.append(seconds)
        return OK, judged(OK)

    metrix = Metrix([])
    metrix.post = post
    deliver(metrix, deadline=0.5, timeout=10)
    deliver(metrix, deadline=60, timeout=10)
    assert 0 < given_seconds[0] <= 0.5
    assert given_seconds[1] == 10


def test_a_stop_ends_the_wait_for_the_next_attempt(monkeypatch):
    """A process that is asked to end does not sleep through its backoff first."""
    metrix = Metrix([BUSY, OK])

    async def run():
        stop, waits = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(delivery, "backoff_seconds", lambda failures, rng: waits.set() or 3_000.0)
        policy = Policy(max_attempts=5, timeout=1, on_ambiguous=RETRY)
        places, rng = asyncio.Semaphore(1), random.Random(1)
        stopped = Delivery(metrix.post, metrix, policy, places, RateLimiter(), admitted, stop, Deadlines(), rng)
        under_way = asyncio.create_task(stopped.run([Part(("u1",))], asyncio.get_running_loop().time() + 3_600))
        await waits.wait()
        stop.set()
        async with asyncio.timeout(60):
            return await under_way

    [result] = asyncio.run(run())
    assert (result.outcome, result.problem.code, len(metrix.requests)) == ("not_sent", "interrupted", 1)


def test_retry_after_beyond_the_deadline_is_not_waited_for():
    """The caller hears at once that Metrix asks to come back later."""
    metrix = Metrix([Reply(429, retry_after="120")])
    [result] = deliver(metrix, deadline=1)
    assert (result.outcome, result.problem.code) == ("not_sent", "unavailable")


ANSWERS = st.sampled_from([OK, BUSY, BROKEN, BAD, LARGE, DENIED, LOST, NO_ROUTE, PAGE])


@given(script=st.lists(ANSWERS, max_size=30), size=st.integers(1, 12), mode=st.sampled_from(OnAmbiguous))
def test_the_books_add_up_whatever_happens(script, size, mode):
    """Each recipient has one result; taken twice only if that is said; under hold never."""
    taken: dict[str, int] = {}
    steps = iter(script)

    def answer(recipients):
        given_answer = next(steps, OK)
        if given_answer in (OK, BROKEN, LOST, PAGE):  # the worst case: whatever may have been taken was
            for recipient in recipients:
                taken[recipient] = taken.get(recipient, 0) + 1
        return given_answer

    everyone = [f"u{number}" for number in range(size)]
    results = deliver(Metrix(answer), everyone, on_ambiguous=mode)
    assert sorted(recipient for result in results for recipient in result.recipients) == sorted(everyone)
    for result in results:
        for recipient in result.recipients:
            count = taken.get(recipient, 0)
            if result.outcome is Outcome.ACCEPTED:
                assert count == 1 or result.possible_duplicate
            if result.outcome in (Outcome.REJECTED, Outcome.NOT_SENT):
                assert count == 0
            if mode is HOLD:
                assert count <= 1


@pytest.mark.parametrize("ends", ["refused", "stopped"])
def test_what_forbids_a_request_while_its_intent_is_written_leaves_no_doubt(ends):
    """The intent is withdrawn, nothing leaves, and the place under the rate limit goes to somebody else."""
    metrix = Metrix([OK])
    stop, limit, refusals = asyncio.Event(), ProcessLimit(0.1), []

    async def intend(recipients):
        metrix.log.append("intend")
        if ends == "stopped":
            stop.set()
        else:
            refusals.append(problem("channel_unverified", "Withdrawn."))
        return 1

    async def run():
        policy, limiter = Policy(max_attempts=5, timeout=1, on_ambiguous=RETRY), RateLimiter([limit])
        places, rng = asyncio.Semaphore(1), random.Random(1)
        refusal = lambda: refusals[0] if refusals else None  # noqa: E731
        sending = Delivery(metrix.post, metrix, policy, places, limiter, refusal, stop, Deadlines(), rng)
        [result] = await sending.run([Part(("u1",))], asyncio.get_running_loop().time() + 60)
        return result, await limit.book(0.0)

    metrix.intend = intend
    result, booked = asyncio.run(run())
    assert (result.outcome, result.attempts, metrix.requests) == (Outcome.NOT_SENT, 0, [])
    assert metrix.log == ["intend", "withdraw"]
    assert booked is not None
