"""Claims: one worker a shard, results only under their epoch, and no claim outlives its worker."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from helpers.postgres import execute
from metrix_channels.errors import LedgerError, problem
from metrix_channels.ledger import (
    BatchState,
    Changes,
    ControlRequest,
    Counts,
    Draft,
    RunState,
    SkipReason,
    check_ledger,
)
from metrix_channels.ledger.checksums import checksum
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.ledger.runs.distributed import DistributedRunBook

PEOPLE = 4


@asynccontextmanager
async def opened(url):
    database = PostgresDatabase(url)
    try:
        yield DistributedRunBook(database)
    finally:
        await database.close()


async def launched(book, shards=2, *, on_ambiguous="retry", canaries=0):
    """Plan a run of so many shards, each of one batch, and give it to workers; return its number."""
    record = await book.draft("offer", "offer.yaml", {})
    count = shards * PEOPLE
    drafts = [
        Draft(json.dumps([[{}, [f"u{at}-{person}" for person in range(PEOPLE)]]]), 1, canary=at < canaries)
        for at in range(shards)
    ]
    counts = Counts(rows=count, pending=count, batches=shards)
    await book.add(record.id, drafts, [], counts)
    await book.complete(record.id, {}, {"canary": canaries * PEOPLE}, counts)
    return (await book.launch(record.id, json.dumps({"on_ambiguous": on_ambiguous}), None)).id


async def step(claim, state):
    """Bring the share's batch into a state, as a dispatch would."""
    if not hasattr(claim, "batch"):
        [shard] = await claim.next_shards(0, canary=claim.canary, limit=16)
        [claim.batch] = shard.batches
    batch, counts = claim.batch, claim.record.counts
    counts.move(PEOPLE, batch.state, state)
    batch.state = state
    batch.save()
    return await claim.commit(Changes(shards=[batch.shard]), counts)


def expire(url):
    """Let every lease run out, as a frozen machine's does."""
    execute(url, "UPDATE owners SET lease_until = now() - interval '1 s'")


def test_a_shard_is_claimed_once(postgres_url):
    """However many ask at once."""

    async def run():
        async with opened(postgres_url) as mine, opened(postgres_url) as theirs:
            run = await launched(mine, shards=3)
            claims = await asyncio.gather(*(book.claim(run) for book in (mine, theirs) * 4))
            claimed = [shard for claim in claims if claim for shard in claim.epochs]
            assert sorted(claimed) == sorted(set(claimed))
            assert len(claimed) == 3

    asyncio.run(run())


@pytest.mark.parametrize(
    ("on_ambiguous", "after"),
    [("hold", {"unknown": PEOPLE, "pending": 0}), ("retry", {"unknown": 0, "pending": PEOPLE})],
)
def test_what_the_dead_had_under_way_is_in_doubt_and_their_late_result_counts_nothing(
    on_ambiguous, after, postgres_url
):
    """The sweep decides as on_ambiguous says; who wakes up is told, and changes no count."""

    async def run():
        async with opened(postgres_url) as frozen, opened(postgres_url) as other:
            run = await launched(frozen, shards=1, on_ambiguous=on_ambiguous)
            claim = await frozen.claim(run)
            await step(claim, BatchState.SENDING)
            expire(postgres_url)
            await other.sweep()
            with pytest.raises(LedgerError) as caught:
                await step(claim, BatchState.ACCEPTED)
            assert caught.value.code == "run_lost"
            counts = (await other.get("offer")).counts
            assert {name: getattr(counts, name) for name in after} == after
            assert (counts.accepted, counts.balance) == (0, 0)

    asyncio.run(run())


def test_a_lease_that_a_clock_made_too_long_is_cut_to_its_length(postgres_url):
    """The database's clock was a year ahead when its owner died, and is right again: nobody waits for a year."""

    async def run():
        async with opened(postgres_url) as dead, opened(postgres_url) as other:
            run = await launched(dead, shards=1)
            await dead.claim(run)
            execute(postgres_url, "UPDATE owners SET lease_until = now() + interval '1 year'")
            await other.sweep()
            ahead = execute(postgres_url, "SELECT 1 FROM owners WHERE lease_until > clock_timestamp() + lease")
            assert ahead == []

    asyncio.run(run())


