"""Progress bars of a campaign and the confirmation before sending, on stderr."""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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

from ...campaign import CampaignProgress, CampaignStatus
from .campaigns import show_plan
from .output import Output, counted, is_yes

_LOOK_SECONDS: Final = 0.1


@define
class Live:
    """Shows the progress of a campaign.

    Attributes:
        output: where to print.
        interrupted: set by a signal.
        bars: None if stderr is not a terminal.
    """

    output: Output
    interrupted: threading.Event
    bars: Progress | None
    _planning: Bar | None = None
    _sending: Bar | None = None

    def watch(self, progress: CampaignProgress) -> None:
        """Update the bars."""
        if self.bars is None:
            return
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

    def confirm(self, planned: CampaignStatus) -> bool:
        """Show a plan and ask whether to send it; a signal or the end of input means no."""
        if self.bars is not None:
            self.bars.stop()  # the bar would overwrite the question
        show_plan(self.output, planned)
        self.output.err.print(f"Send to {counted(planned.pending, 'recipient')}? \\[y/N]: ", end="")
        sure = is_yes(self._answer())
        if sure and self.bars is not None:
            self.bars.start()
        return sure

    def _answer(self) -> str:
        while not self.interrupted.is_set():
            if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
                return sys.stdin.readline()
        self.output.err.print()
        return ""


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
def live(output: Output, interrupted: threading.Event) -> Iterator[Live]:
    """Show bars while the block runs, if stderr is a terminal."""
    if not output.err.is_terminal:
        yield Live(output, interrupted, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=output.err, transient=True) as bars:
        yield Live(output, interrupted, bars)
