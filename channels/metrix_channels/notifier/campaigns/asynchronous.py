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
"""A path, as text or as a `Path`."""
FailedOutcome = Literal["rejected", "unknown"]
"""Which recipients `retry` sends to again: `rejected` or `unknown`."""


class AsyncCampaigns:
    """Plans campaigns, sends them, and reports their status. Use it as `notifier.campaigns`; see `Campaigns`.

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
        """Plan a campaign and send it, or continue its halted or interrupted run; see `Campaigns.run`.

        The rows of `audience` are read in a separate thread.
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
        """Start `run` in the background and return a handle for it; see `Campaigns.start`."""
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
        """Plan a campaign and return its first requests; see `Campaigns.preview`."""
        async with _take_rows(audience) as given:
            return await self._campaigns().preview(Path(path), name=name, canary=canary, watch=watch, given=given)

    async def test(
        self, path: StrPath, to: Recipients, *, row: int | None = None, audience: AudienceRows | None = None
    ) -> tuple[Receipt, ...]:
        """Send the message of one row to colleagues, outside the run; see `Campaigns.test`."""
        async with _take_rows(audience) as given:
            campaign, locale, context = await self._campaigns().example(Path(path), row, given)
        content = FromTemplate(campaign.template, context, locale)
        return await self._services().engine.send(Call(campaign.channel, tuple(to), content))

    async def all(self) -> list[CampaignStatus]:
        """Return every campaign of the ledger, the newest first."""
        return [CampaignStatus.of(record) for record in await self._campaigns().book.all()]

    async def status(self, name: str) -> CampaignStatus:
        """Return the status of a campaign; see `Campaigns.status`."""
        return CampaignStatus.of(await self._campaigns().book.get(name))

    async def pause(self, name: str) -> CampaignStatus:
        """Pause a campaign until `resume`; see `Campaigns.pause`."""
        return CampaignStatus.of(await self._campaigns().pause(name))

    async def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> CampaignStatus:
        """Continue a paused, halted or interrupted campaign; see `Campaigns.resume`."""
        return CampaignStatus.of(await self._campaigns().resume(name, watch=watch, detach=detach))

    async def cancel(self, name: str) -> CampaignStatus:
        """Cancel a campaign permanently; see `Campaigns.cancel`."""
        return CampaignStatus.of(await self._campaigns().cancel(name))

    async def retry(self, name: str, which: FailedOutcome, *, watch: Watcher | None = None) -> CampaignStatus:
        """Send again to recipients who were rejected or are unknown; see `Campaigns.retry`."""
        state = BatchState.REJECTED if which == "rejected" else BatchState.UNKNOWN
        return CampaignStatus.of(await self._campaigns().retry(name, state, watch=watch))

    async def pages(self, name: str) -> AsyncIterator[list[CampaignRow]]:
        """Yield the outcome of each row of a campaign's audience, some thousands at a time.

        Raises:
            CampaignError: run_missing, run_purged.
        """
        book = self._campaigns().book
        async for page in rows_of(book, await book.get(name)):
            yield page

    async def overview(self, name: str) -> Overview:
        """Return the overview of a campaign; see `Campaigns.overview`."""
        return await overview(self._campaigns().book, name)

    async def failed_attempts(self, name: str) -> list[FailureCount]:
        """Return the failures of attempts; see `Campaigns.failed_attempts`."""
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
        name: the name of the run.
        progress: the progress; None before the first rows are read.
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
        """Wait until the run stops, and return its status. Raises the errors of `Campaigns.run`."""
        return await asyncio.shield(self._task)

    async def pause(self) -> CampaignStatus:
        """Pause the run after its requests in flight, and return its status."""
        await self._campaigns.pause(self.name)
        return await self.wait()

    async def cancel(self) -> CampaignStatus:
        """Cancel the run permanently, and return its status."""
        await self._campaigns.cancel(self.name)
        return await self.wait()

    def _watch(self, progress: CampaignProgress) -> None:
        self.progress = progress
