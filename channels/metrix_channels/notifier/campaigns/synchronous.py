"""The campaigns of a notifier, for synchronous code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

from ...campaign import (
    AudienceRows,
    CampaignPreview,
    CampaignProgress,
    CampaignRow,
    CampaignStatus,
    Confirm,
    FailureCount,
    Overview,
    TakenRows,
    Watcher,
    campaign_name,
    take,
)
from ...outcomes import Receipt
from ..call import Recipients
from ..portal import Portal
from .asynchronous import AsyncCampaigns, FailedOutcome, StrPath


class Campaigns:
    """Plans campaigns, sends them, and reports their status. Use it as `notifier.campaigns`."""

    def __init__(self, campaigns: AsyncCampaigns, portal: Portal) -> None:
        self._campaigns = campaigns
        self._portal = portal

    def run(
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
            path: the campaign file.
            name: the name of the run, instead of the name in the file.
            canary: how many recipients get the message first, instead of the number in the file.
            watch: called about ten times a second with the progress, in another thread.
            confirm: called with a new plan, or with the rest of a run. If it returns False, nothing is sent, the new
                plan is deleted, and a run stays unchanged.
            detach: with a ledger in PostgreSQL, return as soon as the workers have the run.
            audience: rows that replace the audience of the file: mappings, a QuerySet's `.values()`, or a
                DataFrame (pandas, polars, Arrow). Mappings are read once, in the calling thread, before anything
                else. To continue a run, give the same rows again, or use `resume`, which needs no rows because the
                whole plan is in the ledger.

        Returns:
            The status of the run. Check `.state`: finished, finished_with_errors, halted (`.halted_by` says why;
            call again to continue), paused, cancelled or interrupted.

        Raises:
            ConfigError, TemplateError, ChannelUnverified: nothing was sent.
            CampaignError: audience_invalid, audience_empty, plan_failed, schedule_missed: nothing was sent; run_busy,
                run_paused, run_pinned, run_finished, run_cancelled: the run is unchanged.
            LedgerError: the ledger cannot be used.
        """
        with _take_rows(audience) as given:
            return self._portal.call(
                self._campaigns.run(
                    path,
                    name=name,
                    canary=canary,
                    watch=watch,
                    confirm=confirm,
                    detach=detach,
                    audience=given,
                )
            )

    def start(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        audience: AudienceRows | None = None,
    ) -> CampaignHandle:
        """Start `run` in the background and return a handle for it.

        The arguments are those of `run`. Mappings of `audience` are read before this call returns.

        Raises:
            ConfigError: the campaign file is wrong.
        """
        file = Path(path)
        named = name or campaign_name(file)
        return CampaignHandle(self, named, lambda watch: self._begin(file, named, canary, watch, audience))

    def preview(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        audience: AudienceRows | None = None,
    ) -> CampaignPreview:
        """Plan a campaign and return its first requests. Nothing is sent or recorded. The arguments are those of `run`.

        Raises:
            MetrixChannelsError: what `run` raises before its first request.
        """
        with _take_rows(audience) as given:
            return self._portal.call(
                self._campaigns.preview(path, name=name, canary=canary, watch=watch, audience=given)
            )

    def test(
        self, path: StrPath, to: Recipients, *, row: int | None = None, audience: AudienceRows | None = None
    ) -> tuple[Receipt, ...]:
        """Send the message of one row to colleagues, outside the run.

        Args:
            path: the campaign file.
            to: the customUserIds of the colleagues.
            row: the number of the row in the audience, from 1; None for the first row that would get a message.
            audience: rows that replace the audience of the file, as for `run`.

        Returns:
            The receipts, with any outcome.

        Raises:
            CampaignError: audience_invalid; row_missing, also for a row that `on_empty: skip` leaves out.
            MetrixChannelsError: what `send` raises before its first request.
        """
        with _take_rows(audience) as given:
            return self._portal.call(self._campaigns.test(path, to, row=row, audience=given))

    def all(self) -> list[CampaignStatus]:
        """Return every campaign of the ledger, the newest first."""
        return self._portal.call(self._campaigns.all())

    def status(self, name: str) -> CampaignStatus:
        """Return the status of a campaign.

        Raises:
            CampaignError: run_missing.
        """
        return self._portal.call(self._campaigns.status(name))

    def pause(self, name: str) -> CampaignStatus:
        """Pause a campaign until `resume`. Requests in flight finish first.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled.
        """
        return self._portal.call(self._campaigns.pause(name))

    def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> CampaignStatus:
        """Continue a paused, halted or interrupted campaign; `watch`, `detach`, result and errors as for `run`.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled, run_busy, run_pinned.
        """
        return self._portal.call(self._campaigns.resume(name, watch=watch, detach=detach))

    def cancel(self, name: str) -> CampaignStatus:
        """Cancel a campaign permanently: pending recipients get nothing. A running campaign is asked to stop.

        Raises:
            CampaignError: run_missing, run_finished, run_cancelled.
        """
        return self._portal.call(self._campaigns.cancel(name))

    def retry(self, name: str, which: FailedOutcome, *, watch: Watcher | None = None) -> CampaignStatus:
        """Send again to recipients who were rejected or are unknown; the run journal records this decision.

        Args:
            name: the campaign's name.
            which: `rejected` or `unknown`. Unknown recipients may get the message twice; `possible_duplicates` counts
                them.
            watch: as for `run`.

        Returns:
            The status of the run, as from `run`.

        Raises:
            CampaignError: run_missing, run_busy, run_cancelled, run_purged, run_values_forgotten, run_pinned.
        """
        return self._portal.call(self._campaigns.retry(name, which, watch=watch))

    def rows(self, name: str) -> Iterator[CampaignRow]:
        """Yield the outcome of each row of a campaign's audience.

        Raises:
            CampaignError: run_missing, run_purged.
        """
        pages = self._campaigns.pages(name)

        async def following() -> list[CampaignRow] | None:
            return await anext(pages, None)

        while (page := self._portal.call(following())) is not None:
            yield from page

    def overview(self, name: str) -> Overview:
        """Return the overview of a campaign: counts, timeline, failures, and the run journal.

        Raises:
            CampaignError: run_missing.
        """
        return self._portal.call(self._campaigns.overview(name))

    def failed_attempts(self, name: str) -> list[FailureCount]:
        """Return the failures of attempts, the most frequent first.

        Raises:
            CampaignError: run_missing.
        """
        return self._portal.call(self._campaigns.failed_attempts(name))

    def _begin(
        self, path: Path, name: str, canary: int | None, watch: Watcher, audience: AudienceRows | None
    ) -> Future[CampaignStatus]:
        """Start a campaign, and return at once."""
        given = None if audience is None else take(audience)
        work = self._campaigns.run(path, name=name, canary=canary, watch=watch, audience=given)
        future = self._portal.begin(work)
        if given is not None:
            future.add_done_callback(lambda _: given.close())
        return future


