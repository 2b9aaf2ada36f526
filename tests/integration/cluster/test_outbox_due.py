"""Messages that are due later, and messages that are withdrawn: on PostgreSQL, with workers."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.cluster import Workers, on_postgres
from helpers.command_line import wait_until
from helpers.postgres import execute
from metrix_channels import Outcome
from metrix_channels.errors import LedgerError
from metrix_channels.ledger.sends import book

TODO = "SELECT args->>'send' FROM procrastinate_jobs WHERE status = 'todo'"
INTEND, FINISH = 1, 2
PATIENCE_SECONDS = 60.0
HELLO = {"first_name": "سارا"}


def ahead(**time):
    return datetime.now(UTC) + timedelta(**time)


def pass_time(url):
    """Let everything be due that is due later."""
    execute(url, "UPDATE sends SET due_at = '2026-01-01T00:00:00.000Z' WHERE due_at IS NOT NULL")


def code_of(receipts):
    [receipt] = receipts
    return receipt.outcome, receipt.error and receipt.error.code


def test_a_message_that_is_due_later_gets_its_job_as_its_time_comes(outbox):
    """So that months of reminders are not in the way of what is to be sent now; the sweep makes it, and once."""
    message = outbox.enqueue(at=ahead(hours=2))
    worker = outbox.worker()
    outbox.run(worker.sweep())
    assert (execute(outbox.url, TODO), outbox.run(worker.waiting())) == ([], [])
    pass_time(outbox.url)
    for _ in range(2):
        outbox.run(worker.sweep())
    assert execute(outbox.url, TODO) == [(message,)]
    assert len(outbox.run(worker.waiting())) == 1
    outbox.run(worker.work())
    assert code_of(outbox.receipts(message)) == (Outcome.ACCEPTED, None)


def test_a_job_of_the_next_minute_waits_for_the_time(outbox):
    """It is made at once, and is not done before."""
    message = outbox.enqueue(at=ahead(seconds=40))
    scheduled = "SELECT scheduled_at = due_at::timestamptz FROM procrastinate_jobs, sends WHERE status = 'todo'"
    assert execute(outbox.url, scheduled) == [(True,)]
    outbox.run(outbox.worker().work())  # as if the clock of whoever fetches jobs were ahead
    assert (outbox.receipts(message), outbox.server.requests) == (None, [])


def test_the_clock_of_the_database_decides(outbox):
    """A job that comes too early, whatever made it, finds nothing to do."""
    message = outbox.enqueue(at=ahead(hours=2))
    execute(outbox.url, f"SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(queue_of('app', 'sms'),"
            f" 'metrix_channels.post', 0, NULL, '{message}', jsonb_build_object('send', '{message}', 'tries', 0), NULL"
            ")::procrastinate_job_to_defer_v1])")  # fmt: skip
    assert outbox.run(outbox.worker().work())
    assert (outbox.receipts(message), outbox.server.requests) == (None, [])


def test_its_day_of_tries_begins_when_it_is_due(outbox, monkeypatch):
    """A reminder of last month is not given up with its first outage."""
    monkeypatch.setattr(book, "_now", lambda: "2020-01-01T00:00:00.000Z")
    message = outbox.enqueue(at=ahead(seconds=-1))
    outbox.server.script = always(Taken(503, taken=False))
    outbox.run(outbox.worker().work())
    assert (outbox.receipts(message), execute(outbox.url, TODO)) == (None, [(message,)])


def test_a_withdrawn_message_says_so_and_frees_its_key(outbox):
    """Its text is gone; whoever has its job finds nothing to do."""
    message = outbox.enqueue(key="k")
    assert outbox.withdraw("k")
    assert not outbox.withdraw("k")
    assert code_of(outbox.receipts(message)) == (Outcome.NOT_SENT, "message_withdrawn")
    assert execute(outbox.url, "SELECT key, state, outgoing, owner FROM sends") == [(None, "settled", None, None)]
    outbox.run(outbox.worker().work())
    assert outbox.server.requests == []
    assert outbox.enqueue(key="k") != message


def test_in_one_transaction_a_message_gets_another_time(outbox):
    """It is withdrawn and enqueued again; without that, the key stands for the earlier time."""
    outbox.enqueue(key="k", at=ahead(hours=2))
    with pytest.raises(LedgerError) as caught:
        outbox.enqueue(key="k", at=ahead(hours=3))
    assert (caught.value.code, "withdraw" in caught.value.remedy) == ("key_reused", True)
    with psycopg.connect(outbox.url) as connection:
        assert outbox.withdraw("k", connection)
        call = outbox.notifier.enqueue("sms", "u1", "offer", {"first_name": "a"}, connection=connection, key="k")
        message = outbox.run(call)
    outbox.run(outbox.worker().work())
    assert code_of(outbox.receipts(message)) == (Outcome.ACCEPTED, None)
    assert outbox.server.account == {"u1": 1}


@pytest.mark.parametrize("commit", [True, False])
def test_a_worker_leaves_a_message_alone_that_an_open_transaction_withdraws(outbox, commit):
    """It looks again in a second, and other messages do not wait for it."""
    message, other = outbox.enqueue(key="k"), outbox.enqueue("u2")
    worker = outbox.worker()
    with psycopg.connect(outbox.url) as connection:
        assert outbox.withdraw("k", connection)
        for _ in range(2):
            assert outbox.run(worker.work())
        assert code_of(outbox.receipts(other)) == (Outcome.ACCEPTED, None)
        assert outbox.server.account == {"u2": 1}
        assert execute(outbox.url, TODO) == [(message,)]
        if not commit:
            connection.rollback()
    outbox.run(worker.work())
    expected = (Outcome.NOT_SENT, "message_withdrawn") if commit else (Outcome.ACCEPTED, None)
    assert code_of(outbox.receipts(message)) == expected


def test_what_a_worker_has_taken_cannot_be_withdrawn(outbox):
    """The withdrawal says so, and does not hold the worker up while its transaction is open."""
    message = outbox.enqueue(key="k")
    found = []

    async def withdraw():
        connection = await psycopg.AsyncConnection.connect(outbox.url)
        found.extend([connection, await outbox.notifier.withdraw("k", connection=connection)])

    outbox.run(outbox.worker().work(INTEND, withdraw))
    connection, is_withdrawn = found
    assert (is_withdrawn, code_of(outbox.receipts(message))) == (False, (Outcome.ACCEPTED, None))
    outbox.run(connection.close())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(Taken(503, taken=False), True), (Taken(401, taken=False), True), (Taken(500), False), (Taken(0), False)],
)
def test_after_a_try_it_can_be_withdrawn_if_certainly_nobody_has_it(outbox, answer, expected):
    """An outage ends in a withdrawal; a doubt does not."""
    outbox.enqueue(key="k")
    outbox.server.script = always(answer)
    worker = outbox.worker()
    outbox.run(worker.work())
    assert outbox.withdraw("k") is expected


def test_a_message_in_doubt_cannot_be_withdrawn(outbox):
    """The first request may have been taken; the second was refused for its key alone, so that the message waits."""
    outbox.configure(max_attempts=2)
    answers = iter([Taken(500), Taken(401, taken=False)])
    outbox.server.script = lambda *_: next(answers)
    message = outbox.enqueue(key="k")
    outbox.run(outbox.worker().work())
    assert execute(outbox.url, "SELECT state, owner FROM sends") == [("open", None)]
    assert (outbox.withdraw("k"), outbox.receipts(message)) == (False, None)


def test_a_message_whose_worker_died_during_the_request_cannot_be_withdrawn(outbox):
    """Nobody knows whether it was taken."""
    outbox.enqueue(key="k")
    first, second = outbox.worker(), outbox.worker()
    outbox.run(first.work(FINISH, first.kill))
    outbox.run(second.sweep())
    assert execute(outbox.url, "SELECT state, owner FROM sends") == [("open", None)]
    assert not outbox.withdraw("k")


def test_of_recipients_of_whom_some_have_it_none_is_withdrawn(outbox):
    """And of those whom Metrix refused, the refusal stays."""
    outbox.configure(batch_size=1)
    outbox.enqueue(["u1", "u2"], key="accepted")
    answers = iter([Taken(), Taken(503, taken=False), Taken(400, taken=False), Taken(503, taken=False)])
    outbox.server.script = lambda *_: next(answers)
    worker = outbox.worker()
    outbox.run(worker.work())
    assert not outbox.withdraw("accepted")
    execute(outbox.url, "DELETE FROM procrastinate_jobs")
    message = outbox.enqueue(["u3", "u4"], key="refused")
    outbox.run(worker.work())
    assert outbox.withdraw("refused")
    found = {each.recipients[0]: each.outcome for each in outbox.receipts(message)}
    assert found == {"u3": Outcome.REJECTED, "u4": Outcome.NOT_SENT}


def test_a_damaged_message_is_not_withdrawn(outbox):
    """It would be sealed anew."""
    outbox.enqueue(key="k")
    execute(outbox.url, "UPDATE sends SET template = 'other'")
    with pytest.raises(LedgerError) as caught:
        outbox.withdraw("k")
    assert caught.value.code == "ledger_corrupt"


def test_another_database_is_refused(outbox, postgres):
    """As for `enqueue`."""
    outbox.enqueue(key="k")
    execute(outbox.url, "UPDATE salt SET value = '\\x00'")
    with pytest.raises(LedgerError) as caught:
        outbox.withdraw("k")
    assert caught.value.code == "ledger_foreign"


def test_rows_of_the_callers_connection_may_have_names(outbox):
    """Psycopg's dict_row is common: the statements ask for tuples."""
    with psycopg.connect(outbox.url, row_factory=psycopg.rows.dict_row) as connection:
        for _ in range(2):
            call = outbox.notifier.enqueue("sms", "u1", "offer", {"first_name": "a"}, connection=connection, key="k")
            outbox.run(call)
        assert outbox.withdraw("k", connection)


