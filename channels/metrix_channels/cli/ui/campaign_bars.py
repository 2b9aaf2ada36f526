"""Progress bars of a campaign on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ...campaign import CampaignProgress
from .output import Output, counted


@define
class CampaignBars:
    """A bar for the plan, and one for the sending.

    Attributes:
        bars: the display.
    """

    bars: Progress
    _planning: Bar | None = None
    _sending: Bar | None = None

    def show(self, progress: CampaignProgress) -> None:
        """Update the bars."""
        if progress.planning:
            if self._planning is None:
                self._planning = Bar(self.bars, "Planning")
            self._planning.move(progress.share, counted(progress.audience, "row"))
            return
        if self._sending is None:
            self._sending = Bar(self.bars, "Sending", progress.accepted)
        counts = self._sending.counts_of(progress)
        if progress.workers is not None:
            counts += f" · {counted(progress.workers, 'worker')}" if progress.workers else " · no worker running"
        self._sending.move(progress.share, counts)


@define
class Bar:
    """The bar of one phase.

    Attributes:
        bars: the display.
        words: the label.
        before: recipients accepted before this process started.
    """

    bars: Progress
    words: str
    before: int = 0
    _task: TaskID = field(init=False)
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = time.monotonic()
        self._task = self.bars.add_task(self.words, total=None, counts="")

    def move(self, share: float | None, counts: str) -> None:
        """Show the share that is done."""
        total = None if share is None else 1.0
        self.bars.update(self._task, total=total, completed=share or 0.0, counts=counts)

    def counts_of(self, progress: CampaignProgress) -> str:
        """Return the outcomes and the number of accepted recipients per second."""
        counts = [f"{progress.accepted:,} accepted"]
        counts += [f"{count:,} {name}" for name in ("rejected", "unknown") if (count := getattr(progress, name))]
        elapsed = time.monotonic() - self._began
        if elapsed > 0.5:
            counts.append(f"{(progress.accepted - self.before) / elapsed:,.0f}/s")
        return " · ".join(counts)


@contextmanager
def drawn(output: Output) -> Iterator[CampaignBars]:
    """Show the bars while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=output.err, transient=True) as bars:
        yield CampaignBars(bars)
