"""The writer of a dispatch: who waits for the disk hears what became of it, and nothing marked is forgotten."""

import asyncio
from types import SimpleNamespace

import pytest

from metrix_channels.campaign.writer import Writer
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import Changes, Committed, Hold, Parcel, Tally
from metrix_channels.ledger.marks import new_marks


class Disk(Hold):
    """Takes what is committed while it `works`, each time after `go_on` was set."""

    is_held = True

    def __init__(self, *, works=True):
        self.works = works
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.commits: list[Changes] = []

    async def commit(self, changes, tally):
        self.begun.set()
        await self.go_on.wait()
        if not self.works:
            raise LedgerError("The disk is full.", code="ledger_unavailable")
        self.commits.append(changes)
        return Committed([], None)

    async def next_parcels(self, after, *, canary, limit):
        raise NotImplementedError

    async def become(self, state):
        raise NotImplementedError

    async def wished(self):
        raise NotImplementedError


def batch(number):
    return Parcel.opened(number, False, [({}, [f"u{number}"])], new_marks(1)).batches[0]


def writer_on(disk, failures):
    return Writer(disk, SimpleNamespace(tally=Tally()), lambda _: None, failures.append, 4)


def test_who_waits_for_a_commit_that_fails_may_not_send():
    """Nor whoever asks afterwards: the intent of its request would be nowhere."""

    async def run():
        disk, failures = Disk(works=False), []
        disk.go_on.set()
        writer = writer_on(disk, failures)
        writer.mark(batch(1))
        told = await asyncio.gather(writer.on_disk(), writer.on_disk(), return_exceptions=True)
        assert [getattr(each, "code", None) for each in told] == ["ledger_unavailable"] * 2
        disk.works = True
        for late in (writer.on_disk, writer.close):
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
        writer = writer_on(disk, [])
        first, second, third = batch(1), batch(2), batch(3)
        writer.mark(first)
        await disk.begun.wait()
        writer.mark(second)
        waits = asyncio.create_task(writer.on_disk())
        disk.go_on.set()
        await waits
        assert second.parcel in [parcel for changes in disk.commits[1:] for parcel in changes.parcels]
        disk.go_on.clear()
        disk.begun.clear()
        writer.mark(third)
        await disk.begun.wait()
        last = batch(4)
        writer.mark(last)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        disk.go_on.set()
        await closing
        assert disk.commits[-1].parcels == [last.parcel]

    asyncio.run(run())
