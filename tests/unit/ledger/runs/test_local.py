"""Runs in a file: whoever was taken for dead changes nothing of a run that another process took."""

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from metrix_channels.errors import CampaignError, LedgerError
from metrix_channels.ledger import (
    DOUBT,
    REPEATED,
    BatchState,
    Changes,
    Counts,
    Draft,
    LocalRunBook,
    RunState,
    Skip,
    SkipReason,
    cancelled,
    open_shards,
)
from metrix_channels.ledger.purge import _forget_run
from metrix_channels.ledger.runs.transitions import draft_of

PEOPLE = 4


@asynccontextmanager
async def opened(ledger):
    """A book as a process of its own would hold it."""
    database = ledger.open()
    try:
        yield LocalRunBook(database)
    finally:
        await database.close()


async def planned(book, batches=3):
    """Plan a run of one shard; return its record."""
    record = await book.draft("offer", "offer.yaml", {})
    contents = [[{}, [f"u{at}-{person}" for person in range(PEOPLE)]] for at in range(batches)]
    counts = Counts(rows=batches * PEOPLE, pending=batches * PEOPLE, batches=batches)
    await book.add(record.id, [Draft(json.dumps(contents), batches)], [], counts)
    return await book.complete(record.id, {}, {"canary": 0}, counts)


async def shard_of(claim):
    [shard] = await claim.next_shards(0, canary=False, limit=16)
    return shard


def everything(ledger):
    """All rows of the ledger."""
    with closing(sqlite3.connect(ledger.place)) as connection:
        return list(connection.iterdump())


async def commit(book, run):
    """Accept the first batch, as a dispatch would."""
    claim, counts = book.claim(run), (await book.get("offer")).counts
    shard = await shard_of(claim)
    counts.move(PEOPLE, BatchState.PENDING, BatchState.ACCEPTED)
    shard.batches[0].state = BatchState.ACCEPTED
    shard.batches[0].save()
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
        async with opened(file_ledger) as mine, opened(file_ledger) as theirs:
            record = await planned(mine)
            file_ledger.take_everybody_for_dead()
            await theirs.take("offer")
            before = everything(file_ledger)
            with pytest.raises(LedgerError) as caught:
                await write(mine, record.id)
            assert caught.value.code == "run_lost"
            assert everything(file_ledger) == before

    asyncio.run(run())


def test_nobody_discards_what_another_process_took(file_ledger):
    """A plan that was taken up is a run."""

    async def run():
        async with opened(file_ledger) as mine, opened(file_ledger) as theirs:
            record = await planned(mine)
            file_ledger.take_everybody_for_dead()
            await theirs.take("offer")
            await mine.discard(record.id)
            assert (await theirs.get("offer")).counts.pending == 3 * PEOPLE
            await theirs.discard(record.id)
            assert await theirs.find("offer") is None

    asyncio.run(run())


def test_a_live_run_is_not_taken(file_ledger):
    """Neither by another process nor by the one that works on it."""

    async def run():
        async with opened(file_ledger) as mine, opened(file_ledger) as theirs:
            await planned(mine)
            for book in (mine, theirs):
                with pytest.raises(CampaignError) as caught:
                    await book.take("offer")
                assert caught.value.code == "run_busy"

    asyncio.run(run())


def test_a_run_is_left_with_the_counts_of_its_last_commit(file_ledger):
    """What could not be committed is in no count, as it is in no batch: the two always say the same."""

    async def run():
        async with opened(file_ledger) as book:
            record = await planned(book)
            await commit(book, record.id)
            record.counts.move(PEOPLE, BatchState.PENDING, BatchState.REJECTED)  # its commit failed
            await book.leave(record.id, RunState.INTERRUPTED)
            counts = (await book.get("offer")).counts
            assert (counts.accepted, counts.rejected, counts.pending) == (PEOPLE, 0, 2 * PEOPLE)

    asyncio.run(run())


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.FINISHED_WITH_ERRORS])
def test_a_run_with_pending_batches_does_not_finish(state, file_ledger):
    """It may rest, or be interrupted."""

    async def run():
        async with opened(file_ledger) as book:
            record = await planned(book)
            with pytest.raises(LedgerError) as caught:
                await book.leave(record.id, state)
            assert caught.value.code == "counts_wrong"

    asyncio.run(run())


