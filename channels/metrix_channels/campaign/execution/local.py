"""Runs of a SQLite ledger, which this process sends itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from attrs import evolve

from ...errors import CampaignError, LedgerError
from ...ledger import (
    ControlRequest,
    Counts,
    LocalRunBook,
    RetryRequest,
    RunRecord,
    RunState,
    every_shard,
    interrupted,
    interrupted_shards,
)
from ...logs import say
from ...process import wall_clock
from ..calendar import require_in_time
from ..definition import Campaign
from ..dispatch.ending import Ending
from ..dispatch.sender import Sender, SendingResources
from ..exclusions.exclusions import Exclusions
from ..options import SendOptions
from ..report.status import Watcher
from .base import Execution


class LocalExecution(Execution):
    """Sends runs in this process; only one process sends a run.

    Args:
        resources: for sending.
        book: the ledger's book of runs.
    """

    def __init__(self, resources: SendingResources, book: LocalRunBook) -> None:
        self.book: LocalRunBook = book
        self._resources = resources

    async def begin(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None, *, detach: bool = False
    ) -> RunRecord:
        """See `Execution`."""
        async with self._claimed(record):
            return await self._dispatch(record, campaign, lists, watch)

    async def go_on(
        self,
        found: RunRecord,
        campaign: Campaign,
        lists: list[Path],
        watch: Watcher | None,
        back: RetryRequest | None = None,
        *,
        detach: bool = False,
    ) -> RunRecord:
        """See `Execution`."""
        on_ambiguous = self._options(campaign).on_ambiguous
        record = await self.book.take(found.name)
        async with self._claimed(record):
            if record.counts.sending:  # requests that another process left in flight are ambiguous
                counts = await self.book.settle_all(record.id, interrupted(on_ambiguous), interrupted_shards)
                record = evolve(record, counts=counts)
            if back is not None:
                counts = await self.book.settle_all(record.id, back.transition, every_shard, back)
                record = evolve(record, counts=counts)
            return await self._dispatch(record, campaign, lists, watch)

    async def pause(self, found: RunRecord) -> None:
        """See `Execution`."""
        if not (await self.book.request_control(found.name, ControlRequest.PAUSE)).live:
            record = await self.book.take(found.name)
            await self.book.leave(record.id, RunState.PAUSED)

    async def cancel(self, found: RunRecord) -> None:
        """See `Execution`."""
        if not (await self.book.request_control(found.name, ControlRequest.CANCEL)).live:
            record = await self.book.take(found.name)
            await self.book.leave(record.id, RunState.CANCELLED)

    def _options(self, campaign: Campaign) -> SendOptions:
        return SendOptions.of(campaign, self._resources.file.current())

    @asynccontextmanager
    async def _claimed(self, record: RunRecord) -> AsyncIterator[None]:
        """Release a claimed run if the block fails, so that it can be continued."""
        try:
            yield
        except CampaignError as error:
            await self.book.leave(record.id, RunState.HALTED, error.problem)
            raise
        except BaseException:
            with suppress(LedgerError):  # the first error says more
                await asyncio.shield(self.book.leave(record.id, RunState.INTERRUPTED))
            raise

    async def _dispatch(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None
    ) -> RunRecord:
        """Send a claimed run and record its final state."""
        options = self._options(campaign)
        sender: Sender | None = None
        try:
            if (ending := await self._wait_for_schedule(record, options)) is None:
                exclusions = await Exclusions.built(campaign, lists, self.book, record.id)
                sender = Sender(self._resources, record, options, exclusions)
                say(logging.INFO, "campaign dispatched", campaign=record.name, recipients=record.counts.pending)
                ending = await sender.send(record, self.book.claim(record.id), watch=watch)
        finally:
            if sender is not None:
                await sender.close()
        if ending != Ending() and await self.book.requested_control(record.id) is ControlRequest.CANCEL:
            ending = Ending(control=ControlRequest.CANCEL)  # it may have been requested while the run halted
        await self.book.leave(record.id, _state(ending, record.counts), ending.problem)
        left = await self.book.get(record.name)
        code = None if left.halted_by is None else left.halted_by.code
        level = logging.WARNING if code else logging.INFO
        say(level, f"campaign {left.state.value}", campaign=left.name, recipients=left.counts.pending, code=code)
        return left

    async def _wait_for_schedule(self, record: RunRecord, options: SendOptions) -> Ending | None:
        """Wait until the schedule's time; return an ending if the run is stopped first."""
        if options.schedule is None or record.counts.has_begun:
            return None
        require_in_time(record.name, options.schedule)
        shown = False
        while (step := wall_clock.step_towards(options.schedule.at)) > 0:
            if not shown:
                await self.book.become(record.id, RunState.WAITING)
                shown = True
            if (control := await self.book.requested_control(record.id)) is not None:
                return Ending(control=control)
            try:
                async with asyncio.timeout(step):
                    await self._resources.stop.wait()
                    return Ending(interrupted=True)
            except TimeoutError:
                continue
        if shown:
            await self.book.become(record.id, RunState.RUNNING)
        return None


def _state(ending: Ending, counts: Counts) -> RunState:
    if ending.problem is not None:
        return RunState.HALTED
    if ending.control is not None:
        return ending.control.leads_to
    if ending.interrupted:
        return RunState.INTERRUPTED
    return RunState.FINISHED_WITH_ERRORS if counts.rejected + counts.unknown else RunState.FINISHED
