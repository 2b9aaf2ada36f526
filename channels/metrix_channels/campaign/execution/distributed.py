"""Runs that workers send, on any machine: those of a ledger in PostgreSQL. This process plans, steers and watches."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ...ledger import Back, RunRecord, Wish
from ...ledger.runs.distributed import ClusterRunBook
from ...logs import say
from ..definition import Campaign
from ..dispatch.sender import Office
from ..exclusions.exclusions import Screens
from ..options import Orders
from ..report.status import CampaignProgress, Watcher
from .base import Execution, require_in_time

_POLL: Final = 0.3
_LOOK: Final = 5.0


class Elsewhere(Execution):
    """Gives runs to workers.

    Args:
        office: the configuration, and what ends the watching.
        book: the ledger's book of runs.
    """

    is_elsewhere = True

    def __init__(self, office: Office, book: ClusterRunBook) -> None:
        self.book: ClusterRunBook = book
        self._office = office

    async def begin(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None, *, detach: bool = False
    ) -> RunRecord:
        """See `Execution`: the workers have the run when this returns."""
        orders = self._orders(campaign)
        record = await self.book.launch(record.id, orders.dump(), _begins(orders))
        say(logging.INFO, "campaign launched", campaign=record.name, recipients=record.tally.pending)
        return record if detach else await self._followed(record.name, watch)

    async def go_on(
        self,
        found: RunRecord,
        campaign: Campaign,
        lists: list[Path],
        watch: Watcher | None,
        back: Back | None = None,
        *,
        detach: bool = False,
    ) -> RunRecord:
        """See `Execution`. A run that workers send already is watched, from wherever."""
        if not found.live or back is not None:
            await self._reopened(found, campaign, lists, back)
        return await self.book.get(found.name) if detach else await self._followed(found.name, watch)

    async def pause(self, found: RunRecord) -> None:
        """See `Execution`."""
        await self.book.rest(found.name, Wish.PAUSE)

    async def cancel(self, found: RunRecord) -> None:
        """See `Execution`."""
        await self.book.rest(found.name, Wish.CANCEL)

    def _orders(self, campaign: Campaign) -> Orders:
        return Orders.of(campaign, self._office.file.current())

    async def _reopened(self, found: RunRecord, campaign: Campaign, lists: list[Path], back: Back | None) -> None:
        orders = self._orders(campaign)
        begins = None
        if not found.tally.requests:
            require_in_time(found.name, orders.schedule)
            begins = _begins(orders)
        screens = await Screens.built(campaign, lists, self.book, found.id)

        try:
            barred = screens.barred if screens.bar_anybody else None
            await self.book.reopen(found.name, orders.dump(), begins, barred, back)
        finally:
            screens.close()

    async def _followed(self, name: str, watch: Watcher | None) -> RunRecord:
        """Watch a run until it is left, or until this process is to stop: the workers go on without it."""
        clock = asyncio.get_running_loop().time
        looked, workers = -_LOOK, 0
        while True:
            if clock() - looked >= _LOOK:
                looked, workers = clock(), await self.book.workers()
                if not workers:
                    await self.book.sweep()  # what the last worker left would stay as it is
            record = await self.book.get(name)
            if watch is not None:
                watch(CampaignProgress.of(record.tally, None, planning=False, workers=workers))
            if not record.live or self._office.stop.is_set():
                return record
            try:
                async with asyncio.timeout(_POLL):
                    await self._office.stop.wait()
            except TimeoutError:
                continue


def _begins(orders: Orders) -> datetime | None:
    """Return when a run begins; None for now."""
    if orders.schedule is not None and orders.schedule.at > datetime.now(UTC):
        return orders.schedule.at
    return None
