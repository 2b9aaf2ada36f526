"""Shows the progress of a campaign, and asks for the confirmation before sending, on stderr."""

from __future__ import annotations

import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from attrs import define

from ...campaign import CampaignProgress, CampaignStatus
from .output import Output, counted, is_yes

if TYPE_CHECKING:
    from .campaign_bars import CampaignBars

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
    bars: CampaignBars | None

    def watch(self, progress: CampaignProgress) -> None:
        """Update the bars."""
        if self.bars is not None:
            self.bars.show(progress)

    def confirm(self, planned: CampaignStatus) -> bool:
        """Show a plan and ask whether to send it; a signal or the end of input means no."""
        from .campaigns import show_plan  # on demand: without a question, rich is not needed

        if self.bars is not None:
            self.bars.bars.stop()  # the bar would overwrite the question
        show_plan(self.output, planned)
        self.output.err.print(f"Send to {counted(planned.pending, 'recipient')}? \\[y/N]: ", end="")
        sure = is_yes(self._answer())
        if sure and self.bars is not None:
            self.bars.bars.start()
        return sure

    def _answer(self) -> str:
        while not self.interrupted.is_set():
            if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
                return sys.stdin.readline()
        self.output.err.print()
        return ""


@contextmanager
def live(output: Output, interrupted: threading.Event) -> Iterator[Live]:
    """Show bars while the block runs, if stderr is a terminal."""
    if not output.has_terminal:
        yield Live(output, interrupted, None)
        return
    from .campaign_bars import drawn  # on demand: without a terminal, rich is not needed

    with drawn(output) as bars:
        yield Live(output, interrupted, bars)