def wrong(**changes):
    """Return what changes counts without a batch that changes."""

    async def write(book, run):
        counts = (await book.get("offer")).counts
        for name, count in changes.items():
            setattr(counts, name, getattr(counts, name) + count)
        await book.claim(run).commit(Changes(), counts)

    return write


async def forget_the_count(book, run):
    """Write a batch without its count."""
    claim = book.claim(run)
    shard = await shard_of(claim)
    shard.batches[0].state = BatchState.ACCEPTED
    shard.batches[0].save()
    await claim.commit(Changes(shards=[shard]), (await book.get("offer")).counts)


async def count_twice(book, run):
    """Accept a batch that is accepted already."""
    await commit(book, run)
    await commit(book, run)


WRONG = {
    "negative": wrong(pending=-3 * PEOPLE - 1, accepted=3 * PEOPLE + 1),
    "recipients from nowhere": wrong(accepted=1),
    "recipients who vanish": wrong(pending=-1),
    "an outcome without a batch": wrong(pending=-PEOPLE, accepted=PEOPLE),
    "an intent without a batch": wrong(sending=1),
    "a batch without a shard": wrong(batches=1),
    "more rows": wrong(rows=1, pending=1),
    "a batch without its count": forget_the_count,
    "a batch twice": count_twice,
}


@pytest.mark.parametrize("write", WRONG.values(), ids=WRONG)
def test_counts_that_do_not_add_up_are_never_written(write, file_ledger):
    """The whole commit is undone."""

    async def run():
        async with opened(file_ledger) as book:
            record = await planned(book)
            with pytest.raises(LedgerError) as caught:
                await write(book, record.id)
            assert caught.value.code == "counts_wrong"
            counts = (await book.get("offer")).counts
            assert (counts.balance, counts.pending + counts.accepted) == (0, 3 * PEOPLE)

    asyncio.run(run())


def test_counts_of_a_plan_are_those_of_its_batches(file_ledger):
    """A plan of which a part was not written down is no run."""

    async def run():
        async with opened(file_ledger) as book:
            record = await book.draft("offer", "offer.yaml", {})
            with pytest.raises(LedgerError) as caught:
                await book.complete(record.id, {}, {}, Counts(rows=4, pending=4, batches=1))
            assert caught.value.code == "counts_wrong"

    asyncio.run(run())


def test_a_divided_batch_and_skipped_recipients_are_counted(file_ledger):
    """New batches and skipped rows come with their counts in one commit; the doubt and the attempts are inherited."""

    async def run():
        async with opened(file_ledger) as book:
            record = await planned(book)
            claim, counts = book.claim(record.id), record.counts
            shard = await shard_of(claim)
            batch = shard.batches[0]
            batch.state, batch.flags, batch.attempts = BatchState.REPLACED, DOUBT | REPEATED, 2
            batch.save()
            counts.skip(1, SkipReason.SUPPRESSED)
            counts.pending -= 1
            draft = draft_of(batch, [batch.recipients[1:]])
            skip = Skip(SkipReason.SUPPRESSED, [(0, batch.recipients[0])])
            committed = await claim.commit(Changes([shard], [draft], [skip]), counts)
            [child] = committed.drafted
            [written] = await claim.next_shards(shard.id, canary=False, limit=16)
            for each in (child, written):
                [part] = each.batches
                assert part.recipients == batch.recipients[1:]
                assert (part.state, part.flags, part.attempts) == (BatchState.PENDING, DOUBT | REPEATED, 2)
            found = (await book.get("offer")).counts
            assert (found.skipped, found.batches, found.balance) == ({"suppressed": 1}, 3, 0)

    asyncio.run(run())


def test_a_run_that_was_taken_up_again_keeps_its_recipients(file_ledger):
    """A purge that found it over a moment ago looks again; and what it forgot is taken up by nobody."""

    async def run():
        async with opened(file_ledger) as book:
            record = await planned(book)
            await book.settle_all(record.id, cancelled, open_shards)
            await book.leave(record.id, RunState.CANCELLED)
            await book.take("offer")
            assert await book._database.transact(lambda connection: _forget_run(connection, record.id)) is None
            await book.leave(record.id, RunState.CANCELLED)
            assert await book._database.transact(lambda connection: _forget_run(connection, record.id)) == 1
            with pytest.raises(CampaignError) as caught:
                await book.take("offer")
            assert caught.value.code == "run_purged"

    asyncio.run(run())
