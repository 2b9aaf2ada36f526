"""Runs of a PostgreSQL ledger, which workers send. This process plans, controls and watches them."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Final

from ...ledger import ControlRequest, RetryRequest, RunRecord
from ...ledger.runs.distributed import DistributedRunBook
from ...logs import say
from ...process import wall_clock
from ..calendar import require_in_time
from ..definition import Campaign
from ..dispatch.sender import SendingResources
from ..exclusions.exclusions import Exclusions
from ..options import SendOptions
from ..report.status import CampaignProgress, Watcher
from .base import Execution

_POLL_SECONDS: Final = 0.3
_LOOK_SECONDS: Final = 5.0


class DistributedExecution(Execution):
    """Hands runs to workers.

    Args:
        resources: the configuration, and the event that ends the watching.
        book: the ledger's book of runs.
    """

    is_distributed = True

    def __init__(self, resources: SendingResources, book: DistributedRunBook) -> None:
        self.book: DistributedRunBook = book
        self._resources = resources

    async def begin(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None, *, detach: bool = False
    ) -> RunRecord:
        """See `Execution`. The workers have the run when this returns."""
        options = self._options(campaign)
        record = await self.book.launch(record.id, options.dump(), _begins(options))
        say(logging.INFO, "campaign launched", campaign=record.name, recipients=record.counts.pending)
        return record if detach else await self._follow(record.name, watch)

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
        """See `Execution`. If workers are already sending the run, only watch it."""
        if not found.live or back is not None:
            await self._reopened(found, campaign, lists, back)
        return await self.book.get(found.name) if detach else await self._follow(found.name, watch)

    async def pause(self, found: RunRecord) -> None:
        """See `Execution`."""
        await self.book.rest(found.name, ControlRequest.PAUSE)

    async def cancel(self, found: RunRecord) -> None:
        """See `Execution`."""
        await self.book.rest(found.name, ControlRequest.CANCEL)

    def _options(self, campaign: Campaign) -> SendOptions:
        return SendOptions.of(campaign, self._resources.file.current())

    async def _reopened(
        self, found: RunRecord, campaign: Campaign, lists: list[Path], back: RetryRequest | None
    ) -> None:
        options = self._options(campaign)
        begins = None
        if not found.counts.has_begun:
            require_in_time(found.name, options.schedule)
            begins = _begins(options)
        exclusions = await Exclusions.built(campaign, lists, self.book, found.id)

        try:
            excluded = exclusions.excluded if exclusions.exclude_anybody else None
            await self.book.reopen(found.name, options.dump(), begins, excluded, back)
        finally:
            exclusions.close()

    async def _follow(self, name: str, watch: Watcher | None) -> RunRecord:
        """Watch a run until it ends or this process is stopped; workers continue without it."""
        clock = asyncio.get_running_loop().time
        looked, workers = -_LOOK_SECONDS, 0
        while True:
            if clock() - looked >= _LOOK_SECONDS:
                looked, workers = clock(), await self.book.workers()
                if not workers:
                    await self.book.sweep()  # without workers, nobody else settles what the last one left
            record = await self.book.get(name)
            if watch is not None:
                watch(CampaignProgress.of(record.counts, None, planning=False, workers=workers))
            if not record.live or self._resources.stop.is_set():
                return record
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._resources.stop.wait()
            except TimeoutError:
                continue


def _begins(options: SendOptions) -> datetime | None:
    """Return when a run starts; None for now."""
    if options.schedule is not None and options.schedule.at > wall_clock.now():
        return options.schedule.at
    return None
