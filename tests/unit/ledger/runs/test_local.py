"""Runs in a file: whoever was taken for dead changes nothing of a run that another process took."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from helpers.run_books import PEOPLE, SHARD, finish, first_shard, process, refused
from metrix_channels.errors import CampaignError, LedgerError
from metrix_channels.ledger import BatchState, Changes, Counts, RunState, cancelled, open_shards
from metrix_channels.ledger.purge import _forget_run
from metrix_channels.ledger.sqlite import connection as sqlite


def everything(ledger):
    """All rows of the ledger."""
    with closing(sqlite3.connect(ledger.place)) as connection:
        return list(connection.iterdump())


async def commit(book, run):
    """Accept the first batch, as a dispatch would."""
    claim, counts = book.claim(run), (await book.get("offer")).counts
    shard = await first_shard(claim)
    finish(shard.batches[0], counts, BatchState.ACCEPTED)
    await claim.commit(Changes(shards=[shard]), counts)


WRITES = {
    "add": lambda book, run: book.add(run, [], [], Counts()),
    "complete": lambda book, run: book.complete(run, {}, {}, Counts(rows=12, pending=12, batches=3)),
    "become": lambda book, run: book.become(run, RunState.WAITING),
    "become, as a dispatch": lambda book, run: book.claim(run).become(RunState.WAITING),
    "leave": lambda book, run: book.leave(run, RunState.INTERRUPTED),
    "settle_all": lambda book, run: book.settle_all(run, cancelled, open_shards),
    "commit": commit,
    "commit of nothing": lambda book, run: book.claim(run).commit(
        Changes(), Counts(rows=12, pending=12, batches=3, requests=1)
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_another_process_took_is_not_written_to(write, file_ledger):
    """Each write for a run looks at its owner within its own transaction."""

    async def run():
        async with process(file_ledger) as mine, process(file_ledger) as theirs:
            record = await mine.plan([SHARD])
            file_ledger.take_everybody_for_dead()
            await theirs.book.take("offer")
            before = everything(file_ledger)
            with pytest.raises(LedgerError) as caught:
                await write(mine.book, record.id)
            assert caught.value.code == "run_lost"
            assert everything(file_ledger) == before

    asyncio.run(run())


def test_nobody_discards_what_another_process_took(file_ledger):
    """A plan that was taken up is a run."""

    async def run():
        async with process(file_ledger) as mine, process(file_ledger) as theirs:
            record = await mine.plan([SHARD])
            file_ledger.take_everybody_for_dead()
            await theirs.book.take("offer")
            await mine.book.discard(record.id)
            assert (await theirs.book.get("offer")).counts.pending == 3 * PEOPLE
            await theirs.book.discard(record.id)
            assert await theirs.book.find("offer") is None

    asyncio.run(run())


def test_a_run_is_left_with_the_counts_of_its_last_commit(file_ledger):
    """What could not be committed is in no count, as it is in no batch: the two always say the same."""

    async def run():
        async with process(file_ledger) as mine:
            record = await mine.plan([SHARD])
            await commit(mine.book, record.id)
            record.counts.move(PEOPLE, BatchState.PENDING, BatchState.REJECTED)  # its commit failed
            await mine.book.leave(record.id, RunState.INTERRUPTED)
            counts = (await mine.book.get("offer")).counts
            assert (counts.accepted, counts.rejected, counts.pending) == (PEOPLE, 0, 2 * PEOPLE)

    asyncio.run(run())


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.FINISHED_WITH_ERRORS])
def test_a_run_with_pending_batches_does_not_finish(state, file_ledger):
    """It may rest, or be interrupted."""

    async def run():
        async with process(file_ledger) as mine:
            record = await mine.plan([SHARD])
            with pytest.raises(LedgerError) as caught:
                await mine.book.leave(record.id, state)
            assert caught.value.code == "counts_wrong"

    asyncio.run(run())


async def fail_to_leave(mine, file_ledger):
    """Plan a run, and leave it while the ledger is locked."""
    record = await mine.plan([SHARD])
    with file_ledger.locked(), refused(LedgerError, "ledger_locked"):
        await mine.book.leave(record.id, RunState.PAUSED)


def test_a_run_that_could_not_be_left_is_released_with_the_next_transaction(file_ledger, monkeypatch):
    """Its process goes on, so it would look as if it were still sending."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)

    async def run():
        async with process(file_ledger) as mine, process(file_ledger) as theirs:
            await fail_to_leave(mine, file_ledger)
            found = await mine.book.get("offer")
            assert (found.state, found.live) == (RunState.INTERRUPTED, False)
            await theirs.book.take("offer")

    asyncio.run(run())


def test_what_could_not_be_written_changes_nothing_of_another_process(file_ledger, monkeypatch):
    """It has taken over the run meanwhile."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)

    async def run():
        async with process(file_ledger) as mine, process(file_ledger) as theirs:
            await fail_to_leave(mine, file_ledger)
            file_ledger.take_everybody_for_dead()
            await theirs.book.take("offer")
            before = everything(file_ledger)
            await mine.book.get("offer")
            assert everything(file_ledger) == before

    asyncio.run(run())


def test_a_run_that_was_taken_up_again_keeps_its_recipients(file_ledger):
    """A purge that found it over a moment ago looks again; and what it forgot is taken up by nobody."""

    async def run():
        async with process(file_ledger) as mine:
            record = await mine.plan([SHARD])
            await mine.book.settle_all(record.id, cancelled, open_shards)
            await mine.book.leave(record.id, RunState.CANCELLED)
            await mine.book.take("offer")
            assert await mine.database.transact(lambda connection: _forget_run(connection, record.id)) is None
            await mine.book.leave(record.id, RunState.CANCELLED)
            assert await mine.database.transact(lambda connection: _forget_run(connection, record.id)) == 1
            with pytest.raises(CampaignError) as caught:
                await mine.book.take("offer")
            assert caught.value.code == "run_purged"

    asyncio.run(run())
