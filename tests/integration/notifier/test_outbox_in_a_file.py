"""The outbox of a ledger in SQLite, for development and tests: transactions of the caller's own, and `drain`."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import django
import pytest
import sqlalchemy
from django.conf import settings
from django.db import connections, transaction
from sqlalchemy.orm import Session

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import Project
from helpers.command_line import environment
from helpers.damage import hold_lock
from metrix_channels import AsyncNotifier, Outcome
from metrix_channels.errors import ConfigError, LedgerError, UsageError
from metrix_channels.ledger.sqlite import connection as connection_to_sqlite

HELLO = {"first_name": "سارا"}


@pytest.fixture
def server():
    with AccountingServer() as running:
        yield running


@pytest.fixture
def shop(tmp_path, server):
    """A project whose ledger, a file, also holds a table of orders."""
    project = Project(tmp_path)
    project.template("سلام {{ first_name }}")
    project.configure(server.url, max_attempts=1)
    with project.notifier() as notifier:
        notifier.drain()
    with opened(project) as connection:
        connection.execute("CREATE TABLE orders (id TEXT)")
    return project


def ledger(project):
    return project.folder / "metrix-channels.db"


def written(project):
    """All that is in the ledger's files."""
    return b"".join(each.read_bytes() for each in ledger(project).parent.glob("metrix-channels.db*"))


def opened(project):
    return sqlite3.connect(ledger(project))


def orders(project):
    with opened(project) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM orders ORDER BY id")]


def rows(project, sql):
    with opened(project) as connection:
        return connection.execute(sql).fetchall()


def enqueue(notifier, connection, to="u1", **options):
    return notifier.enqueue("sms", to, "offer", HELLO, connection=connection, **options)


def withdraw_at_the_first_request(project, server):
    """Set a rate limit, and let the verification end while later messages wait for their places."""

    def withdraw(_recipients, _message, _body):
        project.configure(server.url, rate_limit="15/m", verified=False)
        return Taken()

    project.configure(server.url, rate_limit="15/m")
    server.script = withdraw


def soon(**ahead):
    return datetime.now(UTC) + timedelta(**ahead)


def through_sqlite3(project, work):
    connection = opened(project)
    try:
        with connection:
            work(connection, connection.execute)
    finally:
        connection.close()


def through_rows_with_names(project, work):
    connection = opened(project)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            work(connection, connection.execute)
    finally:
        connection.close()


def through_django(project, work):
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3"}})
        django.setup()
    known = {**connections.settings["default"], "ENGINE": "django.db.backends.sqlite3", "NAME": str(ledger(project))}
    connections.settings["in_a_file"] = known
    connection = connections.create_connection("in_a_file")
    connections["in_a_file"] = connection
    try:
        with transaction.atomic(using="in_a_file"), connection.cursor() as cursor:
            work(connection, cursor.execute)
    finally:
        connection.close()


def through_sqlalchemy(project, work):
    engine = sqlalchemy.create_engine(f"sqlite:///{ledger(project)}")
    try:
        with engine.begin() as connection:
            work(connection, lambda sql: connection.execute(sqlalchemy.text(sql)))
    finally:
        engine.dispose()


def through_a_session(project, work):
    engine = sqlalchemy.create_engine(f"sqlite:///{ledger(project)}")
    try:
        with Session(engine) as session, session.begin():
            work(session, lambda sql: session.execute(sqlalchemy.text(sql)))
    finally:
        engine.dispose()


WAYS = (through_sqlite3, through_rows_with_names, through_django, through_sqlalchemy, through_a_session)


class Refused(Exception):
    """What the caller's own code raises."""


@pytest.mark.parametrize("way", WAYS)
def test_an_order_and_its_message_commit_or_vanish_together(way, shop, server):
    """Through each library, in one transaction with a row of the caller's own; and so does what is withdrawn."""
    with shop.notifier() as notifier:

        def place(number, *, refuse):
            def work(connection, run):
                run(f"INSERT INTO orders VALUES ('{number}')")
                enqueue(notifier, connection, number, key=number)
                if refuse:
                    raise Refused

            return work

        def withdraw(number, *, refuse):
            def work(connection, run):
                run(f"DELETE FROM orders WHERE id = '{number}'")
                assert notifier.withdraw(number, connection=connection)
                if refuse:
                    raise Refused

            return work

        with pytest.raises(Refused):
            way(shop, place("u1", refuse=True))
        for number in ("u2", "u3"):
            way(shop, place(number, refuse=False))
        with pytest.raises(Refused):
            way(shop, withdraw("u2", refuse=True))
        way(shop, withdraw("u3", refuse=False))
        assert server.requests == []
        drained = notifier.drain()
    assert [(each.outcome, each.recipients) for each in drained.receipts] == [(Outcome.ACCEPTED, ("u2",))]
    assert (drained.waiting, drained.problems) == ((), {})
    assert (orders(shop), server.account) == (["u2"], {"u2": 1})
    assert server.texts["u2"]["body"] == "سلام سارا"


