"""How a run is sent with each kind of run book, under the same names: for tests that hold for all kinds.

To test a new kind of run book, write its `Dispatch` and add it to `DISPATCHES`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import pytest

from helpers.ledgers import Ledger
from metrix_channels.errors import MetrixChannelsError
from metrix_channels.ledger import (
    Batch,
    BatchState,
    ControlRequest,
    Counts,
    Database,
    Draft,
    LocalRunBook,
    RunBook,
    RunClaim,
    RunRecord,
    RunState,
    Shard,
    Skip,
    begin,
    cancelled,
    interrupted,
    interrupted_shards,
    open_shards,
    settle,
)
from metrix_channels.ledger.runs.distributed import DistributedRunBook
from metrix_channels.ledger.runs.shard_claim import ShardClaim
from metrix_channels.models import OnAmbiguous
from metrix_channels.outcomes import Problem

PEOPLE: Final = 4
"""Recipients of each batch of `SHARD`."""
SHARD: Final = [[f"u{at}-{person}" for person in range(PEOPLE)] for at in range(3)]
"""The recipients of three batches."""
NOW: Final = 1_780_000_000
"""When every step with a batch is taken, in seconds since 1970."""


class Dispatch(ABC):
    """A process that plans, sends or steers runs.

    Args:
        database: the process's own.
        on_ambiguous: what a batch becomes whose sender died.

    Attributes:
        is_distributed: of the databases that have such a run book.
        book: the run book.
    """

    is_distributed: ClassVar[bool]
    book: RunBook

    def __init__(self, database: Database, on_ambiguous: OnAmbiguous = OnAmbiguous.RETRY) -> None:
        self.database = database
        self.on_ambiguous = on_ambiguous

    async def plan(
        self, contents: Sequence[Sequence[Sequence[str]]], skips: Sequence[Skip] = (), name: str = "offer"
    ) -> RunRecord:
        """Plan a run.

        Args:
            contents: of each shard the batches, of each batch the recipients.
            skips: rows that are sent nothing.
            name: the campaign's.
        """
        record = await self.book.draft(name, f"{name}.yaml", {"app": "a"})
        counts = Counts()
        for shard in contents:
            people = sum(len(batch) for batch in shard)
            counts = counts.plus(Counts(rows=people, pending=people, batches=len(shard)))
            text = json.dumps([[{}, list(batch)] for batch in shard])
            await self.book.add(record.id, [Draft(text, len(shard))], [], counts)
        for skip in skips:
            counts.skip(len(skip.rows), skip.reason)
            counts.rows += len(skip.rows)
            await self.book.add(record.id, [], [skip], counts)
        return await self.book.complete(record.id, {"app": "a"}, {"canary": 0}, counts)

    @abstractmethod
    async def begin(self, record: RunRecord) -> RunClaim:
        """Begin to send a planned run; return a claim on its first shard at the least."""

    @abstractmethod
    async def ask(self, name: str, control: ControlRequest) -> None:
        """Ask whoever sends a run for something."""

    @abstractmethod
    async def wait(self, record: RunRecord, claim: RunClaim) -> None:
        """Let a run wait for the end of its quiet hours."""

    @abstractmethod
    async def end(self, record: RunRecord, claim: RunClaim, state: RunState, halted_by: Problem | None = None) -> None:
        """Stop to send a run, so that it is in this state; the batches already fit."""

    @abstractmethod
    async def take_over(self, name: str) -> None:
        """Settle what the dead left of a run, as another process would."""

    @abstractmethod
    async def go_on(self, name: str) -> RunClaim:
        """Go on with a run that rests.

        Raises:
            CampaignError: run_busy.
        """


class LocalDispatch(Dispatch):
    """Sends with a `LocalRunBook`."""

    is_distributed = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.book: LocalRunBook = LocalRunBook(self.database)

    async def begin(self, record: RunRecord) -> RunClaim:
        """See `Dispatch`."""
        return self.book.claim(record.id)

    async def ask(self, name: str, control: ControlRequest) -> None:
        """See `Dispatch`."""
        await self.book.request_control(name, control)

    async def wait(self, record: RunRecord, claim: RunClaim) -> None:
        """See `Dispatch`."""
        await claim.become(RunState.WAITING)

    async def end(self, record: RunRecord, claim: RunClaim, state: RunState, halted_by: Problem | None = None) -> None:
        """See `Dispatch`."""
        if state is RunState.CANCELLED:
            await self.book.settle_all(record.id, cancelled, open_shards)
        await self.book.leave(record.id, state, halted_by)

    async def take_over(self, name: str) -> None:
        """See `Dispatch`."""
        record = await self.book.take(name)
        await self.book.settle_all(record.id, interrupted(self.on_ambiguous), interrupted_shards)

    async def go_on(self, name: str) -> RunClaim:
        """See `Dispatch`."""
        return self.book.claim((await self.book.take(name)).id)


class DistributedDispatch(Dispatch):
    """Sends with a `DistributedRunBook`, as a worker."""

    is_distributed = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.book: DistributedRunBook = DistributedRunBook(self.database)
        self._options = json.dumps({"on_ambiguous": self.on_ambiguous.value})

    async def begin(self, record: RunRecord) -> RunClaim:
        """See `Dispatch`."""
        await self.book.launch(record.id, self._options, None)
        return await self._claim(record.id)

    async def ask(self, name: str, control: ControlRequest) -> None:
        """See `Dispatch`."""
        await self.book.rest(name, control)

    async def wait(self, record: RunRecord, claim: RunClaim) -> None:
        """See `Dispatch`."""
        assert isinstance(claim, ShardClaim)
        await self.book.hand_back(claim, rest_until=datetime.now(UTC) + timedelta(hours=1))

    async def end(self, record: RunRecord, claim: RunClaim, state: RunState, halted_by: Problem | None = None) -> None:
        """See `Dispatch`."""
        assert isinstance(claim, ShardClaim)
        asked = {RunState.PAUSED: ControlRequest.PAUSE, RunState.CANCELLED: ControlRequest.CANCEL}
        if state in asked:
            await self.ask(record.name, asked[state])
        await self.book.hand_back(claim, halted_by)

    async def take_over(self, name: str) -> None:
        """See `Dispatch`."""
        await self.book.sweep()

    async def go_on(self, name: str) -> RunClaim:
        """See `Dispatch`."""
        return await self._claim((await self.book.reopen(name, self._options, None)).id)

    async def _claim(self, run: int) -> RunClaim:
        claim = await self.book.claim(run)
        assert claim is not None
        return claim


DISPATCHES: Final[tuple[type[Dispatch], ...]] = (LocalDispatch, DistributedDispatch)


def dispatch_of(database: Database, on_ambiguous: OnAmbiguous = OnAmbiguous.RETRY) -> Dispatch:
    """Return what sends runs of a database."""
    [kind] = [each for each in DISPATCHES if each.is_distributed is database.is_distributed]
    return kind(database, on_ambiguous)


@asynccontextmanager
async def process(ledger: Ledger, on_ambiguous: OnAmbiguous = OnAmbiguous.RETRY) -> AsyncIterator[Dispatch]:
    """Open a ledger as a process that works on runs."""
    async with ledger.opened() as database:
        yield dispatch_of(database, on_ambiguous)


@asynccontextmanager
async def sending(
    ledger: Ledger, on_ambiguous: OnAmbiguous = OnAmbiguous.RETRY
) -> AsyncIterator[tuple[Dispatch, RunRecord, RunClaim, Shard]]:
    """Open a ledger as a process that sends the run "offer" of one shard, `SHARD`."""
    async with process(ledger, on_ambiguous) as mine:
        record = await mine.plan([SHARD])
        claim = await mine.begin(record)
        yield mine, record, claim, await first_shard(claim)


async def first_shard(claim: RunClaim) -> Shard:
    """Return the one shard of a claim."""
    [shard] = await claim.next_shards(0, canary=False, limit=16)
    return shard


def finish(batch: Batch, counts: Counts, state: BatchState) -> None:
    """Let a batch be attempted once, and come to this."""
    begin(batch, counts, NOW)
    settle(batch, counts, state, NOW)


@contextmanager
def refused(kind: type[MetrixChannelsError], code: str) -> Iterator[None]:
    """Expect an error with this code."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code
