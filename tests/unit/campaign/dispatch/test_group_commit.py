"""The writer of a dispatch: who waits for the disk hears what became of it, and nothing marked is forgotten."""

import asyncio
from types import SimpleNamespace

import pytest

from metrix_channels.campaign.dispatch.group_commit import GroupCommit
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import Changes, Committed, Counts, RunClaim, Shard
from metrix_channels.ledger.runs.batches import new_statuses


class Disk(RunClaim):
    """Takes what is committed while it `works`, each time after `go_on` was set."""

    is_held = True

    def __init__(self, *, works=True):
        self.works = works
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.commits: list[Changes] = []

    async def commit(self, changes, counts):
        self.begun.set()
        await self.go_on.wait()
        if not self.works:
            raise LedgerError("The disk is full.", code="ledger_unavailable")
        self.commits.append(changes)
        return Committed([], None)

    async def next_shards(self, after, *, canary, limit):
        raise NotImplementedError

    async def become(self, state):
        raise NotImplementedError

    async def requested_control(self):
        raise NotImplementedError


def batch(number):
    return Shard.opened(number, False, [({}, [f"u{number}"])], new_statuses(1)).taken()[0]


def writer_on(disk, failures):
    return GroupCommit(disk, SimpleNamespace(counts=Counts()), lambda _: None, failures.append, 4)


def test_who_waits_for_a_commit_that_fails_may_not_send():
    """Nor whoever asks afterwards: the intent of its request would be nowhere."""

    async def run():
        disk, failures = Disk(works=False), []
        disk.go_on.set()
        group_commit = writer_on(disk, failures)
        group_commit.write_status(batch(1))
        told = await asyncio.gather(group_commit.on_disk(), group_commit.on_disk(), return_exceptions=True)
        assert [getattr(each, "code", None) for each in told] == ["ledger_unavailable"] * 2
        disk.works = True
        for late in (group_commit.on_disk, group_commit.close):
            with pytest.raises(LedgerError):
                async with asyncio.timeout(20):
                    await late()
        assert len(failures) == 1
        assert disk.commits == []

    asyncio.run(run())


def test_who_comes_during_a_commit_waits_for_the_next():
    """What that one writes was gathered before; and at the end the last commit is waited for, too."""

    async def run():
        disk = Disk()
        group_commit = writer_on(disk, [])
        first, second, third = batch(1), batch(2), batch(3)
        group_commit.write_status(first)
        await disk.begun.wait()
        group_commit.write_status(second)
        waits = group_commit.on_disk()
        disk.go_on.set()
        await waits
        assert second.shard in [shard for changes in disk.commits[1:] for shard in changes.shards]
        disk.go_on.clear()
        disk.begun.clear()
        group_commit.write_status(third)
        await disk.begun.wait()
        last = batch(4)
        group_commit.write_status(last)
        closing = asyncio.create_task(group_commit.close())
        await asyncio.sleep(0)
        disk.go_on.set()
        await closing
        assert disk.commits[-1].shards == [last.shard]

    asyncio.run(run())
