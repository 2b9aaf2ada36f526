"""What every `Connection` must do within a transaction, whatever backend is behind it. A new backend passes all of it.

The fixture `ledger` gives each backend in turn: see `BACKENDS` in `helpers/ledgers.py`.
"""

import asyncio
import threading
import time

import pytest

from helpers.ledgers import change, statement

NEXT = "SELECT next FROM rate_limits"
ADD = "UPDATE rate_limits SET next = next + 1"
SENDS = (
    "id", "app_id", "key", "fingerprint", "channel", "template", "recipients", "created_at", "state", "checksum",
)  # fmt: skip
RUNS = ("id", "name", "run", "state", "file", "pins", "facts", "started_at", "checksum")
AWKWARD = ("", " ", "a\tb", "a\nb\r\n", "\\N", "\\.", "\\", "'quoted' \"twice\"", "100 %s ? {}", "سلام، دنیا ۱۲", "🎉")
BYTES = (b"", b"\0\xff\\N\n", bytes(range(256)))
NEGATIVE_WAIT = 0.3
"""Seconds in which something that is kept out would have happened: where they are too few, no test fails."""


def run_row(number):
    """Return a row of the table `runs`."""
    return (number, f"run-{number}", f"r{number}", "planning", "offer.yaml", "{}", "{}", "2026-03-20T00:00:00Z", 0)


def test_ids_ascend_and_no_two_rows_get_the_same(ledger):
    """Whoever asks, and however many at once."""

    async def run():
        def add(connection):
            numbers = connection.next_ids("runs", 5)
            connection.load("runs", RUNS, [run_row(number) for number in numbers])
            return numbers

        async with ledger.opened() as mine, ledger.opened() as theirs:
            return await asyncio.gather(*(each.transact(add) for each in (mine, theirs) * 4))

    given = asyncio.run(run())
    assert all(numbers == sorted(set(numbers)) and len(numbers) == 5 for numbers in given)
    together = sorted(number for numbers in given for number in numbers)
    assert together == sorted(set(together))
    assert min(together) > 0
    assert ledger.execute("SELECT id FROM runs ORDER BY id") == [(number,) for number in together]


def test_ids_go_on_where_rows_were_removed(ledger):
    """An id of the newest row is not given again: what still names it would mean another row."""

    async def run():
        def add(connection):
            [number] = connection.next_ids("runs", 1)
            connection.load("runs", RUNS, [run_row(number)])
            return number

        async with ledger.opened() as database:
            first = await database.transact(add)
            await database.transact(change("DELETE FROM runs"))
            assert await database.transact(add) > first

    asyncio.run(run())


def awkward_rows():
    """Give rows of the table `sends` with what tends to get lost: text, bytes, nothing, and truth."""
    for at, text in enumerate(AWKWARD * 30):
        fingerprint = BYTES[at % len(BYTES)]
        yield (f"s{at:03}", "a", None if at % 2 else f"k{at}", fingerprint, text, text, text, "", "open", at - 100)


@pytest.mark.parametrize("how", ["load", "executemany", "execute"])
def test_rows_are_read_as_they_were_written(how, ledger):
    """Whichever way they come in: text of any language, control characters, bytes, NULL, negative numbers."""
    rows = list(awkward_rows())
    insert = f"INSERT INTO sends ({', '.join(SENDS)}) VALUES ({', '.join('?' * len(SENDS))})"

    def write(connection):
        if how == "load":
            connection.load("sends", SENDS, iter(rows))
            connection.load("sends", SENDS, [])
        elif how == "executemany":
            assert connection.executemany(insert, iter(rows)).rowcount == len(rows)
            connection.executemany(insert, [])
        else:
            assert all(connection.execute(insert, row).rowcount == 1 for row in rows)

    async def run():
        async with ledger.opened() as mine, ledger.opened() as theirs:
            await mine.transact(write)
            select = f"SELECT {', '.join(SENDS)} FROM sends WHERE id >= ? ORDER BY id"
            found = await theirs.transact(statement(select, ("s",)))
            assert [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in found] == rows

    asyncio.run(run())


