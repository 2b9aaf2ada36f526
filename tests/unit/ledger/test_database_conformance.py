"""What every `Database` must do, whatever backend is behind it. A new backend passes all of it.

The fixture `ledger` gives each backend in turn: see `BACKENDS` in `helpers/ledgers.py`.
"""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.command_line import eventually
from helpers.ledgers import WITH_HELPERS, change, statement
from metrix_channels.errors import ConfigError, LedgerError
from metrix_channels.ledger import Entry
from metrix_channels.ledger.checksums import salt_of
from metrix_channels.ledger.database import WorkerDatabase
from metrix_channels.ledger.sends.outbox import OutboxBook
from metrix_channels.ledger.sends.statements import enqueue_steps

NEXT = "SELECT next FROM rate_limits"
ADD = "UPDATE rate_limits SET next = next + 1"


def test_looking_for_a_ledger_makes_none(ledger):
    """There is one as soon as somebody has used it."""

    async def run():
        async with ledger.opened() as database:
            assert [await database.exists(), await database.exists()] == [False, False]
            await database.transact(statement(NEXT))
            assert await database.exists()

    asyncio.run(run())


# -- a transaction is all or nothing, and takes effect once


def test_a_transaction_returns_what_its_work_returns_and_is_seen_by_others(ledger):
    """It is durable when it returns: another process sees it at once."""

    async def run():
        async with ledger.opened() as mine, ledger.opened() as theirs:
            assert await mine.transact(change(ADD)) == 1
            assert await theirs.transact(statement(NEXT)) == [(1.0,)]

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(1.0,)]


@pytest.mark.parametrize("error", [LedgerError("no", code="ledger_corrupt"), ValueError("no"), KeyboardInterrupt()])
def test_a_transaction_that_fails_leaves_nothing(error, ledger):
    """All or nothing, whatever ends it; the error is the caller's own, and the database works on."""

    async def run():
        def half(connection):
            connection.execute(ADD)
            connection.execute("DELETE FROM salt")
            raise error

        async with ledger.opened() as database:
            with pytest.raises(type(error)) as caught:
                await database.transact(half)
            assert caught.value is error
            assert await database.transact(statement(NEXT)) == [(0.0,)]
            assert await database.transact(salt_of)

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(0.0,)]


def test_a_statement_that_the_database_refuses_is_a_ledger_error(ledger):
    """No driver's own exception leaves a transaction."""

    async def run():
        def half(connection):
            connection.execute(ADD)
            connection.execute("SELECT * FROM nothing")

        async with ledger.opened() as database:
            with pytest.raises(LedgerError):
                await database.transact(half)
            assert await database.transact(statement(NEXT)) == [(0.0,)]

    asyncio.run(run())


def test_every_transaction_takes_effect_once_however_many_run_at_a_time(ledger):
    """None is lost, none is made twice, though all of them change the same row."""

    async def run():
        async with ledger.opened() as mine, ledger.opened() as theirs:
            made = await asyncio.gather(*(each.transact(change(ADD)) for each in (mine, theirs) * 20))
            assert made == [1] * 40

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(40.0,)]


def test_a_transaction_is_made_though_its_caller_no_longer_waits(ledger):
    """A caller that is cancelled while others use the ledger loses nothing that it asked to be written down."""

    async def run():
        async with ledger.opened() as database:
            await database.transact(change("UPDATE rate_limits SET next = 1"))
            begun, go_on = threading.Event(), threading.Event()

            def hold(_):
                begun.set()
                go_on.wait(60)

            # As many as a ledger's threads: the next one waits for its turn.
            holding = [asyncio.create_task(database.transact(hold)) for _ in range(4)]
            await asyncio.to_thread(begun.wait, 60)
            asked = asyncio.create_task(database.transact(change("UPDATE rate_limits SET next = 2")))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            go_on.set()
            await asyncio.gather(*holding)

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(2.0,)]


