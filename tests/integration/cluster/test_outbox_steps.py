"""The rules of the outbox one by one: what a worker that ends at one place leaves, and what others make of it."""

from datetime import UTC, datetime, timedelta

import pytest

from helpers.accounting_server import Taken, always
from helpers.postgres import execute
from metrix_channels import Outcome
from metrix_channels.errors import LedgerError, Unreachable
from metrix_channels.ledger import Entry, SendBook
from metrix_channels.notifier.outbox import outbox as outbox_module
from metrix_channels.outcomes import Receipt

TODO = "SELECT args->>'send' FROM procrastinate_jobs WHERE status = 'todo'"
TAKE, INTEND, FINISH = 0, 1, 2
"""The transactions of a message that is accepted at once."""


@pytest.fixture
def aged(monkeypatch):
    """Every message is a day old."""
    monkeypatch.setattr(outbox_module, "_GIVEN_UP_AFTER", timedelta(0))


@pytest.mark.parametrize("at", [INTEND, FINISH])
def test_the_sweep_frees_what_a_dead_worker_claimed(outbox, at):
    """With a job, of which there is one, however often it sweeps."""
    message = outbox.enqueue()
    first, second = outbox.worker(), outbox.worker()
    outbox.run(first.work(at, first.kill))
    assert (outbox.receipts(message), execute(outbox.url, TODO)) == (None, [])
    for _ in range(2):
        outbox.run(second.sweep())
    assert execute(outbox.url, "SELECT owner FROM sends") == [(None,)]
    assert execute(outbox.url, TODO) == [(message,)]
    outbox.run(second.work())
    [receipt] = outbox.receipts(message)
    assert (receipt.outcome, receipt.possible_duplicate) == (Outcome.ACCEPTED, at == FINISH)
    assert outbox.server.account == {"u1": 1 + (at == FINISH)}


def test_a_living_worker_is_left_alone(outbox):
    """What it has claimed is neither freed nor given a job."""
    outbox.enqueue()
    first, second = outbox.worker(), outbox.worker()

    async def meanwhile():
        await second.sweep()
        assert execute(outbox.url, TODO) == []
        assert execute(outbox.url, "SELECT owner FROM sends") == [(first.database.lease.name,)]

    outbox.run(first.work(INTEND, meanwhile))
    assert outbox.server.account == {"u1": 1}


def test_the_sweep_makes_the_jobs_that_are_missing(outbox):
    """One that was fetched and never begun, too."""
    message = outbox.enqueue()
    execute(outbox.url, "UPDATE procrastinate_jobs SET status = 'doing'")
    worker = outbox.worker()
    outbox.run(worker.sweep())
    assert execute(outbox.url, TODO) == [(message,)]