def test_a_cursor_gives_each_row_once(ledger):
    """One at a time, the rest, or in a loop; and truth is a number."""

    def work(connection):
        connection.load("runs", RUNS, [run_row(number) for number in (1, 2, 3)])
        connection.execute("UPDATE runs SET checksum = ? WHERE id = ?", (True, 2))
        cursor = connection.execute("SELECT id, checksum FROM runs ORDER BY id")
        first, others, end = cursor.fetchone(), cursor.fetchall(), cursor.fetchone()
        looped = list(connection.execute("SELECT id FROM runs WHERE id > ? ORDER BY id", (1,)))
        none = connection.execute("SELECT id FROM runs WHERE name = ?", ("none",)).fetchone()
        return first, others, end, looped, none

    async def run():
        async with ledger.opened() as database:
            return await database.transact(work)

    assert asyncio.run(run()) == ((1, 0), [(2, 1), (3, 0)], None, [(2,), (3,)], None)


def test_a_row_that_is_inserted_has_the_id_that_is_returned(ledger):
    """Each row the next one, also where rows of other tables are inserted in between."""
    draw = (
        "INSERT INTO runs (name, run, state, file, pins, facts, started_at, checksum)"
        " VALUES (?, '', '', '', '', '', '', 0)"
    )

    def work(connection):
        run = connection.insert(draw, ("first",))
        other = connection.insert("INSERT INTO run_journal (run, at, what, detail) VALUES (?, '', '', '')", (run,))
        return {"first": run, "second": connection.insert(draw, ("second",))}, (other, run)

    async def run():
        async with ledger.opened() as database:
            return await database.transact(work)

    runs, other = asyncio.run(run())
    assert ledger.execute("SELECT name, id FROM runs ORDER BY id") == list(runs.items())
    assert ledger.execute("SELECT id, run FROM run_journal") == [other]


@pytest.mark.parametrize("shared", [False, True])
def test_a_lock_keeps_others_out_until_its_transaction_ends(shared, ledger):
    """Also those who would share it keep out who would not."""

    async def run():
        order, locked, go_on = [], threading.Event(), threading.Event()

        def first(connection):
            connection.lock("run 7", shared=shared)
            locked.set()
            go_on.wait(60)
            order.append("first")

        def second(connection):
            connection.lock("run 7")
            order.append("second")

        async with ledger.opened() as mine, ledger.opened() as theirs:
            await theirs.transact(statement(NEXT))
            holding = asyncio.create_task(mine.transact(first))
            await asyncio.to_thread(locked.wait, 60)
            waiting = asyncio.create_task(theirs.transact(second))
            await asyncio.wait([waiting], timeout=NEGATIVE_WAIT)
            assert order == []
            go_on.set()
            await asyncio.gather(holding, waiting)
            assert order == ["first", "second"]

    asyncio.run(run())


def test_the_clocks_are_shared_and_go_forward(ledger):
    """Whichever process looks at them; `time` counts from 1970."""

    async def run():
        async with ledger.opened() as mine, ledger.opened() as theirs:
            read = [
                await database.transact(lambda connection: (connection.clock(), connection.time()))
                for database in (mine, theirs) * 5
            ]
            assert [clock for clock, _ in read] == sorted(clock for clock, _ in read)
            assert all(abs(seconds - time.time()) < 3600 for _, seconds in read)

    asyncio.run(run())


def test_a_transaction_that_need_not_last_takes_effect_as_any_other(ledger):
    """As long as the machine does not fail."""

    async def run():
        def work(connection):
            connection.need_not_last()
            connection.execute(ADD)

        async with ledger.opened() as database:
            await database.transact(work)

    asyncio.run(run())
    assert ledger.execute(NEXT) == [(1.0,)]


def test_a_snapshot_sees_one_moment(ledger):
    """Whatever others write meanwhile."""

    async def run():
        begun, written = threading.Event(), threading.Event()

        def read_twice(connection):
            connection.snapshot()
            before = connection.execute(NEXT).fetchone()
            begun.set()
            written.wait(NEGATIVE_WAIT)  # where one transaction has the database to itself, nobody writes meanwhile
            return before, connection.execute(NEXT).fetchone()

        async with ledger.opened() as mine, ledger.opened() as theirs:
            await theirs.transact(change(ADD))
            reading = asyncio.create_task(mine.transact(read_twice))
            await asyncio.to_thread(begun.wait, 60)
            await theirs.transact(change(ADD))
            written.set()
            before, after = await reading
            assert before == after == (1.0,)

    asyncio.run(run())