def test_the_first_call_of_a_process_may_come_within_a_transaction_that_writes(shop, server):
    """The caller's own connection holds the ledger's lock by then: no other may be needed."""
    connection = opened(shop)
    connection.execute("INSERT INTO orders VALUES ('u1')")
    with shop.notifier() as notifier:
        enqueue(notifier, connection)
        connection.commit()
        notifier.drain()
    connection.close()
    assert server.account == {"u1": 1}


def test_the_connection_no_longer_copies_the_log_back(shop, server):
    """SQLite would do so after some commit of the caller's, just when another process may commit."""
    with shop.notifier() as notifier, closing(opened(shop)) as connection:
        enqueue(notifier, connection)
        connection.commit()
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_a_ledger_that_is_not_there_yet_is_made(tmp_path, server):
    """The connection to it may be open already: SQLite makes the file with the first write."""
    project = Project(tmp_path)
    project.template("سلام {{ first_name }}")
    project.configure(server.url)
    connection = opened(project)
    with project.notifier() as notifier:
        enqueue(notifier, connection)
        connection.commit()
        assert [each.outcome for each in notifier.drain().receipts] == [Outcome.ACCEPTED]
    connection.close()


def another_file(project):
    return sqlite3.connect(project.folder / "other.db")


def in_memory(_project):
    return sqlite3.connect(":memory:")


def a_copy(project):
    (project.folder / "copy.db").write_bytes(ledger(project).read_bytes())
    return sqlite3.connect(project.folder / "copy.db")


def another_dialect(_project):
    class Connection:
        def cursor(self):
            raise AssertionError("no statement may be run")

    return Connection()


@pytest.mark.parametrize("where", [another_file, in_memory, a_copy, another_dialect])
def test_another_database_is_refused(where, shop):
    """To commit both together is impossible there; nothing is written."""
    connection = where(shop)
    with shop.notifier() as notifier:
        for act in (lambda: enqueue(notifier, connection), lambda: notifier.withdraw("k", connection=connection)):
            with pytest.raises(LedgerError) as caught:
                act()
            assert caught.value.code == "ledger_foreign"
    assert rows(shop, "SELECT count(*) FROM sends") == [(0,)]


def test_a_connection_of_no_known_kind_is_refused(shop):
    """With the kinds that are known."""
    with shop.notifier() as notifier, pytest.raises(UsageError) as caught:
        enqueue(notifier, object())
    assert caught.value.code == "connection_unknown"
    assert "sqlite3" in caught.value.remedy


def test_what_is_due_later_waits_and_is_said(shop, server):
    """`drain` sends what is due, and tells of each message that is not."""
    at = soon(hours=1)
    with shop.notifier() as notifier, opened(shop) as connection:
        later = enqueue(notifier, connection, "u1", at=at, key="reminder")
        enqueue(notifier, connection, "u2", at=soon(hours=-1))
        connection.commit()
        drained = notifier.drain()
        assert [each.recipients for each in drained.receipts] == [("u2",)]
        [waiting] = drained.waiting
        assert (waiting.message, waiting.key, waiting.channel, waiting.recipients) == (
            later,
            "reminder",
            "sms",
            ("u1",),
        )
        assert abs(waiting.at - at) < timedelta(milliseconds=1)
        assert (drained.problems, notifier.receipts(later)) == ({}, None)
        connection.execute("UPDATE sends SET due_at = '2026-01-01T00:00:00.000Z' WHERE id = ?", (later,))
        connection.commit()
        [receipt] = notifier.drain().receipts
    assert (receipt.id, receipt.outcome) == (later, Outcome.ACCEPTED)
    assert server.account == {"u1": 1, "u2": 1}


def test_what_could_not_be_sent_waits_for_the_next_drain(shop, server):
    """With the reason; the text is forgotten only with the outcome."""
    with shop.notifier() as notifier, opened(shop) as connection:
        message = enqueue(notifier, connection)
        connection.commit()
        server.script = always(Taken(503, taken=False))
        drained = notifier.drain()
        assert (drained.receipts, [each.message for each in drained.waiting]) == ((), [message])
        assert {name: why.code for name, why in drained.problems.items()} == {message: "unavailable"}
        server.script = always(Taken())
        drained = notifier.drain()
        assert [(each.id, each.attempts) for each in drained.receipts] == [(message, 2)]
    assert rows(shop, "SELECT state, outgoing FROM sends") == [("settled", None)]


