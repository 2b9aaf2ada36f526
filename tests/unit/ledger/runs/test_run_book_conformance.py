"""What every `RunBook` must do, whatever database holds it. A new one passes all of it, and that of `RunClaim`.

The fixture `ledger` gives each backend in turn, `process` the run book that belongs to it: see `BACKENDS` in
`helpers/ledgers.py` and `DISPATCHES` in `helpers/run_books.py`.
"""

import asyncio
import json
from collections import Counter

import pytest

from helpers.run_books import NOW, PEOPLE, SHARD, finish, first_shard, process, refused, sending
from metrix_channels.errors import CampaignError, LedgerError, problem
from metrix_channels.ledger import (
    OVER,
    BatchState,
    Changes,
    ControlRequest,
    Counts,
    Draft,
    FailedAttempt,
    FailureCount,
    RunState,
    Skip,
    SkipReason,
    check_ledger,
)

ONE, ONE_COUNTED = Draft('[[{}, ["u1"]]]', 1), Counts(rows=1, pending=1, batches=1)


# -- planning


def test_a_plan_that_could_not_be_removed_is_removed_with_the_next_transaction(ledger):
    """Its name is free again, though its process goes on."""
    schema = "metrix_channels." if "://" in ledger.place else ""

    async def run():
        async with process(ledger) as mine:
            record = await mine.book.draft("offer", "offer.yaml", {})
            ledger.execute(f"ALTER TABLE {schema}skips RENAME TO away")
            with pytest.raises(LedgerError):
                await mine.book.discard(record.id)
            ledger.execute(f"ALTER TABLE {schema}away RENAME TO skips")
            assert (await mine.plan([SHARD])).counts.pending == 3 * PEOPLE

    asyncio.run(run())


def test_a_plan_is_written_part_by_part_and_then_a_run(ledger):
    """Its pins and facts are those that it was completed with; what was planned is read back."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            draft = await mine.book.draft("offer", "offer.yaml", {"app": "a"})
            assert (draft.state, draft.live) == (RunState.PLANNING, True)
            assert (draft.file, draft.pins) == ("offer.yaml", {"app": "a"})
            assert (draft.counts, draft.finished_at, draft.halted_by) == (Counts(), None, None)
            for at in range(2):
                counts = Counts(rows=at + 1, pending=at + 1, batches=at + 1)
                await mine.book.add(draft.id, [Draft(json.dumps([[{"n": at}, [f"u{at}"]]]), 1)], [], counts)
            record = await mine.book.complete(draft.id, {"app": "b"}, {"متن": "سلام"}, counts)
            assert (record.id, record.run, record.started_at) == (draft.id, draft.run, draft.started_at)
            assert (record.pins, record.facts, record.counts) == ({"app": "b"}, {"متن": "سلام"}, counts)
            assert (record.state, record.live) == (mine.book.planned, True)
            assert await theirs.book.get("offer") == record
            assert [what for _, what, _ in await theirs.book.events(record.id)] == ["planned"]
            batches = [batch for shard in await theirs.book.shards(record.id) for batch in shard.batches]
            assert [(batch.values, batch.recipients) for batch in batches] == [({"n": 0}, ["u0"]), ({"n": 1}, ["u1"])]

    asyncio.run(run())


def test_a_plan_of_a_living_process_is_left_alone(ledger):
    """Whoever begins another one tidies up after the dead, and after nobody else."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            record = await mine.book.draft("mine", "offer.yaml", {})
            await theirs.book.draft("theirs", "offer.yaml", {})
            await mine.book.add(record.id, [ONE], [], ONE_COUNTED)
            found = await theirs.book.get("mine")
            assert (found.state, found.live) == (RunState.PLANNING, True)

    asyncio.run(run())


def test_a_plan_whose_process_died_is_no_run(ledger):
    """Nothing of it was sent: its name is free."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            await mine.book.draft("offer", "offer.yaml", {})
            ledger.take_everybody_for_dead()
            assert await theirs.book.find("offer") is None
            assert await theirs.book.all() == []
            assert (await theirs.book.draft("offer", "offer.yaml", {})).state is RunState.PLANNING

    asyncio.run(run())


@pytest.mark.parametrize("step", ["add", "complete"])
def test_who_was_taken_for_dead_adds_nothing_to_a_plan(step, ledger):
    """Another process may plan it by now, and would send what this one adds, too."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            record = await mine.book.draft("offer", "offer.yaml", {})
            ledger.take_everybody_for_dead()
            await theirs.book.draft("other", "other.yaml", {})
            with refused(LedgerError, "run_lost"):
                if step == "add":
                    await mine.book.add(record.id, [ONE], [], ONE_COUNTED)
                else:
                    await mine.book.complete(record.id, {}, {}, ONE_COUNTED)

    asyncio.run(run())
    assert ledger.execute("SELECT 1 FROM shards") == []


