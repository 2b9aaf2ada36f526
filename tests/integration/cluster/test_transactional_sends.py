"""A message within a transaction of the caller's own: with a commit it is sent once, with a rollback never."""

import asyncio
import subprocess
import sys

import django
import psycopg
import pytest
import sqlalchemy
from django.conf import settings
from django.db import connections, transaction
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.cluster import Workers, on_postgres
from helpers.command_line import environment, wait_until
from helpers.postgres import execute
from metrix_channels import AsyncNotifier, Outcome
from metrix_channels.errors import ChannelUnverified, LedgerError, UsageError

HELLO = {"first_name": "سارا"}


@pytest.fixture
def server():
    with AccountingServer() as running:
        yield running


@pytest.fixture
def shop(project, server, postgres_url):
    """The project, and a table of orders in the same database."""
    project.configure(server.url, timeout="10s")
    on_postgres(project, postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id TEXT)")
    return project


def options(url):
    with psycopg.connect(url) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM public.orders ORDER BY id")]


def through_psycopg(url, work):
    with psycopg.connect(url) as connection:
        work(connection, lambda sql: connection.execute(sql))


def through_django(url, work):
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}})
        django.setup()
    known = conninfo_to_dict(url)
    # Under a name of its own: in one process another test may have configured another database as the default.
    connections.settings["shop"] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.postgresql",
        "NAME": known["dbname"],
        "USER": known["user"],
        "HOST": known["host"],
    }
    connection = connections.create_connection("shop")
    connections["shop"] = connection
    try:
        with transaction.atomic(using="shop"), connection.cursor() as cursor:
            work(connection, cursor.execute)
    finally:
        connection.close()


def engine_url(url):
    known = conninfo_to_dict(url)
    return sqlalchemy.URL.create(
        "postgresql+psycopg", known["user"], database=known["dbname"], query={"host": known["host"]}
    )


def through_sqlalchemy(url, work):
    engine = sqlalchemy.create_engine(engine_url(url))
    try:
        with engine.begin() as connection:
            work(connection, lambda sql: connection.execute(sqlalchemy.text(sql)))
    finally:
        engine.dispose()


def through_a_session(url, work):
    engine = sqlalchemy.create_engine(engine_url(url))
    try:
        with Session(engine) as session, session.begin():
            work(session, lambda sql: session.execute(sqlalchemy.text(sql)))
    finally:
        engine.dispose()


WAYS = (through_psycopg, through_django, through_sqlalchemy, through_a_session)


class Refused(Exception):
    """What the caller's own code raises."""


@pytest.mark.parametrize("way", WAYS)
def test_an_order_and_its_message_commit_or_vanish_together(way, shop, server, postgres_url):
    """Through each library: one that is rolled back leaves nothing, one that commits is sent once."""
    sent = []
    with shop.notifier() as notifier:

        def place(number, *, refuse):
            def work(connection, run):
                run(f"INSERT INTO orders VALUES ('{number}')")
                sent.append(notifier.enqueue("sms", number, "offer", HELLO, connection=connection))
                if refuse:
                    raise Refused

            return work

        with pytest.raises(Refused):
            way(postgres_url, place("u1", refuse=True))
        way(postgres_url, place("u2", refuse=False))
        assert server.requests == []
        with Workers(shop) as workers:
            workers.start()
            wait_until(lambda: notifier.receipts(sent[1]) is not None)
        [receipt] = notifier.receipts(sent[1])
        assert (receipt.outcome, receipt.recipients) == (Outcome.ACCEPTED, ("u2",))
        with pytest.raises(LedgerError) as caught:
            notifier.receipts(sent[0])
        assert caught.value.code == "send_missing"
    assert (options(postgres_url), server.account) == (["u2"], {"u2": 1})
    assert server.texts["u2"]["body"] == "سلام سارا"


@pytest.mark.parametrize("kind", ["psycopg", "sqlalchemy"])
def test_in_an_event_loop_too(kind, shop, server, postgres_url):
    """FastAPI's way: a connection that is awaited."""

    async def place():
        async with AsyncNotifier.from_config(shop.config) as notifier:
            if kind == "psycopg":
                async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
                    return await notifier.enqueue("sms", "u1", "offer", HELLO, connection=connection)
            engine = create_async_engine(engine_url(postgres_url))
            async with engine.begin() as connection:
                message = await notifier.enqueue("sms", "u1", "offer", HELLO, connection=connection)
            await engine.dispose()
            return message

    asyncio.run(place())
    with Workers(shop) as workers:
        workers.start()
        wait_until(lambda: server.account == {"u1": 1})


