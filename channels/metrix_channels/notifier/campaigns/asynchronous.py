"""The campaigns of a notifier, for code that runs in an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...campaign import (
    AudienceRows,
    CampaignPreview,
    CampaignProgress,
    CampaignRow,
    Campaigns,
    CampaignStatus,
    Confirm,
    FailureCount,
    Overview,
    TakenRows,
    Watcher,
    campaign_name,
    overview,
    rows_of,
    take,
)
from ...ledger import BatchState
from ...outcomes import Receipt
from ..call import Call, FromTemplate, Recipients

if TYPE_CHECKING:
    from ..services import Services

StrPath = str | os.PathLike[str]
FailedOutcome = Literal["rejected", "unknown"]


class AsyncCampaigns:
    """Plans campaigns, sends them, and reports their status. Use it as `notifier.campaigns`.

    Args:
        services: returns the services of the process.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    async def run(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        confirm: Confirm | None = None,
        detach: bool = False,
        audience: AudienceRows | None = None,
    ) -> CampaignStatus:
        """Plan a campaign and send it, or continue its halted or interrupted run.

        Args:
            path: path of the campaign file.
            name: name of the run; replaces the name in the file.
            canary: how many recipients get the message first; replaces the number in the file.
            watch: called about ten times a second with the progress.
            confirm: called with a new plan, or with the rest of a run. If it returns False, nothing is sent, the new
                plan is deleted, and a run stays unchanged.
            detach: with a ledger in PostgreSQL, return as soon as the workers have the run.
            audience: rows that replace the audience of the file: mappings, a QuerySet's `.values()`, or a
                DataFrame (pandas, polars, Arrow). They are read once, in a separate thread. To continue a run, give
                the same rows again, or use `resume`, which needs no rows because the whole plan is in the ledger.

        Returns:
            The status of the run. Check `.state`: finished, finished_with_errors, halted (`.halted_by` says why;
            call again to continue), paused, cancelled or interrupted.

        Raises:
            ConfigError, TemplateError, ChannelUnverified: nothing was sent.
            CampaignError: audience_invalid, audience_empty, plan_failed, schedule_missed: nothing was sent; run_busy,
                run_paused, run_pinned, run_finished, run_cancelled: the run is unchanged.
            LedgerError: the ledger cannot be used.
        """
        async with _take_rows(audience) as given:
            record = await self._campaigns().run(
                Path(path), name=name, canary=canary, watch=watch, confirm=confirm, detach=detach, given=given
            )
        return CampaignStatus.of(record)

    def start(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        audience: AudienceRows | None = None,
    ) -> AsyncCampaignHandle:
        """Start `run` in the background and return a handle for it.

        Raises:
            ConfigError: the campaign file is wrong.
        """
        return AsyncCampaignHandle(self, Path(path), name or campaign_name(Path(path)), canary, audience)

    async def preview(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        audience: AudienceRows | None = None,
    ) -> CampaignPreview:
        """Plan a campaign and return its first requests. Nothing is sent or recorded.

        Raises:
            MetrixChannelsError: the errors that `run` raises before its first request.
        """
        async with _take_rows(audience) as given:
            return await self._campaigns().preview(Path(path), name=name, canary=canary, watch=watch, given=given)

    async def test(
        self, path: StrPath, to: Recipients, *, row: int | None = None, audience: AudienceRows | None = None
    ) -> tuple[Receipt, ...]:
        """Send the message of one row to colleagues, outside the run.

        Args:
            path: path of the campaign file.
            to: the colleagues' customUserIds.
            row: number of the row in the audience, from 1; None for the first row that would get a message.
            audience: rows in place of the file's audience, as for `run`.

        Returns:
            The receipts, with any outcome.

        Raises:
            The errors that `send` raises before its first request; CampaignError: row_missing, also for a row that
                `on_empty: skip` leaves out; audience_invalid.
        """
        async with _take_rows(audience) as given:
            campaign, locale, context = await self._campaigns().example(Path(path), row, given)
        content = FromTemplate(campaign.template, context, locale)
        return await self._services().engine.send(Call(campaign.channel, tuple(to), content))

    async def all(self) -> list[CampaignStatus]:
        """Return every campaign of the ledger, the newest first."""
        return [CampaignStatus.of(record) for record in await self._campaigns().book.all()]

    async def status(self, name: str) -> CampaignStatus:
        """Return the status of a campaign.

        Raises:
            CampaignError: run_missing.
        """
        return CampaignStatus.of(await self._campaigns().book.get(name))

    async def pause(self, name: str) -> CampaignStatus:
        """Pause a campaign until `resume`. A running one finishes its requests in flight first.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled.
        """
        return CampaignStatus.of(await self._campaigns().pause(name))

    async def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> CampaignStatus:
        """Continue a paused, halted or interrupted campaign; see `run`."""
        return CampaignStatus.of(await self._campaigns().resume(name, watch=watch, detach=detach))

    async def cancel(self, name: str) -> CampaignStatus:
        """Cancel a campaign for good: pending recipients get nothing. A running one is asked to stop.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled.
        """
        return CampaignStatus.of(await self._campaigns().cancel(name))

    async def retry(self, name: str, which: FailedOutcome, *, watch: Watcher | None = None) -> CampaignStatus:
        """Send again to recipients who were rejected or are unknown; the run journal records this decision.

        Args:
            name: the campaign's name.
            which: `rejected` or `unknown`. Unknown recipients may get the message twice; `possible_duplicates` counts
                them.
            watch: called with the progress.

        Raises:
            CampaignError: run_missing, run_busy, run_cancelled, run_purged, run_values_forgotten, run_pinned.
        """
        state = BatchState.REJECTED if which == "rejected" else BatchState.UNKNOWN
        return CampaignStatus.of(await self._campaigns().retry(name, state, watch=watch))

    async def pages(self, name: str) -> AsyncIterator[list[CampaignRow]]:
        """Yield the state of each row of a campaign's audience, some thousands at a time.

        Raises:
            CampaignError: run_missing.
        """
        book = self._campaigns().book
        async for page in rows_of(book, await book.get(name)):
            yield page

    async def overview(self, name: str) -> Overview:
        """Return the overview of a campaign: counts, timeline, failures, and the run journal.

        Raises:
            CampaignError: run_missing.
        """
        return await overview(self._campaigns().book, name)

    async def failed_attempts(self, name: str) -> list[FailureCount]:
        """Return the failures of attempts, the most frequent first.

        Raises:
            CampaignError: run_missing.
        """
        book = self._campaigns().book
        return await book.failed_attempts((await book.get(name)).id)

    def _campaigns(self) -> Campaigns:
        return self._services().campaigns


