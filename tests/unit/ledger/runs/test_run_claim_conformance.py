"""What every `RunClaim` must do, whatever database holds its run. A new one passes all of it.

The fixture `ledger` gives each backend in turn, `process` the run book that belongs to it: see `BACKENDS` in
`helpers/ledgers.py` and `DISPATCHES` in `helpers/run_books.py`.
"""

import asyncio

import pytest

from helpers.run_books import NOW, PEOPLE, SHARD, finish, process, refused, sending
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import (
    DOUBT,
    REPEATED,
    BatchState,
    Changes,
    ControlRequest,
    Counts,
    RunState,
    SkipReason,
    begin,
    check_ledger,
    count_request,
    exclude,
    settle,
    split,
    withdraw,
)
from metrix_channels.models import OnAmbiguous

BATCHES = len(SHARD)
PLANNED = Counts(rows=BATCHES * PEOPLE, pending=BATCHES * PEOPLE, batches=BATCHES)


def test_the_counts_add_up_at_every_step(ledger):
    """Each transition of a batch and its counts are one commit; counted anew, the ledger says the same."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard), process(ledger) as theirs:
            counts = record.counts

            async def commit(drafts=(), skips=()):
                committed = await claim.commit(Changes([shard], list(drafts), list(skips)), counts)
                found = (await theirs.book.get("offer")).counts
                assert (found, found.balance) == (counts, 0)
                checked = await check_ledger(theirs.database)
                assert checked.is_ok, checked
                return committed

            first, second, third = shard.batches
            begin(first, counts, NOW)
            begin(second, counts, NOW)
            await commit()
            assert (counts.sending, counts.requests, counts.pending) == (2, 0, 3 * PEOPLE)
            count_request(first, counts)
            count_request(second, counts)
            settle(first, counts, BatchState.ACCEPTED, NOW)
            settle(second, counts, BatchState.PENDING, NOW)
            await commit()
            begin(second, counts, NOW)
            await commit()
            withdraw(second, counts, second.flags, NOW)
            await commit()
            begin(second, counts, NOW)
            halves = split(second, counts, [second.recipients[:1], second.recipients[1:]], NOW)
            [shard_of_halves] = (await commit([halves])).drafted
            rest, skips = exclude(third, counts, {third.recipients[0]: SkipReason.SUPPRESSED}, NOW)
            await commit([rest], skips)
            shard = shard_of_halves
            finish(shard.batches[0], counts, BatchState.REJECTED)
            finish(shard.batches[1], counts, BatchState.UNKNOWN)
            await commit()
            assert (counts.accepted, counts.rejected, counts.unknown, counts.pending) == (
                PEOPLE,
                1,
                PEOPLE - 1,
                PEOPLE - 1,
            )
            assert (counts.skipped, counts.batches) == ({"suppressed": 1}, 4)
            assert [skip for _, skip in await mine.book.skips(record.id)] == skips

    asyncio.run(run())


def test_the_parts_of_a_batch_inherit_its_attempts_and_its_doubt(ledger):
    """As the commit returns them, and as the ledger has them."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard):
            batch, counts = shard.batches[0], record.counts
            batch.flags, batch.attempts = DOUBT | REPEATED, 2
            draft = split(batch, counts, [batch.recipients[1:], batch.recipients[:1]], NOW)
            [child] = (await claim.commit(Changes([shard], [draft]), counts)).drafted
            [written] = await mine.book.shards(record.id, shard.id)
            assert child.id == written.id
            for each in (child, written):
                assert [part.recipients for part in each.batches] == [batch.recipients[1:], batch.recipients[:1]]
                for part in each.batches:
                    assert (part.state, part.flags, part.attempts) == (BatchState.PENDING, DOUBT | REPEATED, 2)

    asyncio.run(run())


def wrong(**changes):
    """Return what changes counts without a batch that changes."""

    async def write(claim, shard, counts):
        change_counts(counts, changes)
        await claim.commit(Changes(), counts)

    return write


def wrong_beside_an_intent(**changes):
    """Return what changes counts otherwise than the batch that changes with them."""

    async def write(claim, shard, counts):
        begin(shard.batches[0], counts, NOW)
        change_counts(counts, changes)
        await claim.commit(Changes([shard]), counts)

    return write


def change_counts(counts, changes):
    for name, count in changes.items():
        setattr(counts, name, getattr(counts, name) + count)


async def forget_the_count(claim, shard, counts):
    """Write a batch without its count."""
    finish(shard.batches[0], counts.copy(), BatchState.ACCEPTED)
    await claim.commit(Changes([shard]), counts)


async def forget_the_new_batches(claim, shard, counts):
    """Replace a batch, and write nothing that replaces it."""
    batch = shard.batches[0]
    split(batch, counts, [batch.recipients[:1], batch.recipients[1:]], NOW)
    await claim.commit(Changes([shard]), counts)


async def forget_the_skips(claim, shard, counts):
    """Leave recipients out, and do not write down whom."""
    batch = shard.batches[0]
    exclude(batch, counts, dict.fromkeys(batch.recipients, SkipReason.CAPPED), NOW)
    await claim.commit(Changes([shard]), counts)


