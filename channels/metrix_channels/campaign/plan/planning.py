"""Turns a campaign file into a planned run in the ledger; an incomplete plan is removed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar, cast

from attrs import frozen

from ...config import Channel, Config
from ...errors import CampaignError
from ...ledger import CANARY_WAITS, SENSITIVE, Counts, Draft, RunBook, RunRecord, Skip
from ...process import wall_clock
from ..audience.given_rows import TakenRows
from ..audience.reader import ABSENT, Chunk
from ..audience.source import Stopped
from ..audience_source import DamagedIds
from ..cost import cost_of, require_within_cost
from ..definition import AfterCanary, Campaign
from ..exclusions.exclusions import Exclusions
from ..locales import CampaignTemplates
from ..renderer import MessageRenderer, RowEmpty
from .faults import Faults
from .findings import Findings
from .locale_counts import LocaleCounts
from .opening import open_rows
from .pins import pins_of
from .planner import Planner
from .row_values import RowValues

T = TypeVar("T")
U = TypeVar("U")

_STEP_SECONDS: Final = 0.1
"""The time between two commits."""

Progress = Callable[[Counts, float | None], None]
"""Called with the counts so far and the share of the audience that has been read, if known."""


@frozen
class Ready:
    """A campaign that can be planned.

    Attributes:
        campaign: its file.
        config: the configuration.
        channel: a verified channel.
        templates: the compiled templates.
        given: rows of a program, which replace the audience of the file.
    """

    campaign: Campaign
    config: Config
    channel: Channel
    templates: CampaignTemplates
    given: TakenRows | None = None


class Planning:
    """A plan in progress; its audience is read once.

    Args:
        ready: what to plan.
        exclusions: recipients who are sent nothing.
        now: the run's start.
        stopped: returns True to stop.
        cancelled: set when the caller no longer waits for the plan.
    """

    def __init__(
        self, ready: Ready, exclusions: Exclusions, now: datetime, stopped: Stopped, cancelled: threading.Event
    ) -> None:
        campaign = ready.campaign
        self._ready = ready
        self._cancelled = cancelled
        self._audience = open_rows(campaign.audience, ready.given, lambda: cancelled.is_set() or stopped())
        templates = ready.templates
        wanted = self._audience.wanted(wanted_of(templates, self._audience.columns))
        self._chunks: Iterator[Chunk] = self._audience.chunks(wanted)
        self._locales = LocaleCounts(templates)
        self._planner = Planner(
            MessageRenderer(templates.by_locale, ready.channel.type, campaign.context, now, campaign.on_empty),
            RowValues(wanted, plain=self._audience.is_plain, templates=templates),
            self._locales,
            batch_size=ready.config.metrix.batch_size,
            canary=campaign.canary.first if campaign.canary else 0,
            exclusions=exclusions,
            findings=Findings(self._audience.name, campaign.audience.damaged_ids is DamagedIds.REFUSE),
            faults=Faults(self._audience.columns or ()),
        )
        self._finishing: Iterator[None] | None = None

    @property
    def counts(self) -> Counts:
        """The counts so far."""
        return self._planner.counts

    @property
    def share_read(self) -> float | None:
        """The share of the audience that has been read; None if its size is not known."""
        return self._audience.share_read

    async def step(self) -> tuple[list[Draft], list[Skip]] | None:
        """Plan the next rows and return what to write to the ledger; None when the plan is complete.

        Raises:
            CampaignError: audience_invalid, plan_failed, audience_empty.
        """
        return self._planner.taken() if await _in_thread(self._step, self._cancelled) else None

    def pins(self) -> dict[str, Any]:
        """Return the pins of the run; the plan must be complete."""
        ready = self._ready
        templates = ready.templates.pinned(self._locales.used)
        return pins_of(ready.campaign, ready.config, ready.channel, templates, self._audience.digest)

    def facts(self) -> dict[str, Any]:
        """Return the facts of the plan; it must be complete.

        Raises:
            CampaignError: cost_exceeded.
        """
        facts: dict[str, Any] = dict(self._planner.facts())
        cost = cost_of(facts["sms_encodings"], self._ready.channel)
        require_within_cost(self._ready.campaign, cost)
        canary = self._ready.campaign.canary
        return {
            **facts,
            **({} if cost is None else {"cost": cost}),
            "cautions": {**facts["cautions"], **self._audience.cautions},
            "canary": min(canary.first, self.counts.pending) if canary else 0,
            **({CANARY_WAITS: True} if canary and canary.then is AfterCanary.PAUSE else {}),
            "batch_size": self._ready.config.metrix.batch_size,
            SENSITIVE: sorted(self._ready.templates.sensitive),
        }

    def close(self) -> None:
        """Close the audience and delete temporary files."""
        self._planner.close()
        self._audience.close()

    def _step(self) -> bool:
        until = time.monotonic() + _STEP_SECONDS
        for chunk in self._chunks:
            self._planner.take(chunk)
            if time.monotonic() >= until:
                return True
        if self._finishing is None:
            self._finishing = self._planner.finish()
        return next(self._finishing, self) is not self


async def plan(
    ready: Ready,
    name: str,
    book: RunBook,
    exclusions: Exclusions,
    progress: Progress,
    stopped: Stopped,
) -> RunRecord:
    """Plan a whole run. After an error, nothing of it is left.

    Raises:
        CampaignError: run_busy, run_exists, audience_invalid, plan_failed, audience_empty, interrupted.
    """
    path, folder = ready.campaign.path, ready.config.path.parent
    file = path.relative_to(folder) if path.is_relative_to(folder) else path  # a project may be moved
    record = await book.draft(name, str(file), {})
    try:
        async with _planning(ready, exclusions, record.started_at, stopped) as planning:
            found = await planning.step()
            while found is not None:
                counts = planning.counts.copy()
                found, control = await _both(planning.step(), book.add(record.id, *found, counts))
                progress(counts, planning.share_read)
                _require_going(stopped() or control is not None)
            return await book.complete(record.id, planning.pins(), planning.facts(), planning.counts)
    except BaseException:
        await asyncio.shield(book.discard(record.id))
        raise


async def first_batches(
    ready: Ready, exclusions: Exclusions, count: int, progress: Progress, stopped: Stopped
) -> tuple[list[tuple[dict[str, object], list[str]]], Mapping[str, Any], Counts]:
    """Plan without writing to the ledger; return the first batches, the facts and the counts.

    Raises:
        CampaignError: audience_invalid, plan_failed, audience_empty, interrupted.
    """
    batches: list[tuple[dict[str, object], list[str]]] = []
    async with _planning(ready, exclusions, wall_clock.now(), stopped) as planning:
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
    """Run work in a thread. If the caller is cancelled, signal the work and wait until it has closed its files."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # mark it as retrieved: nobody waits for it any more
        raise