def test_a_shard_that_changed_hands_belongs_to_the_later_claim(postgres_url):
    """Also when the earlier one has the same owner's name."""

    async def run():
        async with opened(postgres_url) as book:
            run = await launched(book, shards=1)
            first = await book.claim(run)
            await book.hand_back(first)
            second = await book.claim(run)
            assert list(second.epochs.values()) == [2]
            with pytest.raises(LedgerError) as caught:
                await step(first, BatchState.ACCEPTED)
            assert caught.value.code == "run_lost"
            await step(second, BatchState.ACCEPTED)
            await book.hand_back(second)
            record = await book.get("offer")
            assert (record.state, record.counts.accepted) == (RunState.FINISHED, PEOPLE)

    asyncio.run(run())


def test_counts_of_several_workers_add_up(postgres_url):
    """Each writes its own part."""

    async def run():
        async with opened(postgres_url) as mine, opened(postgres_url) as theirs:
            run = await launched(mine, shards=2)
            claims = [(book, await book.claim(run)) for book in (mine, theirs)]
            await asyncio.gather(*(step(claim, BatchState.ACCEPTED) for _, claim in claims))
            for book, claim in claims:
                await book.hand_back(claim)
            record = await mine.get("offer")
            assert (record.counts.accepted, record.counts.pending, record.counts.balance) == (2 * PEOPLE, 0, 0)
            assert record.state is RunState.FINISHED

    asyncio.run(run())


def test_who_goes_first_is_claimed_first_and_alone(postgres_url):
    """The others are to be had once none of the first is open."""

    async def run():
        async with opened(postgres_url) as book:
            run = await launched(book, shards=3, canaries=1)
            first = await book.claim(run)
            assert first.canary
            assert await book.claim(run) is None
            await step(first, BatchState.ACCEPTED)
            await book.hand_back(first)
            assert execute(postgres_url, "SELECT count(*) FROM procrastinate_jobs") == [(2,)]
            second = await book.claim(run)
            assert not second.canary

    asyncio.run(run())


@pytest.mark.parametrize(
    ("control", "state"), [(ControlRequest.PAUSE, RunState.PAUSED), (ControlRequest.CANCEL, RunState.CANCELLED)]
)
def test_a_control_request_is_met_when_the_last_claim_is_handed_back(control, state, postgres_url):
    """Until then nothing more can be claimed."""

    async def run():
        async with opened(postgres_url) as book:
            run = await launched(book, shards=2)
            claim = await book.claim(run)
            await book.rest("offer", control)
            assert (await book.get("offer")).state is RunState.RUNNING
            assert await book.claim(run) is None
            assert await claim.requested_control() is control
            await book.hand_back(claim)
            record = await book.get("offer")
            assert (record.state, record.counts.balance) == (state, 0)

    asyncio.run(run())


@pytest.mark.parametrize("control", ControlRequest)
def test_a_control_request_during_the_plan_is_met_when_workers_get_the_run(control, postgres_url):
    """Somebody else asks while the plan waits to be confirmed: nothing is sent."""

    async def run():
        async with opened(postgres_url) as book:
            record = await book.draft("offer", "offer.yaml", {})
            counts = Counts(rows=1, pending=1, batches=1)
            await book.add(record.id, [Draft('[[{}, ["u1"]]]', 1)], [], counts)
            await book.complete(record.id, {}, {"canary": 0}, counts)
            await book.rest("offer", control)
            launched = await book.launch(record.id, json.dumps({"on_ambiguous": "retry"}), None)
            assert launched.state is control.leads_to
            assert await book.claim(record.id) is None

    asyncio.run(run())


def test_a_request_to_cancel_outlives_a_halt(postgres_url):
    """A worker's problem comes after the request: the run is cancelled, and resuming it is refused as for any other."""

    async def run():
        async with opened(postgres_url) as book:
            run = await launched(book, shards=3)
            first, second = await book.claim(run), await book.claim(run)
            await book.rest("offer", ControlRequest.CANCEL)
            await book.hand_back(first, problem("outage", "Nothing answers."))
            assert await book.claim(run) is None
            await book.hand_back(second)
            record = await book.get("offer")
            assert (record.state, record.counts.cancelled) == (RunState.CANCELLED, 3 * PEOPLE)

    asyncio.run(run())


