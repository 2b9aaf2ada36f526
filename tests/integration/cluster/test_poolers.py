"""A ledger behind a pooler: PgBouncer works where it keeps sessions, and is refused in words where it does not."""

import contextlib
import json
import threading

import psycopg
import pytest

from helpers.accounting_server import AccountingServer
from helpers.campaigns import people
from helpers.cluster import Workers, on_postgres
from helpers.command_line import run_command, wait_until
from metrix_channels import Notifier, Outcome
from metrix_channels.errors import LedgerError

HELLO = {"first_name": "سارا"}


@pytest.fixture
def server():
    with AccountingServer(seconds=0.01) as running:
        yield running


@pytest.fixture
def behind(project, server, pgbouncer):
    """Puts the project's ledger behind a PgBouncer with some settings; returns its URL there."""

    def configured(**settings):
        url = pgbouncer(**settings)
        project.configure(server.url, batch_size=10, concurrency=4)
        on_postgres(project, url)
        return url

    return configured


def test_a_pool_of_five_is_enough_for_a_worker_and_whoever_watches(project, server, behind, debian_url):
    """Session mode: a campaign, a message within a transaction, and the verbs beside them."""
    behind(pool_mode="session", default_pool_size=5)
    project.audience(people(400))
    project.campaign()
    with Workers(project) as workers:
        workers.start()
        wait_until(lambda: workers.log.exists() and "is running" in workers.log.read_text())
        result = project.run("run", "offer.yaml", "--yes")
        assert (result.status, result.document["accepted"]) == (0, 400), result.err
        with project.notifier() as notifier, psycopg.connect(debian_url) as connection:
            sent = notifier.enqueue("sms", "late", "offer", HELLO, connection=connection)
            connection.commit()
            wait_until(lambda: notifier.receipts(sent) is not None)
        assert project.run("status", "offer").document["state"] == "finished"
        workers.terminate(0)
    assert len(server.account) == 401
    assert server.twice == set()
    assert "WARNING" not in workers.log.read_text()