def test_a_job_that_a_clock_put_off_for_a_year_is_done_now(outbox):
    """The database's clock was ahead when the message was put off, and is right again."""
    message = outbox.enqueue()
    execute(outbox.url, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 year'")
    worker = outbox.worker()
    outbox.run(worker.sweep())
    outbox.run(worker.work())
    [receipt] = outbox.receipts(message)
    assert receipt.outcome is Outcome.ACCEPTED


def test_one_job_that_waits_is_enough(outbox):
    """Whoever asks for another while it waits: two sweeps at one time, or a worker that gives the message back."""
    message = outbox.enqueue()
    worker = outbox.worker()
    outbox.run(worker.sweep())
    execute(outbox.url, f"SELECT metrix_channels.post('{message}', 0, 3)")
    assert execute(outbox.url, TODO) == [(message,)]


def test_a_message_takes_up_what_a_send_with_its_key_left_open(outbox):
    """Its process died: nobody else might ever ask for the key again."""
    worker = outbox.worker()
    outbox.run(worker.sweep())
    outbox.configure(batch_size=1)
    answers = iter([Taken(), Taken(503, taken=False)])
    outbox.server.script = lambda *_: next(answers)
    with pytest.raises(Unreachable):
        outbox.send(["u1", "u2"], key="k")
    message = outbox.enqueue(["u1", "u2"], key="k")
    assert execute(outbox.url, TODO) == [(message,)]
    outbox.server.script = always(Taken())
    outbox.run(worker.work())
    assert {each.outcome for each in outbox.receipts(message)} == {Outcome.ACCEPTED}
    assert outbox.server.account == {"u1": 1, "u2": 1}


def test_a_frozen_worker_makes_no_request_between_its_lease_and_its_waking(outbox):
    """Not even with the intent written down: another may have drawn its conclusion from that."""
    outbox.configure(on_ambiguous="hold")
    message = outbox.enqueue()
    first, second = outbox.worker(), outbox.worker()
    outbox.run(first.work(INTEND, first.freeze))
    assert outbox.server.requests == []
    outbox.run(second.sweep())
    outbox.run(second.work())
    [receipt] = outbox.receipts(message)
    assert (receipt.outcome, outbox.server.requests) == (Outcome.UNKNOWN, [])


def test_a_woken_worker_writes_no_intent_for_what_others_freed(outbox):
    """So nothing is in doubt: the other sends it as if nothing had been."""
    message = outbox.enqueue()
    first, second = outbox.worker(), outbox.worker()

    async def taken_for_dead():
        first.freeze()
        await second.sweep()

    outbox.run(first.work(INTEND, taken_for_dead))
    assert execute(outbox.url, "SELECT count(*) FROM attempts") == [(0,)]
    outbox.run(second.work())
    [receipt] = outbox.receipts(message)
    assert (receipt.outcome, receipt.possible_duplicate) == (Outcome.ACCEPTED, False)


def test_the_text_goes_with_the_outcome(outbox):
    """In one transaction: a worker that dies right after it leaves nothing."""
    outbox.enqueue()
    worker = outbox.worker()
    outbox.run(worker.work(FINISH + 1, worker.kill))
    assert execute(outbox.url, "SELECT state, outgoing FROM sends") == [("settled", None)]


def test_one_that_is_given_up_says_why_and_frees_its_key(outbox, aged):
    """After a day of an outage; another message under the key is a new one."""
    outbox.server.script = always(Taken(503, taken=False))
    message = outbox.enqueue(key="k")
    outbox.run(outbox.worker().work())
    [receipt] = outbox.receipts(message)
    assert (receipt.outcome, receipt.error.code) == (Outcome.NOT_SENT, "unavailable")
    assert execute(outbox.url, "SELECT key, state, outgoing, owner FROM sends") == [(None, "settled", None, None)]
    assert execute(outbox.url, TODO) == []
    outbox.server.script = always(Taken())
    assert outbox.enqueue(key="k") != message


def test_of_one_that_was_sent_in_part_the_rest_is_tried_again(outbox, monkeypatch):
    """And given up in the end; the next call with its key sends to the others."""
    outbox.configure(batch_size=1)
    message = outbox.enqueue(["u1", "u2"], key="k")
    answers = iter([Taken(), Taken(503, taken=False), Taken(503, taken=False)])
    outbox.server.script = lambda *_: next(answers)
    worker = outbox.worker()
    outbox.run(worker.work())
    assert (outbox.receipts(message), execute(outbox.url, TODO)) == (None, [(message,)])
    monkeypatch.setattr(outbox_module, "_GIVEN_UP_AFTER", timedelta(0))
    outbox.run(worker.work())
    found = {each.recipients[0]: each.outcome for each in outbox.receipts(message)}
    assert found == {"u1": Outcome.ACCEPTED, "u2": Outcome.NOT_SENT}
    outbox.server.script = always(Taken())
    outbox.send(["u1", "u2"], key="k")
    assert outbox.server.account == {"u1": 1, "u2": 1}


def test_the_key_of_a_message_means_what_is_sent(outbox, project):
    """Recipients in another order, and the time that a text shows, make no other content; an edited text does."""
    project.template("{{ first_name }} {{ now | jalali('%S.%f') }}")
    message = outbox.enqueue(["u1", "u2"], key="k")
    assert outbox.enqueue(["u2", "u1"], key="k") == message
    assert outbox.enqueue({"u1", "u2"}, key="k") == message
    project.template("Dear {{ first_name }}")
    with pytest.raises(LedgerError) as caught:
        outbox.enqueue(["u1", "u2"], key="k")
    assert caught.value.code == "key_reused"
    assert execute(outbox.url, TODO) == [(message,)]


def test_a_send_that_fails_does_not_end_a_message_that_waits_under_its_key(outbox):
    """The transaction with the message was committed: workers go on with it."""
    entry = Entry("s1", "app", "k", b"", "sms", "offer", ("u1",), None)
    worker = outbox.worker()
    outbox.run(worker.sweep())
    book = SendBook(outbox.notifier._services.current().engine.book_file)
    outbox.run(book.claim(entry))
    execute(outbox.url, "UPDATE sends SET outgoing = '{}'")
    why = Receipt("s1", "sms", ("u1",), Outcome.NOT_SENT, 1, 503, False, datetime.now(UTC), None)
    outbox.run(book.finish("s1", [why]))
    assert execute(outbox.url, "SELECT key, state FROM sends") == [("k", "open")]
    outbox.run(worker.sweep())
    assert execute(outbox.url, TODO) == [("s1",)]


def test_a_refused_worker_ends_no_message_whose_doubt_another_can_settle(outbox):
    """The first request may have been taken; the second was refused for its key alone."""
    answers = iter([Taken(500), Taken(401, taken=False), Taken()])
    outbox.server.script = lambda *_: next(answers)
    outbox.configure(max_attempts=2)
    message = outbox.enqueue()
    first, second = outbox.worker(), outbox.worker()
    outbox.run(first.work())
    assert outbox.receipts(message) is None
    assert not outbox.run(first.work())
    assert first.problems == ["credentials_refused"]
    outbox.run(second.work())
    [receipt] = outbox.receipts(message)
    assert (receipt.outcome, receipt.possible_duplicate) == (Outcome.ACCEPTED, True)


def test_a_message_of_no_known_form_costs_no_other(outbox):
    """It goes back, to be tried again later; its worker keeps its name and all that is under it."""
    message = outbox.enqueue()
    execute(outbox.url, "UPDATE sends SET outgoing = '{}'")
    worker = outbox.worker()
    outbox.run(worker.work())
    name = worker.database.lease.name
    assert execute(outbox.url, "SELECT owner FROM sends") == [(None,)]
    assert execute(outbox.url, f"{TODO} AND scheduled_at > now()") == [(message,)]
    outbox.enqueue("u2")
    execute(outbox.url, f"DELETE FROM procrastinate_jobs WHERE args->>'send' = '{message}'")
    outbox.run(worker.work())
    assert outbox.server.account == {"u2": 1}
    assert worker.database.lease.name == name


def test_an_entry_that_comes_too_late_stops_no_other(outbox):
    """The ledger was away as a send ended; by the time it is back, others took the send for dead and took it up."""
    worker = outbox.worker()
    outbox.run(worker.sweep())
    database = outbox.notifier._services.current().engine.book_file
    book = SendBook(database)
    outbox.run(book.claim(Entry("s1", "app", "k", b"", "sms", "offer", ("u1",), None)))
    transact = database.transact

    async def away(_work, **_how):
        raise LedgerError("It is away.", code="ledger_unavailable")

    database.transact = away
    with pytest.raises(LedgerError):
        outbox.run(book.abandon("s1"))
    database.transact = transact
    database.give_up_name()
    outbox.run(book.check_writable())
    assert execute(outbox.url, "SELECT owner IS NULL FROM sends") == [(False,)]


def test_who_waits_is_told_by_application_and_channel(outbox):
    """However many messages there are."""
    for number in range(3):
        outbox.enqueue(f"u{number}")
    worker = outbox.worker()
    [found] = outbox.run(worker.waiting())
    assert (found.app_id, found.channel, found.seconds >= 0) == ("app", "sms", True)


def test_a_send_with_a_key_that_fails_is_no_message(outbox):
    """It was never in the outbox: nothing waits for a worker."""
    outbox.server.script = always(Taken(503, taken=False))
    with pytest.raises(Unreachable):
        outbox.send(key="k")
    outbox.run(outbox.worker().sweep())
    assert execute(outbox.url, TODO) == []