@contextmanager
def _take_rows(rows: AudienceRows | None) -> Iterator[TakenRows | None]:
    if rows is None:
        yield None
    else:
        with closing(take(rows)) as given:
            yield given


class CampaignHandle:
    """A run in the background of a notifier.

    Attributes:
        name: the name of the run.
        progress: the progress; None before the first rows are read.
    """

    def __init__(self, campaigns: Campaigns, name: str, begin: Callable[[Watcher], Future[CampaignStatus]]) -> None:
        self.name = name
        self.progress: CampaignProgress | None = None
        self._campaigns = campaigns
        self._future = begin(self._watch)

    @property
    def is_done(self) -> bool:
        """Whether the run has stopped, in any state."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> CampaignStatus:
        """Wait until the run stops, and return its status.

        Args:
            timeout: seconds; None to wait without a limit.

        Raises:
            TimeoutError: the run has not stopped within `timeout`; it continues.
            MetrixChannelsError: the errors of `Campaigns.run`.
        """
        return self._future.result(timeout)

    def pause(self) -> CampaignStatus:
        """Pause the run after its requests in flight, and return its status."""
        self._campaigns.pause(self.name)
        return self.wait()

    def cancel(self) -> CampaignStatus:
        """Cancel the run permanently, and return its status."""
        self._campaigns.cancel(self.name)
        return self.wait()

    def _watch(self, progress: CampaignProgress) -> None:
        self.progress = progress
