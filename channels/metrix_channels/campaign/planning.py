"""From a campaign file to a planned run in the ledger, or to nothing at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from attrs import frozen

from ..config import Channel, Config
from ..errors import CampaignError
from ..ledger import Draft, RunBook, RunRecord, Skip, Tally
from ..templating import Template
from .audience import Audience, Chunk
from .definition import STDIN, Campaign
from .pins import pins_of
from .plan import Planner
from .screens import Screens
from .wording import Wording

_CHUNKS: Final = 10
"""Chunks between two commits."""

Progress = Callable[[Tally, float | None], None]
"""Is told the counts so far, and which part of the audience's file has been read, if that is known."""


@frozen
class Ready:
    """A campaign that can be planned.

    Attributes:
        campaign: its file.
        config: the configuration.
        channel: verified.
        template: compiled.
    """

    campaign: Campaign
    config: Config
    channel: Channel
    template: Template


class Planning:
    """One plan: its audience is read once.

    Args:
        ready: what to plan.
        screens: who is to be sent nothing.
        now: the run's start.
    """

    def __init__(self, ready: Ready, screens: Screens, now: datetime) -> None:
        campaign = ready.campaign
        self._ready = ready
        self._audience = audience_of(campaign)
        variables = ready.template.variables
        columns = self._audience.columns
        wanted = sorted(variables if columns is None else variables.intersection(columns))
        self._chunks: Iterator[Chunk] = self._audience.chunks(wanted)
        self._planner = Planner(
            Wording(ready.template, ready.channel.type, campaign.context, now),
            wanted,
            plain=columns is not None,
            batch_size=ready.config.metrix.batch_size,
            canary=campaign.canary or 0,
            screen=screens.barred,
        )
        self._finishing: Iterator[None] | None = None

    @property
    def tally(self) -> Tally:
        """The counts so far."""
        return self._planner.tally

    @property
    def share_read(self) -> float | None:
        """Which part of the audience's file has been read; None where its size is not known."""
        total = self._audience.total_bytes
        return min(self._audience.read_bytes / total, 1.0) if total else None

    async def step(self) -> tuple[list[Draft], list[Skip]] | None:
        """Plan some more, and return what is to be written down; None when the plan is whole.

        Raises:
            CampaignError: audience_invalid, plan_failed, audience_empty.
        """
        return self._planner.taken() if await asyncio.to_thread(self._step) else None

    def pins(self) -> dict[str, Any]:
        """Return what the run is pinned to, once the plan is whole."""
        ready = self._ready
        return pins_of(ready.campaign, ready.config, ready.channel, ready.template, self._audience.digest)

    def facts(self) -> dict[str, Any]:
        """Return what the plan found, once it is whole."""
        return {
            **self._planner.facts(),
            "canary": min(self._ready.campaign.canary or 0, self.tally.pending),
            "batch_size": self._ready.config.metrix.batch_size,
        }

    def close(self) -> None:
        """Let go of the audience's file and of what was written to disk on the way."""
        self._planner.close()
        self._audience.close()

    def _step(self) -> bool:
        if self._finishing is None:
            chunks = list(islice(self._chunks, 1))
            if chunks:
                self._planner.take(chunks[0])
                for chunk in islice(self._chunks, _CHUNKS - 1):
                    self._planner.take(chunk)
                return True
            self._finishing = self._planner.finish()
        return next(self._finishing, self) is not self


def audience_of(campaign: Campaign) -> Audience:
    """Open the audience of a campaign."""
    source = campaign.audience
    return Audience(None if source.file == STDIN else source.file, source.id)


async def plan(
    ready: Ready,
    name: str,
    book: RunBook,
    screens: Screens,
    progress: Progress,
    stopped: Callable[[], bool],
) -> RunRecord:
    """Plan a run whole; whatever goes wrong, nothing of it is left.

    Raises:
        CampaignError: run_busy, run_exists, audience_invalid, plan_failed, audience_empty, interrupted.
    """
    record = await book.draft(name, str(ready.campaign.path), {})
    try:
        planning = await asyncio.to_thread(Planning, ready, screens, record.started_at)
        try:
            while (found := await planning.step()) is not None:
                await book.add(record.id, *found, planning.tally)
                progress(planning.tally, planning.share_read)
                if stopped() or await book.wished(record.id) is not None:
                    raise CampaignError("The plan was interrupted; nothing was sent.", code="interrupted")
            return await book.complete(record.id, planning.pins(), planning.facts(), planning.tally)
        finally:
            planning.close()
    except BaseException:
        await asyncio.shield(book.discard(record.id))
        raise


async def first_batches(
    ready: Ready, screens: Screens, count: int, progress: Progress
) -> tuple[list[tuple[dict[str, object], list[str]]], Mapping[str, Any], Tally]:
    """Plan without writing anything down: return the first batches, the plan's facts and its counts.

    Raises:
        CampaignError: audience_invalid, plan_failed, audience_empty.
    """
    planning = await asyncio.to_thread(Planning, ready, screens, datetime.now(UTC))
    batches: list[tuple[dict[str, object], list[str]]] = []
    try:
        while (found := await planning.step()) is not None:
            for draft in found[0]:
                if len(batches) < count:
                    batches += json.loads(draft.batches)
            progress(planning.tally, planning.share_read)
        return batches[:count], planning.facts(), planning.tally
    finally:
        planning.close()


def row_values(ready: Ready, row: int | None) -> dict[str, Any] | None:
    """Return the template's values in one row of the audience, or in the first valid one; None when there is none."""
    with audience_of(ready.campaign) as audience:
        rows = audience.values(ready.template.variables)
        return next((values for number, _, values in rows if row in (None, number)), None)
