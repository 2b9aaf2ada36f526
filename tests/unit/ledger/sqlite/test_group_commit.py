"""Group commit: what waits for the ledger together is committed together, and fails each by itself."""

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing

import pytest

from metrix_channels.errors import LedgerError
from metrix_channels.ledger import SqliteDatabase


def add(connection):
    """Count up in a table that every ledger has; return what it counted to."""
    connection.execute("UPDATE rate_limits SET next = next + 1")
    return connection.execute("SELECT next FROM rate_limits").fetchone()[0]


def counted(path):
    """What another process sees of that."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT next FROM rate_limits").fetchone()[0]


class Gate:
    """A transaction that stays open until the gate is opened."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, connection):
        self.reached.set()
        assert self.opened.wait(60)


class Ledger:
    """A ledger whose transactions are counted."""

    def __init__(self, path):
        self.database = SqliteDatabase(path)
        self.sizes = []
        commit = self.database._commits._commit

        def counting(group):
            self.sizes.append(len(group))
            commit(group)

        self.database._commits._commit = counting

    async def while_busy(self, *works):
        """Ask for works while a transaction is under way; return what became of each."""
        gate = Gate()
        first = asyncio.create_task(self.database.transact(gate))
        await asyncio.to_thread(gate.reached.wait, 60)
        asked = [asyncio.create_task(self.database.transact(work)) for work in works]
        await asyncio.sleep(0)  # each of them asks
        gate.opened.set()
        await first
        return await asyncio.gather(*asked, return_exceptions=True)


@asynccontextmanager
async def opened(path):
    ledger = Ledger(path)
    try:
        yield ledger
    finally:
        await ledger.database.close()


def run(coroutine):
    return asyncio.run(coroutine)


def test_what_waits_while_a_transaction_is_under_way_shares_the_next_one(tmp_path):
    """And sees what those before it did."""

    async def main():
        async with opened(tmp_path / "l.db") as ledger:
            return await ledger.while_busy(add, add, add), ledger.sizes

    assert run(main()) == ([1, 2, 3], [1, 3])


def test_a_single_piece_of_work_is_committed_when_it_returns(tmp_path):
    """Nobody has to come by for that; another process sees it."""

    async def main():
        async with opened(tmp_path / "l.db") as ledger:
            found = []
            for _ in range(2):
                await ledger.database.transact(add)
                found.append(counted(tmp_path / "l.db"))
            return found, ledger.sizes

    assert run(main()) == ([1, 2], [1, 1])


def test_what_one_raises_undoes_that_one_alone(tmp_path):
    """The others of its transaction are committed."""

    def fail(connection):
        add(connection)
        raise LedgerError("The key was used for another content.", code="key_reused")

    async def main():
        async with opened(tmp_path / "l.db") as ledger:
            return await ledger.while_busy(add, fail, add), ledger.sizes

    (first, error, last), sizes = run(main())
    assert (first, last, error.code, sizes) == (1, 2, "key_reused", [1, 3])
    assert counted(tmp_path / "l.db") == 2


def test_an_error_of_the_database_takes_nobody_else_along(tmp_path):
    """It may have undone the whole transaction; so each of them is made again by itself, and takes effect once."""

    def fail(connection):
        add(connection)
        connection.execute("SELECT * FROM nothing")

    def refuse(connection):
        raise LedgerError("The key was used for another content.", code="key_reused")

    async def main():
        async with opened(tmp_path / "l.db") as ledger:
            return await ledger.while_busy(add, refuse, fail, add)

    first, refusal, error, last = run(main())
    assert (first, refusal.code, error.code, last) == (1, "key_reused", "ledger_unavailable", 2)
    assert counted(tmp_path / "l.db") == 2


def test_a_file_that_vanished_fails_all_that_wait(tmp_path):
    """Nobody may send on the strength of what is written to a file that nobody will read."""
    path = tmp_path / "l.db"

    def vanish(_):
        path.rename(tmp_path / "elsewhere.db")

    async def main():
        async with opened(path) as ledger:
            return await ledger.while_busy(add, vanish, add)

    assert [error.code for error in run(main())] == ["ledger_unavailable"] * 3


def test_what_was_deferred_is_written_once_with_the_next_transaction(tmp_path):
    """Also when that transaction has to be made again, one piece after the other."""

    async def main():
        async with opened(tmp_path / "l.db") as ledger:
            ledger.database.defer(add)
            return await ledger.while_busy(lambda connection: connection.execute("SELECT * FROM nothing"), add)

    assert run(main())[1] == 2
    assert counted(tmp_path / "l.db") == 2


def test_work_goes_on_when_its_caller_is_cancelled(tmp_path):
    """What it wrote is there; the others of its transaction have their results."""

    async def main():
        async with opened(tmp_path / "l.db") as ledger:
            gate = Gate()
            first = asyncio.create_task(ledger.database.transact(gate))
            await asyncio.to_thread(gate.reached.wait, 60)
            cancelled = asyncio.create_task(ledger.database.transact(add))
            other = asyncio.create_task(ledger.database.transact(add))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            gate.opened.set()
            await first
            return await other

    assert run(main()) == 2
    assert counted(tmp_path / "l.db") == 2


def test_callers_of_several_event_loops_share_a_transaction(tmp_path):
    """Each of them is told in its own loop."""
    database = SqliteDatabase(tmp_path / "l.db")
    found = []
    threads = [threading.Thread(target=lambda: found.append(run(database.transact(add)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(database.close())
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7, 8]