@pytest.mark.parametrize("excluded", [PEOPLE // 2, PEOPLE])
def test_who_is_excluded_after_an_attempt_in_doubt_is_unknown(excluded, postgres_url):
    """Whoever reopens the run excludes them, since workers have no lists; the others are attempted again."""
    named = {f"u0-{person}": SkipReason.SUPPRESSED for person in range(excluded)}

    def exclude(recipients):
        return {each: named[each] for each in recipients if each in named}

    async def run():
        async with opened(postgres_url) as book, opened(postgres_url) as theirs:
            run = await launched(book, shards=2)
            claim = await book.claim(run)
            await step(claim, BatchState.SENDING)
            expire(postgres_url)
            await theirs.sweep()  # the batch is pending again, in doubt
            await theirs.rest("offer", ControlRequest.PAUSE)
            record = await theirs.reopen("offer", json.dumps({"on_ambiguous": "retry"}), None, exclude)
            counts = record.counts
            assert (counts.unknown, counts.skipped) == (excluded, {})
            assert (counts.pending, counts.balance) == (2 * PEOPLE - excluded, 0)
            assert (await check_ledger(theirs._database)).is_ok
            await theirs.rest("offer", ControlRequest.CANCEL)
            counts = (await theirs.get("offer")).counts
            assert (counts.unknown, counts.cancelled) == (PEOPLE, PEOPLE)

    asyncio.run(run())


def test_lost_jobs_are_deferred_again(postgres_url):
    """A run never waits for a job that nobody has."""

    async def run():
        async with opened(postgres_url) as book:
            await launched(book, shards=3)
            execute(postgres_url, "DELETE FROM procrastinate_jobs")
            await book.sweep()
            await book.sweep()
            assert execute(postgres_url, "SELECT count(*) FROM procrastinate_jobs") == [(3,)]

    asyncio.run(run())


def test_jobs_of_dead_workers_are_failed_and_never_tried_again(postgres_url):
    """As they are: what is left of their work gets jobs of its own."""

    async def run():
        async with opened(postgres_url) as book:
            await launched(book, shards=1)
            execute(postgres_url, "UPDATE procrastinate_jobs SET status = 'doing'")
            await book.sweep()
            found = execute(postgres_url, "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1 ORDER BY 1")
            assert found == [("failed", 1), ("todo", 1)]

    asyncio.run(run())


async def plan_again(book, run):
    await book.add(run, [], [], Counts())


async def complete_again(book, run):
    await book.complete(run, {}, {}, Counts(rows=2 * PEOPLE, pending=2 * PEOPLE, batches=2))


@pytest.mark.parametrize("write", [plan_again, complete_again])
def test_a_plan_that_workers_have_is_written_to_no_more(write, postgres_url):
    """It has no owner; whoever planned it, and was taken for dead meanwhile, may be the last to know."""

    async def run():
        async with opened(postgres_url) as book:
            run = await launched(book)
            with pytest.raises(LedgerError) as caught:
                await write(book, run)
            assert caught.value.code == "run_lost"
            await book.discard(run)
            record = await book.get("offer")
            assert (record.state, record.counts.pending) == (RunState.RUNNING, 2 * PEOPLE)

    asyncio.run(run())


def test_a_run_whose_counts_are_wrong_halts_instead_of_finishing(postgres_url):
    """Whoever goes on with it is told again; no worker fails of it, and none turns in a circle."""

    async def run():
        async with opened(postgres_url) as book:
            run = await launched(book, shards=1)
            earlier = Counts(rows=PEOPLE, pending=PEOPLE + 20, batches=1).dump()
            seal = checksum((run, earlier))
            execute(postgres_url, f"UPDATE run_counts SET counts = '{earlier}', checksum = {seal}")
            claim = await book.claim(run)
            await step(claim, BatchState.ACCEPTED)
            await book.hand_back(claim)
            record = await book.get("offer")
            assert (record.state, record.halted_by.code) == (RunState.HALTED, "counts_wrong")
            await book.sweep()
            assert (await book.get("offer")).state is RunState.HALTED

    asyncio.run(run())
