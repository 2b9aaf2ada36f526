"""A ledger in PostgreSQL: each transaction takes effect once, whatever becomes of its connection."""

import asyncio
import os
import re
import time
import traceback
from urllib.parse import quote

import psycopg
import pytest

from helpers.command_line import eventually
from helpers.encodings import one_line, shown
from helpers.postgres import execute
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import SendBook
from metrix_channels.ledger.postgres.connection import PATIENCE_SECONDS, PostgresDatabase
from metrix_channels.ledger.postgres.schema import VERSION


@pytest.fixture
def counts_of(postgres_url):
    """A ledger, and a table in it that transactions count in."""

    async def opened():
        database = PostgresDatabase(postgres_url)
        await SendBook(database).check_writable()
        await database.close()

    asyncio.run(opened())
    execute(postgres_url, "CREATE TABLE steps (name TEXT)")
    return postgres_url


def kill_others(url):
    """Let the database end all other connections, as its restart would."""
    execute(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


def steps(url):
    return [name for (name,) in execute(url, "SELECT name FROM steps ORDER BY name")]


@pytest.mark.parametrize("moment", ["before", "within"])
def test_a_connection_that_is_lost_is_made_again_and_nothing_done_twice(moment, counts_of):
    """Between two transactions, or in the middle of one."""

    async def run():
        database = PostgresDatabase(counts_of)
        kills = [1] if moment == "within" else []

        def work(connection):
            connection.execute("INSERT INTO steps VALUES (?)", ("a",))
            if kills and kills.pop():
                kill_others(counts_of)
            connection.execute("INSERT INTO steps VALUES (?)", ("b",))
            return "done"

        await database.transact(lambda connection: connection.clock())
        if moment == "before":
            kill_others(counts_of)
        assert await database.transact(work) == "done"
        await database.close()

    asyncio.run(run())
    assert steps(counts_of) == ["a", "b"]


@pytest.mark.parametrize("was_made", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up(was_made, counts_of, monkeypatch):
    """It is neither taken for made when it was not, nor made once more when it was."""

    async def run():
        database = PostgresDatabase(counts_of)
        await database.transact(lambda connection: connection.clock())
        execute_now, lost = psycopg.Connection.execute, []

        def lossy(self, query, *arguments, **options):
            if not isinstance(query, str) or not query.endswith("COMMIT") or lost:
                return execute_now(self, query, *arguments, **options)
            lost.append(query)
            if was_made:
                execute_now(self, query, *arguments, **options)
            self.close()
            raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(psycopg.Connection, "execute", lossy)
        runs = []

        def work(connection):
            runs.append(1)
            connection.execute("INSERT INTO steps VALUES (?)", ("a",))
            return "done"

        assert await database.transact(work) == "done"
        await database.close()
        return len(runs), len(lost)

    assert asyncio.run(run()) == (1 if was_made else 2, 1)
    assert steps(counts_of) == ["a"]


def test_a_commit_that_was_given_up_fails_when_it_arrives(counts_of):
    """Whoever looks it up takes its number away: the old connection's commit, late on the wire, finds no row."""

    async def run():
        database = PostgresDatabase(counts_of)
        await database.transact(lambda connection: connection.clock())

        def work(connection):
            connection.execute("INSERT INTO steps VALUES (?)", ("a",))
            execute(counts_of, "DELETE FROM commits")

        with pytest.raises(LedgerError, match="given up"):
            await database.transact(work)
        await database.close()

    asyncio.run(run())
    assert steps(counts_of) == []


def test_what_is_put_off_goes_with_the_next_transaction(counts_of):
    """Also when that one had to be made again."""

    async def run():
        database = PostgresDatabase(counts_of)
        await database.transact(lambda connection: connection.clock())
        database.defer(lambda connection: connection.execute("INSERT INTO steps VALUES ('put off')"))
        kill_others(counts_of)
        await database.transact(lambda connection: connection.execute("INSERT INTO steps VALUES ('then')"))
        database.defer(lambda connection: connection.execute("INSERT INTO steps VALUES ('at the end')"))
        await database.close()

    asyncio.run(run())
    assert steps(counts_of) == ["at the end", "put off", "then"]


def refused(url):
    async def run():
        database = PostgresDatabase(url)
        try:
            await SendBook(database).check_writable()
        finally:
            await database.close()

    with pytest.raises(LedgerError) as caught:
        asyncio.run(run())
    return caught.value


@pytest.mark.parametrize(("version", "code"), [(VERSION + 1, "ledger_newer"), (1, "ledger_older")])
def test_a_ledger_of_another_version_is_refused(version, code, counts_of):
    """It is left as it is."""
    execute(counts_of, f"UPDATE meta SET version = {version}")
    assert refused(counts_of).code == code
    assert execute(counts_of, "SELECT version FROM meta") == [(version,)]


def test_a_database_that_does_not_hold_utf_8_is_refused(postgres):
    """Persian text would not fit in."""
    with postgres.database(encoding="LATIN1") as url:
        error = refused(url)
    assert error.code == "ledger_unavailable"
    assert "LATIN1" in error.message


def test_what_cannot_be_reached_is_said_at_once_and_without_the_password():
    """Nobody waits for a database that never was there."""
    began = time.monotonic()
    error = refused("postgresql://metrix:s3cret%40pass@127.0.0.1:9/shop")
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert error.code == "ledger_unavailable"
    assert "s3cret" not in error.message
    assert "127.0.0.1/shop" in error.message


PASSWORD = "s3cret/pass 4081"


def everything_of(error):
    """What is shown of an error: itself, and the errors of the library behind it."""
    return "".join(traceback.format_exception(error)) + repr(error) + error.remedy


def test_an_error_of_the_database_shows_its_password_in_no_encoding(postgres):
    """Here it is that of a role which the database names because there is none."""
    forms = {name: form for name, form in one_line(PASSWORD).items() if len(form) < 63}
    assert len(forms) > 20
    for name, form in forms.items():
        url = f"postgresql://{quote(form, safe='')}:{quote(PASSWORD, safe='')}@{quote(str(postgres.folder), safe='')}/a"
        error = refused(url)
        assert 'role "***" does not exist' in error.message or "the database's password" in error.message, name
        assert shown(everything_of(error), PASSWORD) == [], name


@pytest.mark.parametrize("password", ["zq7k@xv/9w", "zq7k@xv9w", "zq7k/xv9w", "zq7k%xv9w", "zq7k@xv?9w", "zq7k@:#xv9w"])
def test_of_a_url_with_a_password_that_is_not_encoded_nothing_is_shown(password):
    """The library takes a piece of it for a host, a port or a name, and quotes that."""
    error = refused(f"postgresql://metrix:{password}@127.0.0.1:9/shop")
    found = everything_of(error)
    assert error.code in ("ledger_unavailable", "config_value_invalid")
    assert "%40" in error.remedy
    assert [piece for piece in re.split(r"[@/%?:#]", password) if len(piece) > 1 and piece in found] == []


def test_an_error_of_the_database_quotes_no_row(counts_of):
    """Its details do, and a value in them may be sensitive."""

    async def run():
        database = PostgresDatabase(counts_of)
        try:
            await database.transact(twice)
        finally:
            await database.close()

    def twice(connection):
        connection.execute("CREATE TEMPORARY TABLE codes (code TEXT PRIMARY KEY)")
        for _ in range(2):
            connection.execute("INSERT INTO codes VALUES (?)", ("code-4081",))

    with pytest.raises(LedgerError) as caught:
        asyncio.run(run())
    assert "duplicate key value" in caught.value.message
    assert "4081" not in everything_of(caught.value).replace('("code-4081",)', "the source of this test")


def test_a_process_renews_its_lease(counts_of):
    """As long as it lives, others see it alive."""

    async def run():
        mine, theirs = PostgresDatabase(counts_of, lease=5.0), PostgresDatabase(counts_of)
        name = await mine.transact(lambda _: mine.owner)
        begun = execute(counts_of, "SELECT lease_until FROM owners")
        await eventually(lambda: execute(counts_of, "SELECT lease_until FROM owners") != begun)
        assert await theirs.transact(lambda connection: theirs.is_alive(connection, name))
        await mine.close()
        await theirs.close()

    asyncio.run(run())


def test_a_process_taken_for_dead_goes_on_by_another_name(counts_of):
    """What it had under the old one is no longer its own."""

    async def run():
        database = PostgresDatabase(counts_of, lease=1.0)
        first = await database.transact(lambda _: database.owner)
        execute(counts_of, "DELETE FROM owners")
        await eventually(lambda: not database.holds(first))
        second = await database.transact(lambda _: database.owner)
        held = database.holds(first), database.holds(second)
        await database.close()
        return first != second, held

    assert asyncio.run(run()) == (True, (False, True))


def test_a_forked_child_leaves_its_parents_name_alone(counts_of):
    """It opens its own connections, and takes nothing back at its end."""

    def bear_a_child():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    async def run():
        database = PostgresDatabase(counts_of)
        await database.transact(lambda _: database.owner)
        bear_a_child()
        alive = await database.transact(lambda connection: database.is_alive(connection, database.owner))
        await database.close()
        return alive

    assert asyncio.run(run())


def test_bytes_that_postgresql_refuses_in_text_are_shown_for_what_they_are(counts_of):
    """A server may answer anything."""

    async def run():
        database = PostgresDatabase(counts_of)
        await database.transact(lambda connection: connection.execute("INSERT INTO steps VALUES (?)", ("a\0b",)))
        await database.close()

    asyncio.run(run())
    assert steps(counts_of) == ["a␀b"]
