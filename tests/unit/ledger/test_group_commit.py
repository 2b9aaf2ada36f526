"""Group commit: what waits for the ledger together is committed together, and fails each by itself."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from helpers.command_line import wait_until
from helpers.ledgers import FileLedger
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import group_commit
from metrix_channels.ledger.database import always, ignore
from metrix_channels.ledger.group_commit import GroupCommit

NEXT = "SELECT next FROM rate_limits"


def add(connection):
    """Count up in a table that every ledger has; return what it counted to."""
    connection.execute("UPDATE rate_limits SET next = next + 1")
    return connection.execute(NEXT).fetchone()[0]


def refuse(connection):
    """Do something, and fail as the ledger's own rules make it fail."""
    add(connection)
    raise LedgerError("The key was used for different content.", code="key_reused")


def break_down(connection):
    """Do something, and fail as the database makes it fail, which undoes the whole transaction."""
    add(connection)
    connection.execute("SELECT * FROM nothing")


class Gate:
    """A transaction that stays open until the gate is opened."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, _):
        self.reached.set()
        assert self.opened.wait(60)


class Busy:
    """A database whose transactions are all held open, and whose further ones are counted."""

    def __init__(self, database):
        self.database = database
        self.sizes = []
        self._gates = []

    async def close_gates(self):
        """Let each transaction that can be made at one time wait."""
        await self.database.transact(lambda _: None)
        commits = self.database._commits
        for _ in range(commits._most):
            gate = Gate()
            self._gates.append((gate, asyncio.create_task(self.database.transact(gate))))
            await asyncio.to_thread(gate.reached.wait, 60)
        commit = commits._commit

        def counting(group):
            self.sizes.append(len(group))
            commit(group)

        commits._commit = counting

    async def open_gates(self):
        """Let them end: one after the other, so that what waits is taken by the first that is free."""
        for gate, task in self._gates:
            gate.opened.set()
            await task

    async def results(self, *works, together=True):
        """Ask for works while nothing else goes on; return what became of each."""
        await self.close_gates()
        asked = [asyncio.create_task(self.database.transact(work, together=together)) for work in works]
        await asyncio.sleep(0)  # each of them asks
        self._gates[0][0].opened.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        await self.open_gates()
        return found


@asynccontextmanager
async def busy(ledger):
    async with ledger.opened() as database:
        yield Busy(database)


async def results_of(ledger, *works, together=True):
    """What became of works that waited together, and how many there were in each transaction."""
    async with busy(ledger) as waiting:
        return await waiting.results(*works, together=together), waiting.sizes


def run(coroutine):
    return asyncio.run(coroutine)


def test_what_waits_together_shares_a_transaction(ledger):
    """And sees what those before it did."""
    assert run(results_of(ledger, add, add, add)) == ([1, 2, 3], [3])
    assert ledger.execute(NEXT) == [(3,)]


def test_what_takes_long_shares_a_transaction_with_nobody(ledger):
    """Else the short ones would wait for it."""
    found, sizes = run(results_of(ledger, add, add, together=False))
    assert (found, sizes) == ([1, 2], [1, 1])


def test_callers_share_again_as_soon_as_all_of_them_are_there(tmp_path, monkeypatch):
    """Nobody waits for more callers than there were before, however long a thread would wait for those."""
    monkeypatch.setattr(group_commit, "_GATHER_SECONDS", 3600)

    async def main():
        async with busy(FileLedger(str(tmp_path / "l.db"))) as waiting:
            await waiting.results(add, add)
            commits, found = waiting.database._commits, []
            try:
                for _ in range(3):
                    asked = [waiting.database.transact(add, together=True) for _ in range(2)]
                    found += await asyncio.wait_for(asyncio.gather(*asked), 60)
            finally:
                monkeypatch.undo()
                with commits._lock:
                    commits._wanted = 0  # ends the wait for the next ones
                    commits._enough.notify()
            return found, waiting.sizes

    assert run(main()) == ([3, 4, 5, 6, 7, 8], [2, 2, 2, 2])


def test_a_lone_caller_waits_for_nobody_after_a_break(tmp_path):
    """Though it shared its transactions before."""

    async def main():
        async with busy(FileLedger(str(tmp_path / "l.db"))) as waiting:
            await waiting.results(add, add)
            commits = waiting.database._commits
            await asyncio.to_thread(wait_until, lambda: not commits._running)
            return commits._wanted

    assert run(main()) == 1


def test_a_single_piece_of_work_is_committed_when_it_returns(ledger):
    """Nobody has to come by for that; another process sees it."""

    async def main():
        async with ledger.opened() as database:
            for number in (1, 2):
                await database.transact(add, together=True)
                assert ledger.execute(NEXT) == [(number,)]

    run(main())


@pytest.mark.parametrize("fail", [refuse, break_down])
def test_who_fails_takes_nobody_along(fail, ledger):
    """Each of them is made again by itself, and takes effect once."""
    found, sizes = run(results_of(ledger, add, fail, add))
    assert (found[0], isinstance(found[1], LedgerError), found[2], sizes[0]) == (1, True, 2, 3)
    assert ledger.execute(NEXT) == [(2,)]


def test_what_was_deferred_is_written_once(ledger):
    """With the next transaction, also when that has to be made again, one piece after the other."""

    async def main():
        async with busy(ledger) as waiting:
            await waiting.close_gates()
            waiting.database.defer(add)
            asked = [asyncio.create_task(waiting.database.transact(work, together=True)) for work in (break_down, add)]
            await asyncio.sleep(0)
            await waiting.open_gates()
            return await asyncio.gather(*asked, return_exceptions=True)

    assert run(main())[1] == 2
    assert ledger.execute(NEXT) == [(2,)]


def test_work_goes_on_when_its_caller_is_cancelled(ledger):
    """What it wrote is there; the others of its transaction have their results."""

    async def main():
        async with busy(ledger) as waiting:
            await waiting.close_gates()
            cancelled, other = (asyncio.create_task(waiting.database.transact(add, together=True)) for _ in range(2))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await waiting.open_gates()
            return await other

    assert run(main()) == 2
    assert ledger.execute(NEXT) == [(2,)]


def test_callers_of_several_event_loops_are_told_each_in_its_own(ledger):
    """A process may have several."""
    database = ledger.open()
    found = []
    threads = [threading.Thread(target=lambda: found.append(run(database.transact(add)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(database.close())
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_fault_of_the_commit_itself_lets_nobody_wait_for_ever():
    """It is told to whoever waits, and the next piece of work is served."""

    def commit(group):
        raise AssertionError(len(group))

    async def main():
        commits = GroupCommit(1, commit)
        for _ in range(2):
            with pytest.raises(AssertionError):
                await asyncio.wait_for(commits.run(add, together=True, is_wanted=always, left=ignore), 60)

    run(main())


def test_a_file_that_vanished_fails_all_that_wait(tmp_path):
    """Nobody may send on the strength of what is written to a file that nobody will read."""
    path = tmp_path / "l.db"

    def vanish(_):
        path.rename(tmp_path / "elsewhere.db")

    found, _ = run(results_of(FileLedger(str(path)), add, vanish, add))
    assert [error.code for error in found] == ["ledger_unavailable"] * 3


def test_what_its_caller_left_is_told_instead(ledger):
    """Its result, or its error; and whoever closes the ledger waits for it."""
    told = []

    async def main():
        async with busy(ledger) as waiting:
            await waiting.close_gates()
            works = (add, refuse)
            asked = [
                asyncio.create_task(
                    waiting.database.transact(work, together=True, left=lambda *found: told.append(found))
                )
                for work in works
            ]
            await asyncio.sleep(0)
            for each in asked:
                each.cancel()
            await asyncio.wait(asked)
            assert not told
            await waiting.open_gates()

    run(main())
    assert {(type(result), type(error)) for result, error in told} == {
        (float, type(None)),
        (type(None), LedgerError),
    }


@pytest.mark.parametrize("work", [add, refuse])
def test_a_caller_that_is_cancelled_as_its_answer_arrives_has_left_too(work, file_ledger):
    """The answer was set, but the caller never saw it."""
    told = []

    async def main():
        database = file_ledger.open()
        await database.transact(lambda _: None)
        asked = asyncio.create_task(database.transact(work, left=lambda *found: told.append(found)))
        settle = database._commits._settle

        def settle_and_cancel(group):
            settle(group)
            asked.cancel()

        database._commits._settle = settle_and_cancel
        with pytest.raises(asyncio.CancelledError):
            await asked
        del database._commits._settle
        await database.close()

    run(main())
    assert [(type(result), type(error)) for result, error in told] == [
        (float, type(None)) if work is add else (type(None), LedgerError)
    ]
