"""What was sent to whom: over sends and campaigns, newest first, on every backend."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from helpers.run_books import process
from metrix_channels.errors import CampaignError, LedgerError
from metrix_channels.ledger import BatchState, Counts, Draft, Entry, RunState, SendBook, open_shards
from metrix_channels.ledger.messages import search as search_module
from metrix_channels.ledger.messages.search import search
from metrix_channels.ledger.messages.wanted import Wanted
from metrix_channels.ledger.purge import purge
from metrix_channels.ledger.runs.batches import ShardStatus
from metrix_channels.ledger.runs.book import seal_run
from metrix_channels.ledger.runs.shards import write_statuses
from metrix_channels.outcomes import Outcome, Receipt

NOW = datetime.now(UTC).replace(microsecond=0)
PINS = {"app_id": "a", "channel": {"name": "sms"}, "template": {"name": "offer"}, "context": {}}


def ago(minutes):
    return NOW - timedelta(minutes=minutes)


class Ledger:
    """Puts messages into a ledger and looks for them."""

    def __init__(self, process):
        self.database, self.book = process.database, process.book
        self.sends = SendBook(self.database)

    async def sent(self, send, *receipts, key=None, template="otp", asked=0):
        """Put a send of some minutes ago with its receipts into it: of each the recipients, the outcome, and when."""
        recipients = tuple(each for people, *_ in receipts for each in people)
        entry = Entry(send, "a", key, b"x", "push", template, recipients, None, at=ago(asked))
        await self.sends.claim(entry)
        await self.sends.intend(send, recipients)
        made = [
            Receipt(send, "push", tuple(people), outcome, 1, 200, False, ago(minutes))
            for people, outcome, minutes in receipts
        ]
        await self.sends.finish(send, made)

    async def ran(self, name, *batches, over=True):
        """Put a campaign into it: of each batch the recipients, the state, and how many minutes ago."""
        record = await self.book.draft(name, f"{name}.yaml", PINS)
        people = sum(len(recipients) for recipients, *_ in batches)
        counts = Counts(rows=people, pending=people, batches=len(batches))
        contents = [[{"city": "u1"}, list(recipients)] for recipients, *_ in batches]
        text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"))
        await self.book.add(record.id, [Draft(text, len(batches))], [], counts)
        await self.book.complete(record.id, PINS, {"canary": 0}, counts)

        def work(connection):
            [shard] = open_shards(connection, record.id)
            for batch, (_, state, minutes) in zip(shard.batches, batches, strict=True):
                batch.state = state
                batch.attempts, batch.at = (0, 0) if minutes is None else (1, int(ago(minutes).timestamp()))
                batch.save()
            write_statuses(connection, [ShardStatus.of(shard)])
            if over:
                seal_run(connection, record.id, state=RunState.FINISHED.value, finished_at=ago(0).isoformat())

        await self.database.transact(work)

    async def found(self, watch=None, **wanted):
        """Return recipient and outcome of what is found."""
        pages = [page async for page in search(self.database, self.book, Wanted(**wanted), watch)]
        return [(each.recipient, each.outcome) for page in pages for each in page]

    async def messages(self, **wanted):
        return [each async for page in search(self.database, self.book, Wanted(**wanted)) for each in page]


@asynccontextmanager
async def opened(ledger):
    async with process(ledger) as mine:
        yield Ledger(mine)


def test_sends_and_campaigns_are_one_list_newest_first(ledger):
    """Whatever the order in which they were written down."""

    async def run():
        async with opened(ledger) as mine:
            await mine.sent("s1", (["u1"], Outcome.ACCEPTED, 30), key="k1")
            await mine.sent("s2", (["u2"], Outcome.REJECTED, 5), (["u1"], Outcome.UNKNOWN, 20))
            await mine.ran("eid", (["u1", "u3"], BatchState.ACCEPTED, 10), (["u4"], BatchState.UNKNOWN, 40))
            found = await mine.found()
            assert [found[0], *sorted(found[1:3]), *found[3:]] == [
                ("u2", "rejected"),
                ("u1", "accepted"),
                ("u3", "accepted"),
                ("u1", "unknown"),
                ("u1", "accepted"),
                ("u4", "unknown"),
            ]
            assert await mine.found(recipient="u1") == [("u1", "accepted"), ("u1", "unknown"), ("u1", "accepted")]
            assert await mine.found(key="k1") == [("u1", "accepted")]
            assert await mine.found(channel="push", outcome="rejected") == [("u2", "rejected")]
            assert await mine.found(campaign="eid", outcome="unknown") == [("u4", "unknown")]
            assert await mine.found(since=ago(15), recipient="u1") == [("u1", "accepted")]
            assert await mine.found(key="k1", campaign="eid") == []
            [send] = await mine.messages(key="k1")
            assert (send.at, send.channel, send.template, send.campaign, send.receipt) == (
                ago(30),
                "push",
                "otp",
                None,
                "s1",
            )
            [row] = await mine.messages(recipient="u4")
            assert (row.at, row.channel, row.template, row.campaign, row.key) == (ago(40), "sms", "offer", "eid", None)

    asyncio.run(run())


@pytest.mark.parametrize("days", [0, 1, 2, 3, 40])
def test_an_outcome_counts_however_long_ago_the_send_was_asked_for(days, ledger):
    """A reminder that was written down a month before its time; of several receipts, the later ones."""
    minutes = days * 24 * 60 + 2

    async def run():
        async with opened(ledger) as mine:
            await mine.sent("s1", (["u1"], Outcome.ACCEPTED, minutes + 1), asked=90_000)
            await mine.sent("s2", (["u2"], Outcome.ACCEPTED, minutes - 1), asked=90_000)
            await mine.sent("s3", (["u3"], Outcome.ACCEPTED, 0), (["u4"], Outcome.REJECTED, minutes + 1), asked=90_000)
            assert await mine.found(since=ago(minutes)) == [("u3", "accepted"), ("u2", "accepted")]
            assert await mine.found(since=ago(minutes), recipient="u2") == [("u2", "accepted")]
            assert await mine.found(since=ago(minutes), outcome="rejected") == []

    asyncio.run(run())


@pytest.mark.parametrize("recipient", ["سارا", "50%_off", 'a"b\\c', "U1", "é!", "{{ x }}", "x y"])
def test_a_recipient_is_found_by_exactly_its_letters(recipient, ledger):
    """Neither a wildcard, nor another case, nor a part of an id, nor a value that reads the same."""

    async def run():
        async with opened(ledger) as mine:
            await mine.sent("s1", ([recipient, "u1", f"{recipient}2", "50xxoff"], Outcome.ACCEPTED, 1), template=None)
            await mine.ran("eid", ([recipient, "u1"], BatchState.ACCEPTED, 2))
            assert await mine.found(recipient=recipient) == [(recipient, "accepted")] * 2
            assert [each.template for each in await mine.messages(recipient=recipient)] == [None, "offer"]
            for other in ("s", "%", "u", "city", "null"):
                assert await mine.found(recipient=other) == []

    asyncio.run(run())


def test_what_is_not_sent_yet_is_pending(ledger):
    """In a campaign since its plan, and a send that another process works on; replaced batches are none."""

    async def run():
        async with opened(ledger) as mine:
            await mine.ran("eid", (["u1"], BatchState.PENDING, None), (["u2"], BatchState.CANCELLED, 3), over=False)
            await mine.ran("old", (["u1"], BatchState.REPLACED, 3), (["u1"], BatchState.SENDING, 4), over=False)
            await mine.sends.claim(Entry("s1", "a", "k", b"x", "push", "otp", ("u1",), None))
            assert await mine.found(recipient="u1") == [("u1", "pending")] * 3
            assert await mine.found(outcome="cancelled") == [("u2", "cancelled")]
            assert await mine.found(outcome="pending", campaign="eid") == [("u1", "pending")]

    asyncio.run(run())


def test_what_a_dead_process_left_is_in_doubt_or_was_not_sent(ledger):
    """By its attempts: a request that began may have been taken."""

    async def run():
        async with opened(ledger) as mine:
            await mine.sends.claim(Entry("s1", "a", "k", b"x", "push", "otp", ("u1", "u2"), None))
            await mine.sends.intend("s1", ("u1",))
            await mine.sends.abandon("s1")
            assert sorted(await mine.found()) == [("u1", "unknown"), ("u2", "not_sent")]

    asyncio.run(run())


def test_what_was_forgotten_is_not_found(ledger):
    """A purge leaves no recipient behind; by the key it is still known that something was sent."""

    async def run():
        async with opened(ledger) as mine:
            await mine.sent("s1", (["u1"], Outcome.ACCEPTED, 30), key="k1")
            await mine.ran("eid", (["u1"], BatchState.ACCEPTED, 10))
            await purge(mine.database, datetime.now(UTC) + timedelta(days=1))
            assert await mine.found(recipient="u1") == []
            assert await mine.found(recipient="(forgotten)") == []
            assert await mine.found(key="k1") == [("(forgotten)", "accepted")]
            with pytest.raises(CampaignError) as refused:
                await mine.found(campaign="eid")
            assert refused.value.code == "run_purged"
            with pytest.raises(CampaignError, match="no campaign"):
                await mine.found(campaign="eit")

    asyncio.run(run())


def test_a_damaged_shard_hides_nobody(ledger):
    """It is an error, not a recipient who is not found."""

    async def run():
        async with opened(ledger) as mine:
            await mine.ran("eid", (["u1"], BatchState.ACCEPTED, 10))
            await mine.database.transact(lambda connection: connection.execute("UPDATE shards SET checksum = 7"))
            with pytest.raises(LedgerError) as refused:
                await mine.found(recipient="u2")
            assert refused.value.code == "ledger_corrupt"

    asyncio.run(run())


def test_no_transaction_looks_at_more_sends_than_it_may(ledger, monkeypatch):
    """Whatever their ids have in common: ids are in the order of time, so that those of a day begin alike."""
    looked_at, find = [], search_module.find_sends

    def counting(connection, wanted, span):
        every = find(connection, Wanted(), span)
        looked_at.append(len(every))
        return find(connection, wanted, span)

    monkeypatch.setattr(search_module, "find_sends", counting)
    monkeypatch.setattr(search_module, "_FEWEST", 4)
    monkeypatch.setattr(search_module, "_MOST", 4)
    monkeypatch.setattr(search_module, "_MOMENT_SECONDS", 0)

    async def run():
        async with opened(ledger) as mine:
            for number in range(30):
                await mine.sent(f"019ac0000{number:03}", ([f"u{number}"], Outcome.ACCEPTED, number))
            steps = []
            found = await mine.found(watch=lambda done, total: steps.append((done, total)))
            assert len(found) == 30
            return steps

    steps = asyncio.run(run())
    assert (max(looked_at), sum(looked_at)) == (4, 30)
    assert steps[:8] == sorted(steps[:8])
    assert steps[7] == (256, 256)


def test_many_sends_come_in_order_and_are_told_of(ledger):
    """More than one transaction reads; the watcher is told up to the end."""

    async def run():
        async with opened(ledger) as mine:
            for number in range(30):
                await mine.sent(f"{number * 8:02x}", ([f"u{number}"], Outcome.ACCEPTED, number * 7 % 30))
            await mine.ran("eid", *([(f"v{at}",), BatchState.ACCEPTED, at + 0.5] for at in range(30)))
            steps = []
            pages = await mine.messages()
            assert [each.at for each in pages] == sorted((each.at for each in pages), reverse=True)
            assert len(await mine.found(watch=lambda done, total: steps.append((done, total)))) == 60
            assert steps[-1] == (31, 31)

    asyncio.run(run())
