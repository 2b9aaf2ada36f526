"""From a campaign file to a planned run in the ledger, or to nothing at all."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from attrs import frozen

from ...config import Channel, Config
from ...errors import CampaignError
from ...ledger import SENSITIVE, Counts, Draft, RunBook, RunRecord, Skip
from ...templating import Template
from ..audience.reader import Audience, Chunk
from ..audience.source import Stopped
from ..definition import STDIN, Campaign, DamagedIds
from ..exclusions.exclusions import Exclusions
from ..renderer import MessageRenderer
from .findings import Findings
from .pins import pins_of
from .planner import Planner

T = TypeVar("T")

_CHUNKS: Final = 10
"""Chunks between two commits."""

Progress = Callable[[Counts, float | None], None]
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
        exclusions: who is to be sent nothing.
        now: the run's start.
        stopped: says whether to go no further.
        cancelled: set when nobody waits for the plan any more.
    """

    def __init__(
        self, ready: Ready, exclusions: Exclusions, now: datetime, stopped: Stopped, cancelled: threading.Event
    ) -> None:
        campaign = ready.campaign
        self._ready = ready
        self._cancelled = cancelled
        self._audience = audience_of(campaign, lambda: cancelled.is_set() or stopped())
        variables = ready.template.variables
        columns = self._audience.columns
        wanted = sorted(variables if columns is None else variables.intersection(columns))
        self._chunks: Iterator[Chunk] = self._audience.chunks(wanted)
        self._planner = Planner(
            MessageRenderer(ready.template, ready.channel.type, campaign.context, now),
            wanted,
            plain=columns is not None,
            batch_size=ready.config.metrix.batch_size,
            canary=campaign.canary or 0,
            exclusions=exclusions,
            findings=Findings(campaign.audience.file, campaign.audience.damaged_ids is DamagedIds.REFUSE),
        )
        self._finishing: Iterator[None] | None = None

    @property
    def counts(self) -> Counts:
        """The counts so far."""
        return self._planner.counts

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
        return self._planner.taken() if await _in_thread(self._step, self._cancelled) else None

    def pins(self) -> dict[str, Any]:
        """Return what the run is pinned to, once the plan is whole."""
        ready = self._ready
        return pins_of(ready.campaign, ready.config, ready.channel, ready.template, self._audience.digest)

    def facts(self) -> dict[str, Any]:
        """Return what the plan found, once it is whole."""
        return {
            **self._planner.facts(),
            "canary": min(self._ready.campaign.canary or 0, self.counts.pending),
            "batch_size": self._ready.config.metrix.batch_size,
            SENSITIVE: sorted(self._ready.template.sensitive),
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


def audience_of(campaign: Campaign, stopped: Stopped) -> Audience:
    """Open the audience of a campaign; `stopped` is asked while standard input keeps its reader waiting."""
    source = campaign.audience
    return Audience(None if source.file == STDIN else source.file, source.id, stopped=stopped)


async def plan(
    ready: Ready,
    name: str,
    book: RunBook,
    exclusions: Exclusions,
    progress: Progress,
    stopped: Stopped,
) -> RunRecord:
    """Plan a run whole; whatever goes wrong, nothing of it is left.

    Raises:
        CampaignError: run_busy, run_exists, audience_invalid, plan_failed, audience_empty, interrupted.
    """
    record = await book.draft(name, str(ready.campaign.path), {})
    try:
        async with _planning(ready, exclusions, record.started_at, stopped) as planning:
            while (found := await planning.step()) is not None:
                await book.add(record.id, *found, planning.counts)
                progress(planning.counts, planning.share_read)
                _require_going(stopped() or await book.requested_control(record.id) is not None)
            return await book.complete(record.id, planning.pins(), planning.facts(), planning.counts)
    except BaseException:
        await asyncio.shield(book.discard(record.id))
        raise


async def first_batches(
    ready: Ready, exclusions: Exclusions, count: int, progress: Progress, stopped: Stopped
) -> tuple[list[tuple[dict[str, object], list[str]]], Mapping[str, Any], Counts]:
    """Plan without writing anything down: return the first batches, the plan's facts and its counts.

    Raises:
        CampaignError: audience_invalid, plan_failed, audience_empty, interrupted.
    """
    batches: list[tuple[dict[str, object], list[str]]] = []
    async with _planning(ready, exclusions, datetime.now(UTC), stopped) as planning:
        while (found := await planning.step()) is not None:
            for draft in found[0]:
                if len(batches) < count:
                    batches += json.loads(draft.batches)
            progress(planning.counts, planning.share_read)
            _require_going(stopped())
        return batches[:count], planning.facts(), planning.counts


@asynccontextmanager
async def _planning(ready: Ready, exclusions: Exclusions, now: datetime, stopped: Stopped) -> AsyncIterator[Planning]:
    cancelled = threading.Event()
    planning = await _in_thread(partial(Planning, ready, exclusions, now, stopped, cancelled), cancelled)
    try:
        yield planning
    finally:
        planning.close()


async def _in_thread(work: Callable[[], T], cancelled: threading.Event) -> T:
    """Do work in a thread; when the caller is cancelled, tell the work and wait until it has let go of its files."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it has been seen: nobody is left to be told
        raise


def _require_going(is_stopped: bool) -> None:
    if is_stopped:
        remedy = "Run the same command again: it plans the campaign anew."
        raise CampaignError("The plan was interrupted; nothing was sent.", code="interrupted", remedy=remedy)


def row_values(ready: Ready, row: int | None, stopped: Stopped) -> dict[str, Any] | None:
    """Return the template's values in one row of the audience, or in the first valid one; None when there is none."""
    with audience_of(ready.campaign, stopped) as audience:
        rows = audience.values(ready.template.variables)
        return next((values for number, _, values in rows if row in (None, number)), None)
