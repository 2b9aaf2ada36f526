"""Between the intent and the request: whatever ends the run while the disk is waited for, nothing leaves any more."""

import asyncio
import threading

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import balance, people
from metrix_channels.campaign.definition import load_campaign
from metrix_channels.campaign.dispatch.sender import Sender
from metrix_channels.campaign.exclusions.exclusions import Exclusions
from metrix_channels.campaign.options import SendOptions
from metrix_channels.config import ConfigFile
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import Counts, RunClaim, RunState
from metrix_channels.notifier.services import Services


class SlowDisk(RunClaim):
    """A run whose intents are long on their way to the disk: what is to happen meanwhile happens.

    Args:
        claim: the run.
        meanwhile: called when an intent is on disk and nobody knows it yet.
    """

    def __init__(self, claim, meanwhile):
        self._claim = claim
        self._meanwhile = meanwhile
        self.may_be_lost = False

    @property
    def is_held(self):
        return self._claim.is_held and not self.may_be_lost

    async def next_shards(self, after, *, canary, limit):
        return await self._claim.next_shards(after, canary=canary, limit=limit)

    async def commit(self, changes, counts):
        sending = counts.sending
        committed = await self._claim.commit(changes, counts)
        if sending:
            await self._meanwhile(self)
        return committed

    async def become(self, state):
        await self._claim.become(state)

    async def requested_control(self):
        return await self._claim.requested_control()


@pytest.fixture
def server(project):
    """Twenty recipients with a request each."""
    with AccountingServer() as server:
        project.configure(server.url, batch_size=1, concurrency=4)
        project.audience(people(20))
        project.campaign()
        yield server


async def sent(project, meanwhile):
    """Plan a campaign and send it over a slow disk; return how that ended, and the counts in the ledger."""
    services = Services(ConfigFile(project.config))
    engine, campaigns = services.engine, services.campaigns
    campaign = load_campaign(project.folder / "offer.yaml")
    record = await campaigns._plan(campaigns._ready(campaign), None)
    resources = engine.resources()
    exclusions = await Exclusions.built(campaign, [], campaigns.book, record.id)
    sender = Sender(resources, record, SendOptions.of(campaign, engine.config), exclusions)
    try:
        claim = SlowDisk(campaigns.book.claim(record.id), lambda claim: meanwhile(resources, claim))
        ending = await sender.send(record, claim)
        await campaigns.book.leave(record.id, RunState.INTERRUPTED)
        return ending, (await campaigns.book.get("offer")).counts
    finally:
        await sender.close()
        await engine.aclose()


def test_a_run_that_is_stopped_while_the_disk_is_waited_for_sends_nothing_more(project, server):
    """The intents are taken back: nobody is in doubt."""

    async def stop(resources, _claim):
        resources.stop.set()
        await asyncio.sleep(0.05)  # the other tasks learn of it before the intent's own

    ending, counts = asyncio.run(sent(project, stop))
    assert ending.interrupted
    assert server.requests == []
    assert counts == Counts(rows=20, pending=20, batches=20)


def test_a_process_that_may_have_been_taken_for_dead_meanwhile_sends_nothing_more(project, server):
    """As after a machine slept between the intent and the request: others may be sending it by now."""

    async def sleep(_resources, claim):
        claim.may_be_lost = True

    with pytest.raises(LedgerError) as caught:
        asyncio.run(sent(project, sleep))
    assert caught.value.code == "run_lost"
    assert server.requests == []


def test_the_parts_of_a_divided_batch_inherit_its_doubt(project):
    """Taken or not, the whole was lost on its way: a part that is refused afterwards is unknown, not rejected."""
    first = threading.Event()

    def script(recipients, _message, _body):
        if len(recipients) > 1:
            if first.is_set():
                return Taken(413, taken=False)
            first.set()
            return Taken(0)
        return Taken(400, taken=False) if recipients == ["u2"] else Taken()

    with AccountingServer(script) as server:
        project.configure(server.url, batch_size=4)
        project.audience(people(4, names=("سارا",)))
        project.campaign()
        with project.notifier() as notifier:
            found = notifier.campaigns.run(project.folder / "offer.yaml").as_dict()
    assert balance(found) == 0
    assert (found["accepted"], found["unknown"], found["rejected"]) == (3, 1, 0)
    assert found["possible_duplicates"] == 4
    assert server.twice == {"u0", "u1", "u3"}