@pytest.mark.parametrize("status", [503, 403, 500])
def test_what_could_not_be_put_back_waits_for_the_next_drain_too(status, shop, server, monkeypatch):
    """The ledger was locked for a while; the process goes on, and does not keep its claim."""
    monkeypatch.setattr(connection_to_sqlite, "BUSY_SECONDS", 0.1)
    locks = []

    def lock(*_):
        if locks:
            return Taken()
        locks.append(hold_lock(ledger(shop)))
        return Taken(status, taken=False)

    server.script = lock
    with shop.notifier() as notifier:
        with opened(shop) as connection:
            message = enqueue(notifier, connection, key="k")
        connection.close()
        with pytest.raises(LedgerError):
            notifier.drain()
        with locks[0]:
            pass
        [receipt] = notifier.drain().receipts
    assert (receipt.id, receipt.outcome) == (str(message), Outcome.ACCEPTED)


def test_a_channel_that_lost_its_verification_sends_nothing(shop, server):
    """As in a worker: the message waits."""
    with shop.notifier() as notifier, opened(shop) as connection:
        message = enqueue(notifier, connection)
        connection.commit()
        shop.configure(server.url, verified=False)
        drained = notifier.drain()
        assert drained.problems[message].code == "channel_unverified"
        assert (drained.receipts, server.requests) == ((), [])


def test_a_verification_withdrawn_while_a_message_waits_for_its_place_stops_it(shop, server):
    """Under a rate limit, the first message leaves and the second keeps waiting for the next drain."""
    withdraw_at_the_first_request(shop, server)
    with shop.notifier() as notifier, opened(shop) as connection:
        messages = {enqueue(notifier, connection, to=name) for name in ("u1", "u2")}
        connection.commit()
        drained = notifier.drain()
    [receipt] = drained.receipts
    assert {receipt.id, *drained.problems} == messages
    assert [why.code for why in drained.problems.values()] == ["channel_unverified"]
    assert sum(server.account.values()) == 1


def test_a_verification_withdrawn_while_a_send_waits_for_its_place_stops_it(shop, server):
    """Under a rate limit, the second of two sends at one time is refused."""
    withdraw_at_the_first_request(shop, server)

    async def send_two():
        async with AsyncNotifier.from_config(shop.config) as notifier:
            sends = [notifier.send("sms", name, "offer", HELLO, key=name) for name in ("u1", "u2")]
            return await asyncio.gather(*sends, return_exceptions=True)

    ended = asyncio.run(send_two())
    assert sorted(str(getattr(each, "code", None) or each.outcome) for each in ended) == [
        "accepted",
        "channel_unverified",
    ]
    assert sum(server.account.values()) == 1


def test_in_an_event_loop_too(shop, server):
    """AsyncNotifier has the same methods."""

    async def run():
        async with AsyncNotifier.from_config(shop.config) as notifier:
            with opened(shop) as connection:
                for key in ("a", "b"):
                    await notifier.enqueue("sms", key, "offer", HELLO, connection=connection, key=key)
                assert await notifier.withdraw("b", connection=connection)
            return await notifier.drain()

    assert [each.recipients for each in asyncio.run(run()).receipts] == [("a",)]


def test_a_message_that_was_withdrawn_says_so_and_frees_its_key(shop, server):
    """Its text is gone from the file when the log is copied back, and a second withdrawal finds nothing."""
    with shop.notifier() as notifier, opened(shop) as connection:
        message = enqueue(notifier, connection, key="k", at=soon(hours=1))
        connection.commit()
        assert b"\\u0633" in written(shop)
        assert notifier.withdraw("k", connection=connection)
        assert not notifier.withdraw("k", connection=connection)
        connection.commit()
        [receipt] = notifier.receipts(message)
        assert (receipt.outcome, receipt.error.code, receipt.attempts) == (Outcome.NOT_SENT, "message_withdrawn", 0)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"\\u0633" not in written(shop)
        again = enqueue(notifier, connection, key="k")
        connection.commit()
        assert again != message
        assert [each.id for each in notifier.drain().receipts] == [again]
        assert not notifier.withdraw("k", connection=connection)
    assert server.account == {"u1": 1}


def test_one_key_stands_for_one_time(shop):
    """The same time is the same message; another one needs a withdrawal, which the error shows."""
    at = soon(hours=1)
    with shop.notifier() as notifier, opened(shop) as connection:
        message = enqueue(notifier, connection, key="k", at=at)
        assert enqueue(notifier, connection, key="k", at=at) == message
        for other in (None, at + timedelta(minutes=1)):
            with pytest.raises(LedgerError) as caught:
                enqueue(notifier, connection, key="k", at=other)
            assert caught.value.code == "key_reused"
            assert "notifier.withdraw('k'" in caught.value.remedy
        assert notifier.withdraw("k", connection=connection)
        assert enqueue(notifier, connection, key="k", at=at + timedelta(minutes=1)) != message