@asynccontextmanager
async def _take_rows(rows: AudienceRows | None) -> AsyncIterator[TakenRows | None]:
    if rows is None or isinstance(rows, TakenRows):
        yield rows
        return
    given = await asyncio.to_thread(take, rows)
    try:
        yield given
    finally:
        given.close()


class AsyncCampaignHandle:
    """A run in the background of an event loop.

    Attributes:
        name: name of the run.
        progress: the progress; None before the first rows were read.
    """

    def __init__(
        self, campaigns: AsyncCampaigns, path: Path, name: str, canary: int | None, audience: AudienceRows | None
    ) -> None:
        self.name = name
        self.progress: CampaignProgress | None = None
        self._campaigns = campaigns
        work = campaigns.run(path, name=name, canary=canary, watch=self._watch, audience=audience)
        self._task = asyncio.ensure_future(work)

    @property
    def is_done(self) -> bool:
        """Whether the run has stopped, in any state."""
        return self._task.done()

    async def wait(self) -> CampaignStatus:
        """Wait until the run stops, and return its status. Raises the errors of `AsyncCampaigns.run`."""
        return await asyncio.shield(self._task)

    async def pause(self) -> CampaignStatus:
        """Pause the run; requests in flight end first."""
        await self._campaigns.pause(self.name)
        return await self.wait()

    async def cancel(self) -> CampaignStatus:
        """Cancel the run for good."""
        await self._campaigns.cancel(self.name)
        return await self.wait()

    def _watch(self, progress: CampaignProgress) -> None:
        self.progress = progress
