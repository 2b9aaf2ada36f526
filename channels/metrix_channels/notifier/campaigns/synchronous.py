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
    """Plans campaigns, sends them, and tells how they stand. Got as `notifier.campaigns`; see `AsyncCampaigns`."""

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
        """Plan a campaign whole and send it, or go on with its run.

        `watch` is called in another thread. Mappings of `audience` are read in this one, before anything else.
        """
        with _taken(audience) as given:
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

    def start(self, path: StrPath, *, name: str | None = None, canary: int | None = None) -> CampaignHandle:
        """Begin `run` in the background and return a handle on it."""
        return CampaignHandle(self, Path(path), name or campaign_name(Path(path)), canary)

    def preview(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        audience: AudienceRows | None = None,
    ) -> CampaignPreview:
        """Plan a campaign and return its first requests; nothing is sent or written down."""
        with _taken(audience) as given:
            return self._portal.call(
                self._campaigns.preview(path, name=name, canary=canary, watch=watch, audience=given)
            )

    def test(self, path: StrPath, to: Recipients, *, row: int | None = None) -> tuple[Receipt, ...]:
        """Send the message of one row to colleagues, outside the run."""
        return self._portal.call(self._campaigns.test(path, to, row=row))

    def all(self) -> list[CampaignStatus]:
        """Return every campaign of the ledger, the newest first."""
        return self._portal.call(self._campaigns.all())

    def status(self, name: str) -> CampaignStatus:
        """Return how a campaign stands."""
        return self._portal.call(self._campaigns.status(name))

    def pause(self, name: str) -> CampaignStatus:
        """Let a campaign rest until `resume`."""
        return self._portal.call(self._campaigns.pause(name))

    def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> CampaignStatus:
        """Continue a paused, halted or interrupted campaign."""
        return self._portal.call(self._campaigns.resume(name, watch=watch, detach=detach))

    def cancel(self, name: str) -> CampaignStatus:
        """End a campaign for good."""
        return self._portal.call(self._campaigns.cancel(name))

    def retry(self, name: str, which: FailedOutcome, *, watch: Watcher | None = None) -> CampaignStatus:
        """Send again to those who were rejected, or whose outcome is unknown."""
        return self._portal.call(self._campaigns.retry(name, which, watch=watch))

    def rows(self, name: str) -> Iterator[CampaignRow]:
        """Give what is known of each row of a campaign's audience."""
        pages = self._campaigns.pages(name)

        async def following() -> list[CampaignRow] | None:
            return await anext(pages, None)

        while (page := self._portal.call(following())) is not None:
            yield from page

    def overview(self, name: str) -> Overview:
        """Return all that is worth seeing of a campaign; see `AsyncCampaigns.overview`."""
        return self._portal.call(self._campaigns.overview(name))

    def failed_attempts(self, name: str) -> list[FailureCount]:
        """Return what attempts came to that were not accepted, the most frequent first."""
        return self._portal.call(self._campaigns.failed_attempts(name))

    def begin(self, path: Path, name: str, canary: int | None, watch: Watcher) -> Future[CampaignStatus]:
        """Run a campaign while the caller goes on."""
        return self._portal.begin(self._campaigns.run(path, name=name, canary=canary, watch=watch))


@contextmanager
def _taken(rows: AudienceRows | None) -> Iterator[TakenRows | None]:
    if rows is None:
        yield None
    else:
        with closing(take(rows)) as given:
            yield given


class CampaignHandle:
    """A run that goes on in the background of a notifier.

    Attributes:
        name: of the run.
        progress: how far it has come; None before the first rows were read.
    """

    def __init__(self, campaigns: Campaigns, path: Path, name: str, canary: int | None) -> None:
        self.name = name
        self.progress: CampaignProgress | None = None
        self._campaigns = campaigns
        self._future = campaigns.begin(path, name, canary, self._watch)

    @property
    def is_done(self) -> bool:
        """The run was left, in whatever state."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> CampaignStatus:
        """Wait until the run is left, and return how.

        Args:
            timeout: seconds; TimeoutError after that, and the run goes on.
        """
        return self._future.result(timeout)

    def pause(self) -> CampaignStatus:
        """Let it rest: requests in flight end first."""
        self._campaigns.pause(self.name)
        return self.wait()

    def cancel(self) -> CampaignStatus:
        """End it for good."""
        self._campaigns.cancel(self.name)
        return self.wait()

    def _watch(self, progress: CampaignProgress) -> None:
        self.progress = progress