WRONG = {
    "negative": wrong(pending=-BATCHES * PEOPLE - 1, accepted=BATCHES * PEOPLE + 1),
    "recipients from nowhere": wrong(accepted=1),
    "recipients who vanish": wrong(pending=-1),
    "an outcome without a batch": wrong(pending=-PEOPLE, accepted=PEOPLE),
    "an intent without a batch": wrong(sending=1),
    "a batch without a shard": wrong(batches=1),
    "more rows": wrong(rows=1, pending=1),
    "recipients from nowhere, beside an intent": wrong_beside_an_intent(accepted=1),
    "an outcome, beside an intent": wrong_beside_an_intent(accepted=PEOPLE, pending=-PEOPLE),
    "another intent, beside an intent": wrong_beside_an_intent(sending=1),
    "a batch, beside an intent": wrong_beside_an_intent(batches=1),
    "more rows, beside an intent": wrong_beside_an_intent(rows=1, pending=1),
    "a batch without its count": forget_the_count,
    "batches that replace none": forget_the_new_batches,
    "skipped rows that are not named": forget_the_skips,
}


@pytest.mark.parametrize("write", WRONG.values(), ids=WRONG)
def test_counts_that_do_not_match_the_batches_are_never_written(write, ledger):
    """The whole commit is undone."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard):
            before = await mine.book.shards(record.id)
            with refused(LedgerError, "counts_wrong"):
                await write(claim, shard, record.counts)
            assert (await mine.book.get("offer")).counts == PLANNED
            after = await mine.book.shards(record.id)
            assert [shard.statuses for shard in after] == [shard.statuses for shard in before]
            assert (await check_ledger(mine.database)).is_ok

    asyncio.run(run())


def test_an_outcome_is_not_counted_twice(ledger):
    """A batch that is accepted already changes no count by being accepted."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard):
            counts = record.counts
            finish(shard.batches[0], counts, BatchState.ACCEPTED)
            await claim.commit(Changes([shard]), counts)
            counts.move(PEOPLE, BatchState.PENDING, BatchState.ACCEPTED)
            with refused(LedgerError, "counts_wrong"):
                await claim.commit(Changes([shard]), counts)
            assert (await mine.book.get("offer")).counts.accepted == PEOPLE

    asyncio.run(run())


@pytest.mark.parametrize("on_ambiguous", OnAmbiguous)
def test_who_was_taken_for_dead_commits_nothing(on_ambiguous, ledger):
    """What it had under way is in doubt, as on_ambiguous says; its late result changes no count and no batch."""

    async def run():
        async with sending(ledger, on_ambiguous) as (_, record, claim, shard):
            begin(shard.batches[0], record.counts, NOW)
            await claim.commit(Changes([shard]), record.counts)
            ledger.take_everybody_for_dead()
            async with process(ledger, on_ambiguous) as theirs:
                await theirs.take_over("offer")
                before = await theirs.book.get("offer")
                settle(shard.batches[0], record.counts, BatchState.ACCEPTED, NOW)
                with refused(LedgerError, "run_lost"):
                    await claim.commit(Changes([shard]), record.counts)
                after = await theirs.book.get("offer")
                unknown = PEOPLE if on_ambiguous is OnAmbiguous.HOLD else 0
                assert before == after
                assert (after.counts.unknown, after.counts.accepted, after.counts.sending) == (unknown, 0, 0)
                [written] = await theirs.book.shards(record.id)
                assert written.batches[0].flags & DOUBT
                assert (await check_ledger(theirs.database)).is_ok

    asyncio.run(run())


@pytest.mark.parametrize(
    ("control", "state"), [(ControlRequest.PAUSE, RunState.PAUSED), (ControlRequest.CANCEL, RunState.CANCELLED)]
)
def test_a_control_request_reaches_who_sends(control, state, ledger):
    """With its next commit, or when it asks; answered once, it does not meet who goes on."""

    async def run():
        async with sending(ledger) as (mine, record, claim, shard), process(ledger) as theirs:
            assert await claim.requested_control() is None
            await theirs.ask("offer", control)
            assert await claim.requested_control() is control
            finish(shard.batches[0], record.counts, BatchState.ACCEPTED)
            assert (await claim.commit(Changes([shard]), record.counts)).control is control
            await mine.end(record, claim, state)
            found = await theirs.book.get("offer")
            assert (found.state, found.live, found.counts.balance) == (state, False, 0)
            journal = [what for _, what, _ in await theirs.book.events(record.id)]
            assert journal[0] == "planned"
            assert f"{control.value} requested" in journal
            assert journal[-1] == state.value
            if state is RunState.PAUSED:
                again = await theirs.go_on("offer")
                assert await again.requested_control() is None

    asyncio.run(run())


def test_a_claim_is_held_while_its_process_lives(ledger):
    """As far as that can be told without asking."""

    async def run():
        async with sending(ledger) as (_, _, claim, _):
            assert claim.is_held

    asyncio.run(run())