async def _both(step: Coroutine[Any, Any, T], writing: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Plan the next rows while the last ones are written; an error waits until both have ended."""
    planned, written = await asyncio.gather(step, writing, return_exceptions=True)
    for result in (written, planned):
        if isinstance(result, BaseException):
            raise result
    return cast(tuple[T, U], (planned, written))


def _require_going(is_stopped: bool) -> None:
    if is_stopped:
        remedy = "Run the same command again. It plans the campaign from the start."
        raise CampaignError("The plan was interrupted; nothing was sent.", code="interrupted", remedy=remedy)


def wanted_of(templates: CampaignTemplates, columns: Collection[str] | None) -> frozenset[str]:
    """Return the names of the values that a campaign reads from each row.

    Args:
        templates: of the campaign.
        columns: of the audience; None if each row has its own.

    Raises:
        CampaignError: audience_invalid, if the column of the locale is missing.
    """
    locale = templates.column
    if locale is None:
        return templates.variables
    if columns is not None and locale not in columns:
        near = get_close_matches(locale, columns, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the columns are {', '.join(map(repr, islice(columns, 20)))}"
        raise CampaignError(
            f"the audience has no column {locale!r}, which names the locale of each row; {hint}",
            code="audience_invalid",
            remedy="Name the column in the campaign file: `locale: {column: COLUMN, default: fa}`.",
        )
    return templates.variables | {locale}


def row_values(ready: Ready, row: int | None, stopped: Stopped) -> tuple[str | None, dict[str, Any]] | None:
    """Return the locale and the template values of one row of the audience, or of the first row that would be sent to.

    Returns:
        None if there is no such row; the locale is None for the template without a locale.

    Raises:
        TemplateError, MessageInvalid: the row cannot be sent.
        RowEmpty: `on_empty` skips this row.
    """
    campaign, templates = ready.campaign, ready.templates
    renderer = MessageRenderer(
        templates.by_locale, ready.channel.type, campaign.context, wall_clock.now(), campaign.on_empty
    )
    with open_rows(campaign.audience, ready.given, stopped) as audience:
        for number, _, values in audience.values(wanted_of(templates, audience.columns)):
            if row not in (None, number):
                continue
            locale, used = _values_of_locale(ready, values)
            try:
                renderer.render(used if templates.column is None else templates.values_of(locale or "", used))
            except RowEmpty:
                if row is None:
                    continue
                raise
            return locale, used
    return None


def _values_of_locale(ready: Ready, values: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the locale of a row, and the values that the template of the locale uses."""
    templates = ready.templates
    if templates.column is None:
        rule = ready.campaign.locale
        return rule.default if rule else None, values
    locale = templates.locale_of(values.get(templates.column, ABSENT)).name
    used = templates.by_locale[locale].variables
    return locale or None, {name: value for name, value in values.items() if name in used}