def test_a_name_is_planned_by_one_process(ledger):
    """However many ask at once."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            await asyncio.gather(mine.book.all(), theirs.book.all())
            asked = [each.book.draft("offer", "offer.yaml", {}) for each in (mine, theirs) * 4]
            found = await asyncio.gather(*asked, return_exceptions=True)
            busy = [each for each in found if isinstance(each, CampaignError)]
            assert [each.code for each in busy] == ["run_busy"] * 7
            [record] = [each for each in found if not isinstance(each, CampaignError)]
            assert (await theirs.book.get("offer")).run == record.run

    asyncio.run(run())


def test_a_plan_that_is_discarded_is_gone(ledger):
    """Its name is free, and nothing of it is left; but only the process that makes it can discard it."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            record = await mine.book.draft("offer", "offer.yaml", {})
            skips = [Skip(SkipReason.INVALID, [(2, "")])]
            await mine.book.add(record.id, [ONE], skips, Counts(rows=2, pending=1, batches=1, skipped={"invalid": 1}))
            await theirs.book.discard(record.id)
            assert (await mine.book.get("offer")).counts.rows == 2
            await mine.book.discard(record.id)
            assert await theirs.book.find("offer") is None
            with refused(CampaignError, "run_missing"):
                await theirs.book.get("offer")
            for table in ("shards", "shard_statuses", "skips", "run_counts", "run_journal"):
                assert ledger.execute(f"SELECT count(*) FROM {table}") == [(0,)]
            assert (await theirs.book.draft("offer", "offer.yaml", {})).live

    asyncio.run(run())


@pytest.mark.parametrize(
    "counts",
    [
        Counts(rows=4, pending=4, batches=1),
        Counts(rows=1, pending=1, batches=2),
        Counts(rows=2, pending=1, batches=1),
        Counts(rows=1, pending=2, accepted=-1, batches=1),
    ],
)
def test_the_counts_of_a_plan_are_those_of_its_batches(counts, ledger):
    """A plan of which a part was not written down is no run, nor one that does not add up."""

    async def run():
        async with process(ledger) as mine:
            record = await mine.book.draft("offer", "offer.yaml", {})
            if counts != Counts(rows=4, pending=4, batches=1):
                await mine.book.add(record.id, [ONE], [], ONE_COUNTED)
            with refused(LedgerError, "counts_wrong"):
                await mine.book.complete(record.id, {}, {}, counts)
            assert (await mine.book.get("offer")).state is RunState.PLANNING

    asyncio.run(run())


# -- looking


def test_runs_are_listed_the_newest_first(ledger):
    """Each as `get` gives it, whoever looks."""

    async def run():
        async with process(ledger) as mine, process(ledger) as theirs:
            records = [await mine.plan([SHARD], name=name) for name in ("one", "two", "three")]
            assert await theirs.book.all() == list(reversed(records))
            assert await theirs.book.get("two") == records[1]
            assert await theirs.book.find("four") is None

    asyncio.run(run())


def test_shards_are_read_page_by_page(ledger):
    """Each once and in order, with its recipients; those of another run are not among them."""
    contents = [[[f"u{at}"], [f"v{at}", f"w{at}"]] for at in range(5)]

    async def run():
        async with process(ledger) as mine:
            await mine.plan([SHARD], name="other")
            record = await mine.plan(contents)
            found, after = [], 0
            while page := await mine.book.shards(record.id, after, limit=2):
                assert len(page) <= 2
                found += page
                after = page[-1].id
            assert [[batch.recipients for batch in shard.batches] for shard in found] == contents
            later = int(await mine.book.now()) + 1000
            assert await mine.book.shards(record.id, since=later) == []

    asyncio.run(run())


def test_skipped_rows_are_read_page_by_page(ledger):
    """With their reasons, row numbers and recipients, in the order in which they were written."""
    skips = [Skip(reason, [(at * 10, f"کاربر-{at}"), (at * 10 + 1, "")]) for at, reason in enumerate([*SkipReason] * 8)]

    async def run():
        async with process(ledger) as mine:
            record = await mine.plan([SHARD], skips)
            found, after = [], 0
            while page := await mine.book.skips(record.id, after):
                found += [skip for _, skip in page]
                after = page[-1][0]
            assert found == skips
            assert record.counts.skipped == {reason.value: 16 for reason in SkipReason}

    asyncio.run(run())


def test_failed_attempts_are_read_by_what_they_came_to(ledger):
    """The most frequent first; none of another run."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard):
            again = {"disposition": "retry", "status": 503, "explanation": "busy", "answer": None}
            lost = {"disposition": "ambiguous", "status": None, "explanation": "connection lost", "answer": "…"}
            attempts = [
                FailedAttempt(shard=shard.id, slot=at, at="2026-03-20T00:00:00Z", **what)
                for at, what in enumerate((again, lost, again))
            ]
            await claim.commit(Changes([shard], failed_attempts=attempts), record.counts)
            found = await mine.book.failed_attempts(record.id)
            assert found == [
                FailureCount("retry", 503, "busy", 2),
                FailureCount("ambiguous", None, "connection lost", 1),
            ]
            assert await mine.book.failed_attempts(record.id + 1) == []

    asyncio.run(run())


def test_settlements_tell_when_which_outcome_came(ledger):
    """Of the batches that have one."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard):
            finish(shard.batches[0], record.counts, BatchState.ACCEPTED)
            finish(shard.batches[1], record.counts, BatchState.REJECTED)
            await claim.commit(Changes([shard]), record.counts)
            found = await mine.book.settlements(record.id)
            assert found == Counter({(BatchState.ACCEPTED, NOW): 1, (BatchState.REJECTED, NOW): 1})

    asyncio.run(run())


