"""Runs that this process sends itself: those of a ledger in SQLite."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import evolve

from ...errors import CampaignError, LedgerError
from ...ledger import (
    Back,
    RunRecord,
    RunState,
    SoleRunBook,
    Tally,
    Wish,
    cancelled,
    every_parcel,
    interrupted,
    interrupted_parcels,
    open_parcels,
)
from ...logs import say
from ...models import OnAmbiguous
from ..definition import Campaign
from ..dispatch.ending import Ending
from ..dispatch.sender import Office, Sender
from ..exclusions.exclusions import Screens
from ..options import Orders
from ..report.status import Watcher
from .base import Execution, require_in_time

_POLL: Final = 0.5


class Here(Execution):
    """Sends runs in this process, one process a run.

    Args:
        office: what this process sends with.
        book: the ledger's book of runs.
    """

    def __init__(self, office: Office, book: SoleRunBook) -> None:
        self.book: SoleRunBook = book
        self._office = office

    async def begin(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None, *, detach: bool = False
    ) -> RunRecord:
        """See `Execution`."""
        return await self._dispatch(record, campaign, lists, watch)

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
        """See `Execution`."""
        record = await self._taken(found, self._orders(campaign).on_ambiguous)
        if back is not None:
            record = evolve(record, tally=await self.book.settle_all(record.id, back.mark, every_parcel, back))
        return await self._dispatch(record, campaign, lists, watch)

    async def pause(self, found: RunRecord) -> None:
        """See `Execution`."""
        if not (await self.book.wish(found.name, Wish.PAUSE)).live:
            record = await self.book.take(found.name)
            await self.book.leave(record.id, RunState.PAUSED)

    async def cancel(self, found: RunRecord) -> None:
        """See `Execution`."""
        if not (await self.book.wish(found.name, Wish.CANCEL)).live:
            await self._cancel(await self.book.take(found.name))

    def _orders(self, campaign: Campaign) -> Orders:
        return Orders.of(campaign, self._office.file.current())

    async def _taken(self, found: RunRecord, on_ambiguous: OnAmbiguous) -> RunRecord:
        """Become the process that works on a run; what another left under way is ambiguous."""
        record = await self.book.take(found.name)
        if not record.tally.sending:
            return record
        tally = await self.book.settle_all(record.id, interrupted(on_ambiguous), interrupted_parcels)
        return evolve(record, tally=tally)

    async def _dispatch(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None
    ) -> RunRecord:
        """Send a run that this process took, and leave it in a state with a name."""
        orders = self._orders(campaign)
        sender: Sender | None = None
        try:
            if (ending := await self._wait_for_schedule(record, orders)) is None:
                screens = await Screens.built(campaign, lists, self.book, record.id)
                sender = Sender(self._office, record, orders, screens)
                say(logging.INFO, "campaign dispatched", campaign=record.name, recipients=record.tally.pending)
                ending = await sender.send(record, self.book.hold(record.id), watch=watch)
        except CampaignError as error:
            await self.book.leave(record.id, RunState.HALTED, error.problem)
            raise
        except BaseException:
            with suppress(LedgerError):  # what went wrong says more
                await asyncio.shield(self.book.leave(record.id, RunState.INTERRUPTED))
            raise
        finally:
            if sender is not None:
                await sender.close()
        if ending.wish is Wish.CANCEL:
            await self._cancel(record)
        else:
            await self.book.leave(record.id, _state(ending, record.tally), ending.problem)
        left = await self.book.get(record.name)
        code = None if left.halted_by is None else left.halted_by.code
        level = logging.WARNING if code else logging.INFO
        say(level, f"campaign {left.state.value}", campaign=left.name, recipients=left.tally.pending, code=code)
        return left

    async def _wait_for_schedule(self, record: RunRecord, orders: Orders) -> Ending | None:
        """Wait until the schedule's time; an ending when something else comes first."""
        if orders.schedule is None or record.tally.requests:
            return None
        require_in_time(record.name, orders.schedule)
        shown = False
        while (left := (orders.schedule.at - datetime.now(UTC)).total_seconds()) > 0:
            if not shown:
                await self.book.become(record.id, RunState.WAITING)
                shown = True
            if (wish := await self.book.wished(record.id)) is not None:
                return Ending(wish=wish)
            try:
                async with asyncio.timeout(min(left, _POLL)):
                    await self._office.stop.wait()
                    return Ending(interrupted=True)
            except TimeoutError:
                continue
        if shown:
            await self.book.become(record.id, RunState.RUNNING)
        return None

    async def _cancel(self, record: RunRecord) -> None:
        await self.book.settle_all(record.id, cancelled, open_parcels)
        await self.book.leave(record.id, RunState.CANCELLED)


def _state(ending: Ending, tally: Tally) -> RunState:
    if ending.problem is not None:
        return RunState.HALTED
    if ending.wish is Wish.PAUSE:
        return RunState.PAUSED
    if ending.interrupted:
        return RunState.INTERRUPTED
    return RunState.FINISHED_WITH_ERRORS if tally.rejected + tally.unknown else RunState.FINISHED