WRONG_TIMES = {
    "naive": datetime(2026, 3, 20, 10, 0),  # noqa: DTZ001 - that is the point
    "text": "2026-03-20T10:00:00Z",
    "seconds": 1_800_000_000,
    "a date": datetime.now(UTC).date(),
    "in two years": datetime.now(UTC) + timedelta(days=730),
    "out of range": datetime.max.replace(tzinfo=UTC),
}


@pytest.mark.parametrize("kind", WRONG_TIMES)
def test_a_time_that_says_no_moment_is_refused(kind, shop):
    """Nothing is written, and the transaction goes on."""
    with shop.notifier() as notifier, opened(shop) as connection:
        with pytest.raises(UsageError) as caught:
            enqueue(notifier, connection, at=WRONG_TIMES[kind])
        assert caught.value.code == "usage"
        assert rows(shop, "SELECT count(*) FROM sends") == [(0,)]


@pytest.mark.parametrize(("on_ambiguous", "outcome"), [("retry", Outcome.ACCEPTED), ("hold", Outcome.UNKNOWN)])
def test_a_process_that_dies_while_it_drains_leaves_its_message_to_the_next(on_ambiguous, outcome, shop, server):
    """What was under way is in doubt, and becomes what `on_ambiguous` says; it cannot be withdrawn."""
    shop.configure(server.url, on_ambiguous=on_ambiguous, max_attempts=1)
    with shop.notifier() as notifier, opened(shop) as connection:
        message = enqueue(notifier, connection, key="k")
    script = (
        "import os\n"
        "from metrix_channels import Notifier\n"
        "from metrix_channels.ledger import SendBook\n"
        "async def die(*_, **__): os.kill(os.getpid(), 9)\n"
        "SendBook.settle = die\n"
        "Notifier.from_config('channels.yaml').drain()\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=shop.folder, env=environment(), check=False, timeout=60)
    assert server.account == {"u1": 1}
    with shop.notifier() as notifier, opened(shop) as connection:
        assert not notifier.withdraw("k", connection=connection)
        [receipt] = notifier.drain().receipts
    assert (receipt.id, receipt.outcome) == (message, outcome)
    assert server.account == {"u1": 1 + (on_ambiguous == "retry")}


def test_two_processes_that_drain_send_each_message_once(shop, server):
    """Of two that find the same messages, one sends each."""
    with shop.notifier() as notifier, opened(shop) as connection:
        for number in range(20):
            enqueue(notifier, connection, f"u{number}")
    script = (
        "from metrix_channels import Notifier\nprint(len(Notifier.from_config('channels.yaml').drain().receipts))\n"
    )
    command = [sys.executable, "-c", script]
    processes = [
        subprocess.Popen(command, cwd=shop.folder, env=environment(), stdout=subprocess.PIPE) for _ in range(2)
    ]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with shop.notifier() as notifier:
        notifier.drain()
    assert server.account == {f"u{number}": 1 for number in range(20)}


def test_of_a_withdrawal_and_a_drain_exactly_one_wins(shop, server):
    """Two processes at once, again and again: what was withdrawn is not sent, and what was not is."""
    count = 40
    with shop.notifier() as notifier, opened(shop) as connection:
        for number in range(count):
            enqueue(notifier, connection, f"u{number}", key=f"k{number}")
    drains = "from metrix_channels import Notifier\nNotifier.from_config('channels.yaml').drain()\n"
    with subprocess.Popen([sys.executable, "-c", drains], cwd=shop.folder, env=environment()) as process:
        withdrawn = set()
        connection = opened(shop)
        with shop.notifier() as notifier:
            while not server.requests and process.poll() is None:
                pass
            for number in reversed(range(count)):
                if notifier.withdraw(f"k{number}", connection=connection):
                    withdrawn.add(f"u{number}")
                connection.commit()
        connection.close()
        process.wait(timeout=60)
    with shop.notifier() as notifier:
        assert notifier.drain().receipts == ()
    assert set(server.account) == {f"u{number}" for number in range(count)} - withdrawn
    assert set(server.account.values()) == {1}


def test_messages_go_in_the_order_in_which_they_are_due(shop, server):
    """Whatever the order in which they were enqueued."""
    with shop.notifier() as notifier, opened(shop) as connection:
        for hours in (2, 5, 1, 4, 3):
            enqueue(notifier, connection, f"u{hours}", at=soon(hours=-hours))
        connection.commit()
        sent = [each.recipients[0] for each in notifier.drain().receipts]
    assert all(first > second for first, second in pairwise(sent))


def test_without_a_key_nothing_can_be_sent(shop):
    """`drain` says so, as `send` does."""
    with shop.notifier() as notifier:
        (shop.folder / "key").unlink()
        with pytest.raises(ConfigError) as caught:
            notifier.drain()
    assert caught.value.code == "secret_missing"
