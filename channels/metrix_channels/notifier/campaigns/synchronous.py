"""The campaigns of a notifier, for synchronous code."""

from __future__ import annotations

from collections.abc import Iterator
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
    """Plans campaigns, sends them, and reports their status. Use it as `notifier.campaigns`; see `AsyncCampaigns`."""

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
        """Plan a campaign and send it, or continue its run; see `AsyncCampaigns.run`.

        `watch` is called in another thread. Mappings in `audience` are read in this thread, before anything else.
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

        Mappings of `audience` are read in this thread, before anything else.
        """
        return CampaignHandle(self, Path(path), name or campaign_name(Path(path)), canary, audience)

    def preview(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        audience: AudienceRows | None = None,
    ) -> CampaignPreview:
        """Plan a campaign and return its first requests. Nothing is sent or recorded."""
        with _take_rows(audience) as given:
            return self._portal.call(
                self._campaigns.preview(path, name=name, canary=canary, watch=watch, audience=given)
            )

    def test(
        self, path: StrPath, to: Recipients, *, row: int | None = None, audience: AudienceRows | None = None
    ) -> tuple[Receipt, ...]:
        """Send the message of one row to colleagues, outside the run."""
        with _take_rows(audience) as given:
            return self._portal.call(self._campaigns.test(path, to, row=row, audience=given))

    def all(self) -> list[CampaignStatus]:
        """Return every campaign of the ledger, the newest first."""
        return self._portal.call(self._campaigns.all())

    def status(self, name: str) -> CampaignStatus:
        """Return the status of a campaign."""
        return self._portal.call(self._campaigns.status(name))

    def pause(self, name: str) -> CampaignStatus:
        """Pause a campaign until `resume`."""
        return self._portal.call(self._campaigns.pause(name))

    def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> CampaignStatus:
        """Continue a paused, halted or interrupted campaign."""
        return self._portal.call(self._campaigns.resume(name, watch=watch, detach=detach))

    def cancel(self, name: str) -> CampaignStatus:
        """Cancel a campaign for good."""
        return self._portal.call(self._campaigns.cancel(name))

    def retry(self, name: str, which: FailedOutcome, *, watch: Watcher | None = None) -> CampaignStatus:
        """Send again to recipients who were rejected or are unknown."""
        return self._portal.call(self._campaigns.retry(name, which, watch=watch))

    def rows(self, name: str) -> Iterator[CampaignRow]:
        """Yield the state of each row of a campaign's audience."""
        pages = self._campaigns.pages(name)

        async def following() -> list[CampaignRow] | None:
            return await anext(pages, None)

        while (page := self._portal.call(following())) is not None:
            yield from page

    def overview(self, name: str) -> Overview:
        """Return the overview of a campaign; see `AsyncCampaigns.overview`."""
        return self._portal.call(self._campaigns.overview(name))

    def failed_attempts(self, name: str) -> list[FailureCount]:
        """Return the failures of attempts, the most frequent first."""
        return self._portal.call(self._campaigns.failed_attempts(name))

    def begin(
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
        name: name of the run.
        progress: the progress; None before the first rows were read.
    """

    def __init__(
        self, campaigns: Campaigns, path: Path, name: str, canary: int | None, audience: AudienceRows | None
    ) -> None:
        self.name = name
        self.progress: CampaignProgress | None = None
        self._campaigns = campaigns
        self._future = campaigns.begin(path, name, canary, self._watch, audience)

    @property
    def is_done(self) -> bool:
        """Whether the run has stopped, in any state."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> CampaignStatus:
        """Wait until the run stops, and return its status.

        Args:
            timeout: seconds; after that, TimeoutError is raised, and the run continues.
        """
        return self._future.result(timeout)

    def pause(self) -> CampaignStatus:
        """Pause the run; requests in flight end first."""
        self._campaigns.pause(self.name)
        return self.wait()

    def cancel(self) -> CampaignStatus:
        """Cancel the run for good."""
        self._campaigns.cancel(self.name)
        return self.wait()

    def _watch(self, progress: CampaignProgress) -> None:
        self.progress = progress