def test_the_caller_may_die_right_after_its_commit(shop, server, postgres_url):
    """The message is in the ledger, and that is all it needs."""
    script = (
        "import os, sys, psycopg\n"
        "from metrix_channels import Notifier\n"
        "notifier = Notifier.from_config('channels.yaml')\n"
        "with psycopg.connect(sys.argv[1]) as connection:\n"
        "    notifier.enqueue('sms', 'u1', 'offer', {'first_name': 'a'}, connection=connection)\n"
        "    connection.commit()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, postgres_url], cwd=shop.folder, env=environment(), check=False, timeout=60
    )
    with Workers(shop) as workers:
        workers.start(2)
        wait_until(lambda: server.account)
        for _ in range(2):
            workers.terminate(0)
    assert server.account == {"u1": 1}


def test_a_key_makes_one_message_of_two(shop, server, postgres_url):
    """Across transactions; another content under it is refused, and the caller's transaction goes on."""
    with shop.notifier() as notifier, psycopg.connect(postgres_url) as connection:

        def place(name):
            return notifier.enqueue("sms", "u1", "offer", {"first_name": name}, connection=connection, key="order-7")

        first = place("a")
        connection.commit()
        assert place("a") == first
        with pytest.raises(LedgerError) as caught:
            place("b")
        assert caught.value.code == "key_reused"
        connection.execute("INSERT INTO orders VALUES ('still')")
        connection.commit()
        with Workers(shop) as workers:
            workers.start(2)
            wait_until(lambda: notifier.receipts(first) is not None)
        assert notifier.send("sms", "u1", "offer", {"first_name": "a"}, key="order-7").id == first
    assert (options(postgres_url), server.account) == (["still"], {"u1": 1})


def test_what_cannot_be_sent_is_refused_at_once(shop, server, postgres_url):
    """The gate, another database, a connection of no known kind: nothing is written."""
    with shop.notifier() as notifier, psycopg.connect(postgres_url) as connection:
        notifier.enqueue("sms", "u0", "offer", HELLO, connection=connection)
        connection.rollback()
        execute(postgres_url, "CREATE TABLE kept AS SELECT * FROM salt")
        execute(postgres_url, "UPDATE salt SET value = '\\x00'")
        with pytest.raises(LedgerError) as caught:
            notifier.enqueue("sms", "u1", "offer", HELLO, connection=connection)
        assert caught.value.code == "ledger_foreign"
        execute(postgres_url, "UPDATE salt SET value = kept.value FROM kept")
        with pytest.raises(UsageError) as caught:
            notifier.enqueue("sms", "u1", "offer", HELLO, connection=object())
        assert caught.value.code == "connection_unknown"
        shop.configure(server.url, verified=False)
        on_postgres(shop, postgres_url)
        with pytest.raises(ChannelUnverified):
            notifier.enqueue("sms", "u1", "offer", HELLO, connection=connection)
    assert execute(postgres_url, "SELECT count(*) FROM sends") == [(0,)]


def test_its_text_is_forgotten_once_it_is_sent(shop, server, postgres_url):
    """A code of a login stands in the ledger for as long as it waits, and no longer."""
    shop.template("---\nsensitive: [code]\n---\nکد {{ code }}", "otp")
    with shop.notifier() as notifier, psycopg.connect(postgres_url) as connection:
        sent = notifier.enqueue("sms", "u1", "otp", {"code": "483201"}, connection=connection)
        connection.commit()
        with Workers(shop) as workers:
            workers.start()
            wait_until(lambda: notifier.receipts(sent) is not None)
            wait_until(lambda: execute(postgres_url, "SELECT outgoing FROM sends") == [(None,)])
    assert "483201" in server.texts["u1"]["body"]
    assert "483201" not in str(execute(postgres_url, "SELECT * FROM sends"))
    assert "483201" not in workers.log.read_text()


def test_an_outage_delays_it(shop, server, postgres_url, monkeypatch):
    """It is not given up: a worker tries again later."""
    server.script = always(Taken(503, taken=False))
    shop.configure(server.url, max_attempts=1)
    on_postgres(shop, postgres_url)
    with shop.notifier() as notifier, psycopg.connect(postgres_url) as connection:
        sent = notifier.enqueue("sms", "u1", "offer", HELLO, connection=connection)
        connection.commit()
        with Workers(shop) as workers:
            workers.start()
            wait_until(lambda: server.requests)
            again = "SELECT args->>'tries' FROM procrastinate_jobs WHERE scheduled_at > now()"
            wait_until(lambda: execute(postgres_url, again) == [("1",)])
            assert notifier.receipts(sent) is None
            server.script = always(Taken())
            execute(postgres_url, "UPDATE procrastinate_jobs SET scheduled_at = NULL")
            wait_until(lambda: server.account == {"u1": 1})