def test_a_transaction_does_not_hold_up_the_event_loop(ledger):
    """It waits on a thread: the loop goes on with the requests in flight."""

    async def run():
        async with ledger.opened() as database:
            go_on = threading.Event()
            under_way = asyncio.create_task(database.transact(lambda _: go_on.wait(60)))
            await asyncio.sleep(0)
            go_on.set()
            assert await under_way

    asyncio.run(run())


# -- deferred work


def test_deferred_work_comes_with_the_next_transaction_in_order(ledger):
    """It is not written by itself, and not later than what follows it; closing writes what is left."""

    async def run():
        async with ledger.opened() as mine, ledger.opened() as theirs:
            for number in (1, 2):
                mine.defer(change(f"UPDATE rate_limits SET next = next * 10 + {number}"))
            assert await theirs.transact(statement(NEXT)) == [(0.0,)]
            assert await mine.transact(statement(NEXT)) == [(12.0,)]
            assert await mine.transact(statement(NEXT)) == [(12.0,)]
            mine.defer(change("UPDATE rate_limits SET next = 7"))
            assert await theirs.transact(statement(NEXT)) == [(12.0,)]

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(7.0,)]


def test_deferred_work_survives_a_transaction_that_fails(ledger):
    """It is part of whichever transaction succeeds first, and of that one alone."""

    async def run():
        async with ledger.opened() as database:
            database.defer(change(ADD))
            with pytest.raises(LedgerError):
                await database.transact(statement("SELECT * FROM nothing"))
            assert await database.transact(statement(NEXT)) == [(1.0,)]
            assert await database.transact(statement(NEXT)) == [(1.0,)]

    asyncio.run(run())


def test_closing_lets_go_even_when_deferred_work_cannot_be_written(ledger):
    """The error is told, the owner's name is given up, and the object may be used again."""

    async def run():
        database = ledger.open()
        name = await database.transact(lambda _: database.owner)
        database.defer(statement("SELECT * FROM nothing"))
        with pytest.raises(LedgerError):
            await database.close()
        assert not await database.transact(lambda connection: database.is_alive(connection, name))
        await database.close()

    asyncio.run(run())


# -- owners


def test_an_owner_is_alive_until_it_leaves(ledger):
    """In its own eyes and in those of others; it keeps its name, and no two have the same."""

    async def run():
        async with ledger.opened() as mine, ledger.opened() as theirs:
            names = [await mine.transact(lambda _: mine.owner) for _ in range(2)]
            other = await theirs.transact(lambda _: theirs.owner)
            assert names[0] == names[1] != other
            assert mine.holds(names[0])
            for database in (mine, theirs):
                for name in (names[0], other):
                    assert await database.transact(lambda connection, d=database, n=name: d.is_alive(connection, n))
                assert not await database.transact(lambda connection, d=database: d.is_alive(connection, "nobody"))
            await mine.close()
            assert not await theirs.transact(lambda connection: theirs.is_alive(connection, names[0]))
            assert await theirs.transact(lambda connection: theirs.is_alive(connection, other))

    asyncio.run(run())


