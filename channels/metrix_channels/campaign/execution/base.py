"""The interface for sending planned runs, in this process or through workers; planning does not depend on which."""

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
        is_distributed: workers send, so this process may exit.
    """

    book: RunBook
    is_distributed: ClassVar[bool] = False

    @abstractmethod
    async def begin(
        self, record: RunRecord, campaign: Campaign, lists: list[Path], watch: Watcher | None, *, detach: bool = False
    ) -> RunRecord:
        """Send a run that was just planned, and return its record afterwards.

        Args:
            record: the run.
            campaign: its file.
            lists: suppression lists.
            watch: called with the progress.
            detach: return as soon as workers have the run; only if `is_distributed`.
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
        """Continue a run, and return its record afterwards.

        Args:
            found: the run, with checked pins.
            campaign: its current file.
            lists: suppression lists.
            watch: called with the progress.
            back: batches to send again.
            detach: as in `begin`.

        Raises:
            CampaignError: run_busy, if another process is sending it.
        """

    @abstractmethod
    async def pause(self, found: RunRecord) -> None:
        """Pause a run after its requests in flight."""

    @abstractmethod
    async def cancel(self, found: RunRecord) -> None:
        """Cancel a run permanently after its requests in flight."""