def test_counts_that_are_missing_are_damage(ledger):
    """They are not taken for nought."""

    async def run():
        async with process(ledger) as mine:
            await mine.book.draft("offer", "offer.yaml", {})
            ledger.execute("DELETE FROM run_counts")
            with refused(LedgerError, "ledger_corrupt"):
                await mine.book.find("offer")

    asyncio.run(run())


# -- states


OUTCOME_OF_ALL = {RunState.FINISHED: BatchState.ACCEPTED, RunState.FINISHED_WITH_ERRORS: BatchState.REJECTED}


@pytest.mark.parametrize(
    "state",
    [RunState.PAUSED, RunState.HALTED, RunState.CANCELLED, RunState.FINISHED, RunState.FINISHED_WITH_ERRORS],
)
def test_a_run_is_left_in_a_state_and_keeps_its_name(state, ledger):
    """Nobody works on it; it has an end when it is over, a reason when it was halted, and its name is used."""
    why = problem("outage", "Metrix does not answer.") if state is RunState.HALTED else None

    async def run():
        async with sending(ledger) as (mine, record, claim, shard), process(ledger) as theirs:
            finish(shard.batches[0], record.counts, BatchState.ACCEPTED)
            if state in OUTCOME_OF_ALL:
                for batch in shard.batches[1:]:
                    finish(batch, record.counts, OUTCOME_OF_ALL[state])
            await claim.commit(Changes([shard]), record.counts)
            assert (await theirs.book.get("offer")).live
            await mine.end(record, claim, state, why)
            found = await theirs.book.get("offer")
            assert (found.state, found.live, found.halted_by) == (state, False, why)
            assert (found.finished_at is not None) == (state in OVER)
            rest = 2 * PEOPLE
            assert found.counts.accepted == (3 * PEOPLE if state is RunState.FINISHED else PEOPLE)
            assert found.counts.cancelled == (rest if state is RunState.CANCELLED else 0)
            assert (await theirs.book.events(record.id))[-1][1] == state.value
            assert (await check_ledger(theirs.database)).is_ok
            with refused(CampaignError, "run_exists"):
                await theirs.book.draft("offer", "offer.yaml", {})

    asyncio.run(run())


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.HALTED])
def test_another_process_goes_on_with_a_run_that_rests(state, ledger):
    """Where the last one stopped; the reason why it rested is gone, and the journal says so."""
    why = problem("outage", "Metrix does not answer.") if state is RunState.HALTED else None

    async def run():
        async with sending(ledger) as (mine, record, claim, shard), process(ledger) as theirs:
            finish(shard.batches[0], record.counts, BatchState.ACCEPTED)
            await claim.commit(Changes([shard]), record.counts)
            await mine.end(record, claim, state, why)
            again = await theirs.go_on("offer")
            found = await mine.book.get("offer")
            assert (found.state, found.live, found.halted_by) == (RunState.RUNNING, True, None)
            assert ("continued", f"was {state.value}") in [each[1:] for each in await mine.book.events(record.id)]
            rest = await first_shard(again)
            assert [each.state for each in rest.batches] == [
                BatchState.ACCEPTED,
                BatchState.PENDING,
                BatchState.PENDING,
            ]
            counts = found.counts
            for batch in rest.batches[1:]:
                finish(batch, counts, BatchState.ACCEPTED)
            await again.commit(Changes([rest]), counts)
            await theirs.end(found, again, RunState.FINISHED)
            assert (await mine.book.get("offer")).counts.accepted == 3 * PEOPLE

    asyncio.run(run())


def test_a_run_that_waits_is_live(ledger):
    """It goes on by itself: nobody takes it, and its name is used."""

    async def run():
        async with sending(ledger) as (mine, record, claim, _), process(ledger) as theirs:
            await mine.wait(record, claim)
            found = await theirs.book.get("offer")
            assert (found.state, found.live) == (RunState.WAITING, True)
            with refused(CampaignError, "run_busy"):
                await theirs.go_on("offer")

    asyncio.run(run())


def test_a_live_run_is_not_taken(ledger):
    """Neither by another process nor by the one that sends it; and its name is not planned again."""

    async def run():
        async with sending(ledger) as (mine, *_), process(ledger) as theirs:
            for each in (mine, theirs):
                with refused(CampaignError, "run_busy"):
                    await each.go_on("offer")
                with refused(CampaignError, "run_busy"):
                    await each.book.draft("offer", "offer.yaml", {})

    asyncio.run(run())


@pytest.mark.parametrize("control", ControlRequest)
def test_a_control_request_for_no_run_is_refused(control, ledger):
    """There is nobody to ask."""

    async def run():
        async with process(ledger) as mine:
            with refused(CampaignError, "run_missing"):
                await mine.ask("offer", control)

    asyncio.run(run())