OTHER_PROCESS = """
import asyncio, sys
from helpers.ledgers import database_at

async def main():
    database = database_at(sys.argv[1])
    print(await database.transact(lambda _: database.owner), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await database.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["leaves", "is killed"])
def test_the_owner_of_another_process_is_alive_until_that_ends(end, ledger):
    """At once when it leaves; when it is killed, as soon as the backend can know."""
    command = [sys.executable, "-c", OTHER_PROCESS, ledger.place]

    async def run():
        with subprocess.Popen(
            command, env=WITH_HELPERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            name = (await asyncio.to_thread(process.stdout.readline)).strip()
            async with ledger.opened() as database:

                async def is_alive():
                    return await database.transact(lambda connection: database.is_alive(connection, name))

                assert await is_alive()
                if end == "leaves":
                    await asyncio.to_thread(process.communicate, "leave\n", 60)
                    assert not await is_alive()
                    return
                process.kill()
                async with asyncio.timeout(60):
                    while await is_alive():  # noqa: ASYNC110 - nobody tells of a lease that runs out
                        await asyncio.sleep(0.1)

    asyncio.run(run())


# -- what a backend declares


def test_its_file_is_where_it_says(ledger):
    """A file that exists after the first use; None where it is no file. The label names it and no secret."""

    async def run():
        async with ledger.opened() as database:
            await database.transact(statement(NEXT))
            assert database.label
            if database.file is None:
                assert not Path(ledger.place).exists()
            else:
                assert database.file.is_file()
                assert database.file.samefile(ledger.place)

    asyncio.run(run())


def test_workers_can_use_it_exactly_when_it_is_distributed(ledger):
    """Then it holds a lease under its name and can give it up; else it refuses before anything is claimed."""

    async def run():
        async with ledger.opened() as database:
            if not database.is_distributed:
                with pytest.raises(ConfigError) as caught:
                    database.for_worker(5.0)
                assert caught.value.code == "ledger_not_shared"
                return
            worker = database.for_worker(5.0)
            assert isinstance(worker, WorkerDatabase)
            assert not worker.lease_holds
            name = await worker.transact(lambda _: worker.owner)
            assert (worker.lease_holds, worker.holds(name), worker.trouble) == (True, True, None)
            worker.give_up_name()
            assert (worker.lease_holds, worker.holds(name)) == (False, False)
            assert await worker.transact(lambda _: worker.owner) != name
            await eventually(lambda: worker.lease_holds)

    asyncio.run(run())


def test_it_holds_an_outbox(ledger):
    """A message that is enqueued is taken once, by a worker or by `drain`."""
    entry = Entry("s1", "app", "k", b"text", "sms", "otp", ("u1",), None)

    def enqueue(connection, tables):
        steps = enqueue_steps(entry, {"message": {}}, tables)
        found = None
        try:
            while True:
                sql, values = next(steps) if found is None else steps.send(found)
                found = connection.execute(sql.replace("%s", "?"), values).fetchall()
        except StopIteration as end:
            return end.value

    async def run():
        async with ledger.opened() as database:
            book = OutboxBook(database)
            tables = await book.tables()
            assert await database.transact(lambda connection: enqueue(connection, tables)) == "s1"
            assert await book.due("app") == ["s1"]
            taken = await book.take("s1")
            assert (taken.claim.id, taken.recipients, taken.outgoing) == ("s1", ("u1",), {"message": {}})
            assert await book.take("s1") is None

    asyncio.run(run())


def test_a_ledger_that_was_not_copied_need_not_be_adopted(ledger):
    """To adopt it changes nothing."""

    async def run():
        async with ledger.opened() as database:
            assert not await database.adopt()
            assert await database.transact(lambda _: database.owner)

    asyncio.run(run())


# -- opening and closing


def test_it_may_be_closed_and_used_again(ledger):
    """Also before its first use, and twice: it opens once more, under another name."""

    async def run():
        database = ledger.open()
        await database.close()
        first = await database.transact(lambda _: database.owner)
        await database.transact(change(ADD))
        await database.close()
        await database.close()
        second = await database.transact(lambda _: database.owner)
        assert second != first
        assert not await database.transact(lambda connection: database.is_alive(connection, first))
        assert await database.transact(lambda connection: database.is_alive(connection, second))
        database.defer(change(ADD))
        await database.close()

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(2.0,)]


FIRST_USE = """
import asyncio, json, sys
from helpers.ledgers import database_at
from metrix_channels.ledger.checksums import salt_of

async def main():
    database = database_at(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    salt = await database.transact(salt_of)
    await database.close()
    print(json.dumps(salt.hex()))

asyncio.run(main())
"""


def test_many_processes_make_one_ledger(ledger):
    """They meet at a place where there is none yet: all end with the same tables, none with an error."""
    command = [sys.executable, "-c", FIRST_USE, ledger.place]
    processes = [
        subprocess.Popen(command, env=WITH_HELPERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    salts = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 6
    assert len(salts) == 1
    assert len(json.loads(salts.pop())) == 64
