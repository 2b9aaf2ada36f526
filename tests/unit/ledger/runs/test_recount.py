"""The ledger checked against itself: what was changed behind its back is found, and named."""

import asyncio

import pytest

from helpers.run_books import dispatch_of
from metrix_channels.ledger import (
    BatchState,
    Changes,
    Counts,
    Entry,
    LocalRunBook,
    RunState,
    SendBook,
    Skip,
    SkipReason,
    check_ledger,
)
from metrix_channels.ledger.checksums import checksum
from metrix_channels.ledger.runs.transitions import draft_of
from metrix_channels.models import OnAmbiguous

PEOPLE = 3


async def planned(database):
    """Plan a run of three batches in two shards, and begin to send it; return its record and what it is sent by."""
    dispatch = dispatch_of(database, OnAmbiguous.HOLD)
    batches = [[f"u{at}-{person}" for person in range(PEOPLE)] for at in range(3)]
    skips = [Skip(SkipReason.DUPLICATE, [(10, "u0-0"), (11, "u0-1")])]
    record = await dispatch.plan([batches[:2], batches[2:]], skips)
    return record, await dispatch.begin(record)


async def under_way(database):
    """Accept one batch, divide another, take one recipient out of it; one more is being sent."""
    record, claim = await planned(database)
    counts = record.counts
    shard = (await claim.next_shards(0, canary=False, limit=16))[0]
    first, second = shard.batches
    counts.move(PEOPLE, BatchState.PENDING, BatchState.ACCEPTED)
    first.state = BatchState.ACCEPTED
    second.state = BatchState.REPLACED
    for batch in (first, second):
        batch.save()
    counts.skip(1, SkipReason.SUPPRESSED)
    counts.pending -= 1
    counts.batches += 1
    rest = second.recipients[1:]
    skip = Skip(SkipReason.SUPPRESSED, [(0, second.recipients[0])])
    await claim.commit(Changes([shard], [draft_of(second, [rest[:1], rest[1:]])], [skip]), counts)
    return record


async def sent(database):
    """Leave a keyed message with an attempt, too."""
    book = SendBook(database)
    await book.claim(Entry("s1", "app", "key", b"text", "sms", "otp", ("u1",), None))
    await book.intend("s1", ("u1",))


def checked(ledger, *, harm=None):
    """Fill a ledger, harm it by a statement of SQL, and check it."""

    async def run():
        database = ledger.open()
        try:
            await under_way(database)
            await sent(database)
            if harm is not None:
                await database.transact(lambda connection: connection.execute(harm))
            return await check_ledger(database)
        finally:
            await database.close()

    return asyncio.run(run())


def test_a_run_under_way_is_counted_as_it_stands(ledger):
    """Whatever was accepted, divided, taken out or is pending."""
    found = checked(ledger)
    [run] = found.runs
    assert (found.is_ok, run.is_ok, run.differs, run.damaged) == (True, True, [], [])
    assert run.counts == run.recounted
    assert (run.recounted.accepted, run.recounted.pending, run.recounted.batches) == (3, 5, 4)
    assert run.recounted.skipped == {"duplicate": 2, "suppressed": 1}


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE shards SET checksum = checksum + 1", "shard"),
        ("UPDATE shard_statuses SET checksum = checksum + 1", "statuses of shard"),
        ("UPDATE skips SET rows = '[[10, \"u0-0\"]]'", "skipped rows"),
        ("UPDATE run_counts SET checksum = checksum + 1", "the counts of the run"),
        ("UPDATE runs SET file = 'x'", "the campaign offer"),
        ("DELETE FROM shard_statuses", "are missing"),
        ("UPDATE shard_statuses SET open = 1 - open", "wrongly marked"),
    ],
)
def test_what_is_not_as_it_was_written_is_named(harm, said, ledger):
    """By the checksums, and by what belongs together."""
    found = checked(ledger, harm=harm)
    assert not found.is_ok
    assert any(said in text for text in found.runs[0].damaged), found.runs[0].damaged


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE sends SET state = 'settled'", "the send s1"),
        ("UPDATE attempts SET disposition = 'accepted'", "an attempt of the send s1"),
    ],
)
def test_single_messages_are_checked_too(harm, said, ledger):
    """Each send and each attempt."""
    found = checked(ledger, harm=harm)
    assert not found.is_ok
    assert found.runs[0].is_ok
    assert [text for text in found.damaged if said in text]


def test_counts_of_other_batches_are_told(ledger):
    """A state of earlier days in one table, in order by itself, and not what the others say."""

    async def run():
        database = ledger.open()
        try:
            record = await under_way(database)
            earlier = Counts(rows=11, pending=-1, accepted=9, batches=3, skipped={"duplicate": 2, "invalid": 1}).dump()

            def change(connection):
                connection.execute("DELETE FROM run_counts")
                connection.execute(
                    "INSERT INTO run_counts (run, counts, checksum) VALUES (?, ?, ?)",
                    (record.id, earlier, checksum((record.id, earlier))),
                )

            await database.transact(change)
            return await check_ledger(database)
        finally:
            await database.close()

    found = asyncio.run(run())
    [offer] = found.runs
    assert (found.is_ok, offer.adds_up, offer.damaged) == (False, False, [])
    assert offer.differs == ["accepted", "pending", "batches", "skipped.invalid", "skipped.suppressed"]


def test_a_plan_is_no_run_yet(ledger):
    """Its counts run ahead of what is written down."""

    async def run():
        database = ledger.open()
        try:
            await LocalRunBook(database).draft("offer", "offer.yaml", {})
            return await check_ledger(database)
        finally:
            await database.close()

    assert asyncio.run(run()).runs == []


def test_a_run_that_goes_on_meanwhile_is_read_at_one_moment(ledger):
    """What comes between two pages is neither missed nor counted twice."""

    async def run():
        database, other = ledger.open(), ledger.open()
        try:
            record, claim = await planned(database)
            counts = record.counts
            shard = (await claim.next_shards(0, canary=False, limit=16))[0]
            ended = asyncio.Event()

            async def look():
                found = []
                while not ended.is_set():
                    found.append(await check_ledger(other))
                return found

            looking = asyncio.create_task(look())
            for state in (BatchState.SENDING, BatchState.PENDING) * 20:
                for batch in shard.batches:
                    counts.move(PEOPLE, batch.state, state)
                    batch.state = state
                    batch.save()
                await claim.commit(Changes([shard]), counts)
            ended.set()
            return await looking
        finally:
            await database.close()
            await other.close()

    found = asyncio.run(run())
    assert found
    assert all(each.is_ok for each in found)


def test_of_a_run_whose_recipients_were_forgotten_the_counts_are_left(file_ledger):
    """They add up by themselves, and cannot be counted anew."""

    async def run():
        database = file_ledger.open()
        try:
            book = LocalRunBook(database)
            record = await book.draft("offer", "offer.yaml", {})
            await book.complete(record.id, {}, {"forgotten_at": "2026-01-01"}, Counts(rows=2, skipped={"invalid": 2}))
            await book.leave(record.id, RunState.FINISHED)
            return await check_ledger(database)
        finally:
            await database.close()

    found = asyncio.run(run())
    [offer] = found.runs
    assert (found.is_ok, offer.recounted, offer.counts.rows) == (True, None, 2)
