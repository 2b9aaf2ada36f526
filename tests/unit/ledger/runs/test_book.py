"""The book of campaigns: a plan belongs to the process that makes it, for as long as that lives."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from metrix_channels.errors import CampaignError, LedgerError
from metrix_channels.ledger import Counts, Draft, LocalRunBook, RunState
from metrix_channels.ledger.runs.distributed import DistributedRunBook

DRAFT, TALLY = Draft('[[{}, ["u1"]]]', 1), Counts(rows=1, pending=1, batches=1)


@asynccontextmanager
async def opened(ledger):
    """A book as a process of its own would hold it."""
    database = ledger.open()
    try:
        yield LocalRunBook(database) if ledger.is_file else DistributedRunBook(database)
    finally:
        await database.close()


def test_a_plan_of_a_living_process_is_left_alone(ledger):
    """Whoever begins another one tidies up after the dead, and after nobody else."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            record = await mine.draft("mine", "offer.yaml", {})
            await theirs.draft("theirs", "offer.yaml", {})
            await mine.add(record.id, [DRAFT], [], TALLY)
            found = await theirs.get("mine")
            assert (found.state, found.live) == (RunState.PLANNING, True)

    asyncio.run(run())


def test_a_plan_whose_process_died_is_no_run(ledger):
    """Nothing of it was sent: its name is free."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await mine.draft("offer", "offer.yaml", {})
            ledger.take_everybody_for_dead()
            assert await theirs.find("offer") is None
            assert await theirs.all() == []
            assert (await theirs.draft("offer", "offer.yaml", {})).state is RunState.PLANNING

    asyncio.run(run())


@pytest.mark.parametrize("step", ["add", "complete"])
def test_who_was_taken_for_dead_adds_nothing_to_a_plan(step, ledger):
    """Another process may plan it by now, and would send what this one adds, too."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            record = await mine.draft("offer", "offer.yaml", {})
            ledger.take_everybody_for_dead()
            await theirs.draft("other", "other.yaml", {})
            late = mine.add(record.id, [DRAFT], [], TALLY) if step == "add" else mine.complete(record.id, {}, {}, TALLY)
            with pytest.raises(LedgerError) as caught:
                await late
            assert caught.value.code == "run_lost"

    asyncio.run(run())
    assert ledger.execute("SELECT 1 FROM shards") == []


def test_a_name_is_planned_by_one_process(ledger):
    """However many ask at once."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await asyncio.gather(mine.all(), theirs.all())
            asked = [book.draft("offer", "offer.yaml", {}) for book in (mine, theirs) * 4]
            found = await asyncio.gather(*asked, return_exceptions=True)
            refused = [each for each in found if isinstance(each, CampaignError)]
            assert [each.code for each in refused] == ["run_busy"] * 7
            [record] = [each for each in found if not isinstance(each, CampaignError)]
            assert (await theirs.get("offer")).run == record.run

    asyncio.run(run())


@pytest.mark.parametrize("where", ["in another process", "in this one"])
def test_a_run_is_taken_by_one_at_a_time(where, file_ledger):
    """Looked at where it is written, too: whoever looked before may have been overtaken."""

    async def run():
        async with opened(file_ledger) as mine, opened(file_ledger) as theirs:
            record = await mine.draft("offer", "offer.yaml", {})
            await mine.complete(record.id, {}, {}, Counts())
            with pytest.raises(CampaignError) as caught:
                await (theirs if where == "in another process" else mine).take("offer")
            assert caught.value.code == "run_busy"

    asyncio.run(run())


def test_counts_that_are_missing_are_damage(ledger):
    """They are not taken for nought."""

    async def run():
        async with opened(ledger) as book:
            await book.draft("offer", "offer.yaml", {})
            ledger.execute("DELETE FROM run_counts")
            with pytest.raises(LedgerError) as caught:
                await book.find("offer")
            assert caught.value.code == "ledger_corrupt"

    asyncio.run(run())