def test_drain_works_here_too(outbox):
    """Beside workers: what is due goes once."""
    outbox.enqueue()
    outbox.enqueue("u2", at=ahead(hours=1))
    drained = outbox.run(outbox.notifier.drain())
    assert [each.recipients for each in drained.receipts] == [("u1",)]
    assert [each.recipients for each in drained.waiting] == [("u2",)]
    outbox.run(outbox.worker().work())
    assert outbox.server.account == {"u1": 1}


def test_of_withdrawals_and_workers_exactly_one_has_each_message(project, postgres_url):
    """Real processes and threads at once: what was withdrawn is not sent, and what was not is sent once."""
    count = 60
    with AccountingServer() as server:
        project.configure(server.url)
        on_postgres(project, postgres_url)
        withdrawn, lock = set(), threading.Lock()
        with project.notifier() as notifier, Workers(project) as workers:
            workers.start(2)
            with psycopg.connect(postgres_url) as connection:
                for number in range(count):
                    at = ahead(seconds=4, milliseconds=number)
                    notifier.enqueue(
                        "sms", f"u{number}", "offer", HELLO, connection=connection, key=f"k{number}", at=at
                    )

            def withdraw(numbers):
                with psycopg.connect(postgres_url) as connection:
                    for number in numbers:
                        if notifier.withdraw(f"k{number}", connection=connection):
                            with lock:
                                withdrawn.add(f"u{number}")
                        connection.commit()

            wait_until(lambda: server.requests, PATIENCE_SECONDS)
            threads = [threading.Thread(target=withdraw, args=(range(count - 1, -1, -2),)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            open_sends = "SELECT count(*) FROM sends WHERE state = 'open'"
            wait_until(lambda: execute(postgres_url, open_sends) == [(0,)], PATIENCE_SECONDS)
        assert set(server.account) == {f"u{number}" for number in range(count)} - withdrawn
        assert set(server.account.values()) == {1}
