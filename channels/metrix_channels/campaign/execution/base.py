"""Who sends a planned run: this process, or workers anywhere. Whoever plans and steers runs need not know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from ...ledger import RetryRequest, RunBook, RunRecord
from ..definition import Campaign
from ..report.status import Watcher


class Execution(ABC):
    """Sends and controls planned runs: in this process, or through workers.

    Attributes:
        book: the ledger's book of runs.
        is_distributed: others send, so that this process may leave.
    """

    book: RunBook
    is_distributed: ClassVar[bool] = False

    @abstractmethod
    async def begin(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None, *, detach: bool = False
    ) -> RunRecord:
        """Send a run that was just planned, and return it as it is left.

        Args:
            record: the run.
            campaign: its file.
            lists: of recipients who are sent nothing.
            watch: told how far it has come.
            detach: return as soon as others send it; only where they do.
        """

    @abstractmethod
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
        """Send what is left of a run, and return it as it is left.

        Args:
            found: the run, whose pins were looked at.
            campaign: its file as it is now.
            lists: of recipients who are sent nothing.
            watch: told how far it has come.
            back: batches that are pending again.
            detach: as in `begin`.

        Raises:
            CampaignError: run_busy, beside somebody who sends it.
        """

    @abstractmethod
    async def pause(self, found: RunRecord) -> None:
        """Let a run rest; those who send it end their requests in flight first."""

    @abstractmethod
    async def cancel(self, found: RunRecord) -> None:
        """End a run for good; those who send it end their requests in flight first."""