def usual_most(counts):
    """Return the most of nine looks in ten: a server may still count a connection that was closed a moment ago."""
    return sorted(counts)[len(counts) * 9 // 10]


@pytest.mark.parametrize(("pooled", "worker"), [(False, 6), (True, 4)])
def test_how_many_connections_a_process_takes(pooled, worker, project, server, behind, debian_url):
    """A command 1, a worker 6 or, behind a pooler, 4; each one more for moments: as the documentation says."""
    url = behind(pool_mode="session")
    project.configure(server.url, batch_size=10, concurrency=4)
    on_postgres(project, url if pooled else debian_url)
    project.audience(people(2000))
    project.campaign()
    seen, ends = [], threading.Event()

    def watch():
        database = psycopg.conninfo.conninfo_to_dict(debian_url)["dbname"]
        counted = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        # From another database, over one connection: so that nothing of its own is ever counted, nor of its past.
        with psycopg.connect(debian_url, dbname="postgres", autocommit=True) as connection:
            while not ends.wait(0.02):
                [(count,)] = connection.execute(counted, [database]).fetchall()
                seen.append(count)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert project.run("run", "offer.yaml", "--yes", "--detach").status == 0
        planned, seen[:] = usual_most(seen), []
        with Workers(project) as workers, psycopg.connect(debian_url, autocommit=True) as connection:
            workers.start()
            state = "SELECT state FROM metrix_channels.runs"
            wait_until(lambda: connection.execute(state).fetchall() == [("finished",)], 60)
            most = usual_most(seen) - 1  # the one that waits for the end
    finally:
        ends.set()
        watcher.join()
    assert planned <= 2
    assert most <= worker + 1


def test_a_pool_that_is_too_small_is_an_error_and_no_silence(project, server, behind, pgbouncer, debian_url):
    """A connection that the pooler takes and does not serve is given up after seconds."""
    url = behind(pool_mode="session", default_pool_size=1)
    with psycopg.connect(url) as holder:
        holder.execute("SELECT 1")
        result = project.run("list")
    assert result.status == 4
    error = result.document["error"]
    assert error["code"] == "ledger_connections"
    assert "default_pool_size" in error["remedy"]
    assert project.run("list").status == 0


def test_a_full_pool_of_sessions_is_not_taken_for_one_of_transactions(project, behind):
    """One connection is left, which is all that a command takes."""
    url = behind(pool_mode="session", default_pool_size=2)
    with psycopg.connect(url) as holder:
        holder.execute("SELECT 1")
        assert project.run("list").status == 0


def entry_points(project):
    """Every way to the ledger: each ends with its exit status and the error."""
    for arguments in (
        ("campaign", "run", "offer.yaml", "--yes"),
        ("campaign", "status", "offer"),
        ("campaign", "list"),
        ("campaign", "cancel", "offer"),
        ("send", "sms", "--to", "u1", "--template", "offer", "--set", "first_name=a"),
        ("support-bundle", "--list"),
        ("worker",),
        ("ledger", "purge", "--older-than", "1d"),
    ):
        result = run_command(*arguments, "--json", cwd=project.folder)
        yield arguments, result.status, json.loads(result.out)["error"]


def test_a_pooler_without_sessions_is_refused_by_every_verb(project, server, behind, debian_url):
    """Before anything is written or sent, with the way out."""
    behind(pool_mode="transaction")
    project.audience(people(20))
    project.campaign()
    for arguments, status, error in entry_points(project):
        assert (arguments, status, error["code"]) == (arguments, 2, "ledger_pooled")
        assert "pool_mode = session" in error["remedy"]
    [check] = [
        each
        for each in json.loads(run_command("preflight", "--offline", "--json", cwd=project.folder).out)["checks"]
        if each["id"] == "ledger.writable"
    ]
    assert check["status"] == "fail"
    with project.notifier() as notifier, pytest.raises(LedgerError) as caught:
        notifier.enqueue("sms", "u1", "offer", HELLO, connection=object())
    assert caught.value.code == "ledger_pooled"
    assert server.requests == []
    with psycopg.connect(debian_url) as connection:
        assert connection.execute("SELECT to_regnamespace('metrix_channels')").fetchone() == (None,)


def test_so_is_one_that_keeps_nothing_at_all(project, behind):
    """Statement mode, in the same words."""
    behind(pool_mode="statement")
    result = project.run("list")
    assert (result.status, result.document["error"]["code"]) == (2, "ledger_pooled")


@pytest.mark.parametrize(("others", "size", "in_turn"), [(1, 2, 0), (3, 2, 0), (1, 2, 1), (2, 8, 1)])
def test_it_is_refused_under_load_too(others, size, in_turn, behind, project):
    """Other programs take and give back the same server connections all the time, the last one first or in turn."""
    url = behind(pool_mode="transaction", default_pool_size=size, server_round_robin=in_turn)
    ends = threading.Event()

    def load():
        with contextlib.closing(psycopg.connect(url, autocommit=True, prepare_threshold=None)) as connection:
            while not ends.is_set():
                connection.execute("SELECT pg_sleep(0.003)")

    threads = [threading.Thread(target=load) for _ in range(others)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with project.notifier() as notifier, pytest.raises(LedgerError) as caught:
                notifier.campaigns.status("offer")
            assert caught.value.code == "ledger_pooled"
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def test_the_callers_own_connection_may_be_pooled_by_transactions(project, server, behind, pgbouncer, debian_url):
    """`enqueue` is part of one transaction of the caller's; only `ledger` must lead to sessions."""
    through = pgbouncer(pool_mode="transaction", default_pool_size=2)
    project.configure(server.url)
    on_postgres(project, debian_url)
    sent = []
    with Notifier.from_config(project.config) as notifier:
        connections = [psycopg.connect(through) for _ in range(3)]
        for number in range(30):  # often enough for a driver to prepare what it is given again and again
            connection = connections[number % 3]
            sent.append(notifier.enqueue("sms", f"u{number}", "offer", HELLO, connection=connection))
            connection.commit()
        for connection in connections:
            connection.close()
        with Workers(project) as workers:
            workers.start()
            wait_until(lambda: all(notifier.receipts(each) for each in sent), 60)
        assert {receipt.outcome for each in sent for receipt in notifier.receipts(each)} == {Outcome.ACCEPTED}
    assert len(server.account) == 30
