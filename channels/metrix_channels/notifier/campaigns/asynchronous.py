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
    """Plans campaigns, sends them, and tells how they stand. Got as `notifier.campaigns`.

    Args:
        services: returns what the process has open.
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
        """Plan a campaign whole and send it; or go on with its halted or interrupted run.

        Args:
            path: of the campaign file.
            name: of the run, in place of the file's own.
            canary: so many go first, alone; in place of the file's own.
            watch: told, about ten times a second, how far it has come.
            confirm: shown a new plan, or what is left of a run; when it returns False, nothing is sent, nothing of
                the plan is left, and a run stays as it was.
            detach: with a ledger in PostgreSQL: return as soon as the workers have it.
            audience: the rows, in place of the file's: mappings, a QuerySet's `.values()`, or a DataFrame (pandas,
                polars, Arrow). They are read once, in a thread of their own. To go on with a run, give the same rows
                again; `resume` goes on without them, since the whole plan is in the ledger.

        Returns:
            The run as it was left. Look at `.state`: finished, finished_with_errors, halted (`.halted_by` says why;
            call again to go on), paused, cancelled or interrupted.

        Raises:
            ConfigError, TemplateError, ChannelUnverified: nothing was sent.
            CampaignError: audience_invalid, audience_empty, plan_failed, schedule_missed: nothing was sent; run_busy,
                run_paused, run_pinned, run_finished, run_cancelled: the run is as it was.
            LedgerError: the books cannot be kept.
        """
        async with _taken(audience) as given:
            record = await self._campaigns().run(
                Path(path), name=name, canary=canary, watch=watch, confirm=confirm, detach=detach, given=given
            )
        return CampaignStatus.of(record)

    def start(self, path: StrPath, *, name: str | None = None, canary: int | None = None) -> AsyncCampaignHandle:
        """Begin `run` in the background and return a handle on it.

        Raises:
            ConfigError: of the campaign file.
        """
        return AsyncCampaignHandle(self, Path(path), name or campaign_name(Path(path)), canary)

    async def preview(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        audience: AudienceRows | None = None,
    ) -> CampaignPreview:
        """Plan a campaign and return its first requests; nothing is sent or written down.

        Raises:
            MetrixChannelsError: as in `run` before its first request.
        """
        async with _taken(audience) as given:
            return await self._campaigns().preview(Path(path), name=name, canary=canary, watch=watch, given=given)

    async def test(self, path: StrPath, to: Recipients, *, row: int | None = None) -> tuple[Receipt, ...]:
        """Send the message of one row to colleagues, outside the run.

        Args:
            path: of the campaign file.
            to: the colleagues' customUserIds.
            row: of the audience, from 1; None for the first that can be sent to.

        Returns:
            Receipts, whatever they say.

        Raises:
            The same as `send` before its first request; CampaignError: row_missing, audience_invalid.
        """
        campaign, locale, context = await self._campaigns().example(Path(path), row)
        content = FromTemplate(campaign.template, context, locale)
        return await self._services().engine.send(Call(campaign.channel, tuple(to), content))

    async def all(self) -> list[CampaignStatus]:
        """Return every campaign of the ledger, the newest first."""
        return [CampaignStatus.of(record) for record in await self._campaigns().book.all()]

    async def status(self, name: str) -> CampaignStatus:
        """Return how a campaign stands.

        Raises:
            CampaignError: run_missing.
        """
        return CampaignStatus.of(await self._campaigns().book.get(name))

    async def pause(self, name: str) -> CampaignStatus:
        """Let a campaign rest until `resume`; a live one is asked to, and ends its requests in flight first.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled.
        """
        return CampaignStatus.of(await self._campaigns().pause(name))

    async def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> CampaignStatus:
        """Go on with a paused, halted or interrupted campaign; see `run`."""
        return CampaignStatus.of(await self._campaigns().resume(name, watch=watch, detach=detach))

    async def cancel(self, name: str) -> CampaignStatus:
        """End a campaign for good: whoever is pending is sent nothing. A live one is asked to.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled.
        """
        return CampaignStatus.of(await self._campaigns().cancel(name))

    async def retry(self, name: str, which: FailedOutcome, *, watch: Watcher | None = None) -> CampaignStatus:
        """Send again to those who were rejected, or whose outcome is unknown; the ledger keeps that it was decided.

        Args:
            name: the campaign's.
            which: the unknown ones may get it twice, which `possible_duplicates` counts.
            watch: told how far it has come.

        Raises:
            CampaignError: run_missing, run_busy, run_cancelled, run_purged, run_values_forgotten, run_pinned.
        """
        state = BatchState.REJECTED if which == "rejected" else BatchState.UNKNOWN
        return CampaignStatus.of(await self._campaigns().retry(name, state, watch=watch))

    async def pages(self, name: str) -> AsyncIterator[list[CampaignRow]]:
        """Give what is known of each row of a campaign's audience, some thousands at a time.

        Raises:
            CampaignError: run_missing.
        """
        book = self._campaigns().book
        async for page in rows_of(book, await book.get(name)):
            yield page

    async def overview(self, name: str) -> Overview:
        """Return all that is worth seeing of a campaign: counts, how it went, what went wrong, what was done.

        Raises:
            CampaignError: run_missing.
        """
        return await overview(self._campaigns().book, name)

    async def failed_attempts(self, name: str) -> list[FailureCount]:
        """Return what attempts came to that were not accepted, the most frequent first.

        Raises:
            CampaignError: run_missing.
        """
        book = self._campaigns().book
        return await book.failed_attempts((await book.get(name)).id)

    def _campaigns(self) -> Campaigns:
        return self._services().campaigns


@asynccontextmanager
async def _taken(rows: AudienceRows | None) -> AsyncIterator[TakenRows | None]:
    if rows is None or isinstance(rows, TakenRows):
        yield rows
        return
    given = await asyncio.to_thread(take, rows)
    try:
        yield given
    finally:
        given.close()


class AsyncCampaignHandle:
    """A run that goes on in the background of an event loop.

    Attributes:
        name: of the run.
        progress: how far it has come; None before the first rows were read.
    """

    def __init__(self, campaigns: AsyncCampaigns, path: Path, name: str, canary: int | None) -> None:
        self.name = name
        self.progress: CampaignProgress | None = None
        self._campaigns = campaigns
        self._task = asyncio.ensure_future(campaigns.run(path, name=name, canary=canary, watch=self._watch))

    @property
    def is_done(self) -> bool:
        """The run was left, in whatever state."""
        return self._task.done()

    async def wait(self) -> CampaignStatus:
        """Wait until the run is left, and return how; raises what `AsyncCampaigns.run` raises."""
        return await asyncio.shield(self._task)

    async def pause(self) -> CampaignStatus:
        """Let it rest: requests in flight end first."""
        await self._campaigns.pause(self.name)
        return await self.wait()

    async def cancel(self) -> CampaignStatus:
        """End it for good."""
        await self._campaigns.cancel(self.name)
        return await self.wait()

    def _watch(self, progress: CampaignProgress) -> None:
        self.progress = progress
