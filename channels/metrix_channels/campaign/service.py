"""Runs campaigns: plans them, waits for the schedule, dispatches them and records their state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from ..api import push_body
from ..config import require_verified, require_verified_at
from ..errors import CampaignError, ConfigError, campaign_error
from ..ledger import (
    OVER,
    BatchState,
    Counts,
    RetryRequest,
    RunBook,
    RunRecord,
    RunState,
    approved,
)
from ..logs import say
from ..printable import printable
from ..process import wall_clock
from .audience.given_rows import TakenRows
from .calendar import require_in_time
from .cost import cost_of, require_price, require_within_cost
from .definition import Campaign, Canary, checked_name, load_campaign
from .dispatch.sender import SendingResources
from .exclusions.exclusions import Exclusions
from .execution.base import Execution
from .locales import CampaignTemplates
from .plan.opening import digest_of_rows
from .plan.pins import pinned_locales, pins_of, require_unchanged
from .plan.planning import Progress, Ready, first_batches, plan, row_values, wanted_of
from .renderer import MessageRenderer, RowEmpty
from .report.outlook import outlook
from .report.status import CampaignPreview, CampaignProgress, CampaignStatus, Watcher

_SHOWN: Final = 20
_ENDED: Final = {
    RunState.FINISHED: "run_finished",
    RunState.FINISHED_WITH_ERRORS: "run_finished",
    RunState.CANCELLED: "run_cancelled",
}


Confirm = Callable[[CampaignStatus], bool]
"""Called with a plan; returns whether to send it."""


class Campaigns:
    """The campaigns of one configuration.

    Args:
        resources: for sending.
        execution: sends planned runs.
    """

    def __init__(self, resources: SendingResources, execution: Execution) -> None:
        self._resources = resources
        self._execution = execution
        self.book: RunBook = execution.book

    async def run(
        self,
        path: Path,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        confirm: Confirm | None = None,
        detach: bool = False,
        given: TakenRows | None = None,
    ) -> RunRecord:
        """Plan a campaign and dispatch it, or continue its halted or interrupted run.

        Args:
            path: of the campaign file.
            name: overrides the name in the file.
            canary: overrides the canary in the file.
            confirm: called with a new plan, or the rest of a run, before anything is sent. If it returns False, the
                plan is removed, or the run stays as it was.
            watch: called with the progress.
            detach: return as soon as workers have the run.
            given: rows of a program, which replace the audience of the file. To continue a run, pass the same rows.

        Returns:
            The status of the run: finished, finished_with_errors, halted, paused, cancelled or interrupted.

        Raises:
            ConfigError, TemplateError: of the files.
            ChannelUnverified: the channel has no recorded test; no request was made.
            CampaignError: plan_failed, audience_invalid, audience_empty, run_busy, run_finished, run_cancelled,
                run_paused, run_pinned, schedule_missed, interrupted.
            LedgerError: the ledger cannot be written.
        """
        self._require_detachable(detach)
        campaign = _named(load_campaign(path), name, canary)
        found = await self.book.find(campaign.name)
        if found is None:
            ready = self._ready_when_it_begins(campaign, given)
            require_in_time(campaign.name, campaign.schedule)
            record = await self._plan(ready, watch)
            if confirm is not None and not await asyncio.to_thread(confirm, await self._shown(ready, record)):
                await self.book.discard(record.id)
                raise _not_confirmed()
            return await self._execution.begin(record, campaign, self._lists(ready), watch, detach=detach)
        _require_resumable(found)
        if found.state is RunState.PAUSED:
            raise campaign_error(f"The campaign {campaign.name!r} is paused.", "run_paused", campaign.name)
        return await self._go_on(found, campaign, watch, confirm=confirm, detach=detach, given=given)

    async def resume(self, name: str, *, watch: Watcher | None = None, detach: bool = False) -> RunRecord:
        """Continue a paused, halted or interrupted run; see `run`."""
        self._require_detachable(detach)
        found = await self.book.get(name)
        _require_resumable(found)
        return await self._go_on(found, self._loaded(found), watch, detach=detach, releases=True)

    async def retry(self, name: str, which: BatchState, *, watch: Watcher | None = None) -> RunRecord:
        """Move rejected or unknown recipients back to pending, and dispatch them.

        Args:
            name: of the campaign.
            which: REJECTED or UNKNOWN.
            watch: called with the progress.

        Raises:
            CampaignError: run_busy, run_cancelled, run_purged, run_values_forgotten, run_pinned, run_missing; and
                those of `run`.
        """
        found = await self.book.get(name)
        if found.state is RunState.CANCELLED:
            raise campaign_error(f"The campaign {name!r} was cancelled.", "run_cancelled", name)
        found.require_sendable()
        count = found.counts.rejected if which is BatchState.REJECTED else found.counts.unknown

        back = RetryRequest(f"retry {which.name.lower()}", f"recipients: {count}", approved(which))
        return await self._go_on(found, self._loaded(found), watch, back)

    async def pause(self, name: str) -> RunRecord:
        """Pause a run after its requests in flight, until `resume`."""
        found = await self.book.get(name)
        _require_resumable(found)
        await self._execution.pause(found)
        return await self.book.get(name)

    async def cancel(self, name: str) -> RunRecord:
        """Cancel a run permanently; pending recipients are sent nothing."""
        found = await self.book.get(name)
        _require_resumable(found)
        await self._execution.cancel(found)
        return await self.book.get(name)

    async def preview(
        self,
        path: Path,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        given: TakenRows | None = None,
    ) -> CampaignPreview:
        """Plan a campaign and return its first requests. Nothing is sent or stored.

        Raises:
            As `run` before its first request.
        """
        ready = self._ready_when_it_begins(_named(load_campaign(path), name, canary), given)
        batches, facts, counts = await self._first_batches(ready, watch)
        renderer = MessageRenderer(
            ready.templates.by_locale, ready.channel.type, ready.campaign.context, wall_clock.now()
        )
        client = self._resources.client()
        bodies = [push_body(recipients, renderer.render_body(values)) for values, recipients in batches]  # type: ignore[arg-type]
        await client.close()
        return CampaignPreview([client.shown_request(body) for body in bodies], counts, dict(facts))

    async def check(self, path: Path) -> CampaignPreview:
        """Plan a whole campaign, even if its channel is not verified, and discard the plan.

        Raises:
            As `run` before its first request, except for those of an unverified channel.
        """
        ready = self._found(load_campaign(path))
        _, facts, counts = await self._first_batches(ready, None)
        require_in_time(ready.campaign.name, ready.campaign.schedule)
        self._require_verified_when_it_begins(ready)
        return CampaignPreview([], counts, dict(facts))

    async def example(
        self, path: Path, row: int | None, given: TakenRows | None = None
    ) -> tuple[Campaign, str | None, dict[str, Any]]:
        """Return a campaign with the locale and values of one row, to test its message.

        Args:
            path: of the campaign file.
            row: its number, from 1; None for the first row that would be sent to.
            given: rows from a program, instead of the file's audience.

        Raises:
            CampaignError: audience_invalid; row_missing.
            TemplateError, MessageInvalid: the row cannot be sent.
        """
        ready = self._ready(load_campaign(path), given)
        try:
            found = await asyncio.to_thread(row_values, ready, row, self._resources.stop.is_set)
        except RowEmpty:
            message = f"Row {row} is skipped: a value in its text is empty (`on_empty: skip`)."
            raise CampaignError(message, code="row_missing", remedy="Choose another row.") from None
        if found is None:
            which = "no row that can be sent to" if row is None else f"no row {row} that can be sent to"
            raise CampaignError(f"The audience has {which}.", code="row_missing")
        locale, values = found
        return ready.campaign, locale, {**ready.campaign.context, **values}

    # -- steps

    def _ready(self, campaign: Campaign, given: TakenRows | None = None) -> Ready:
        """Check the channel's verification and load what the campaign needs."""
        config = self._resources.file.current()
        require_verified(config.channel(campaign.channel), config.metrix.resolve_app_id(), wall_clock.now())
        config.metrix.credentials()
        return self._found(campaign, given)

    def _found(self, campaign: Campaign, given: TakenRows | None = None) -> Ready:
        config = self._resources.file.current()
        channel = config.channel(campaign.channel)
        require_price(campaign, channel)
        templates = CampaignTemplates(self._resources.templates, campaign, channel)
        return Ready(campaign, config, channel, templates, given)

    def _ready_when_it_begins(self, campaign: Campaign, given: TakenRows | None = None) -> Ready:
        """As `_ready`, and check that the verification is still valid at the scheduled start."""
        ready = self._ready(campaign, given)
        self._require_verified_when_it_begins(ready)
        return ready

    def _require_verified_when_it_begins(self, ready: Ready) -> None:
        if ready.campaign.schedule is not None:
            app_id = ready.config.metrix.resolve_app_id()
            require_verified_at(ready.channel, app_id, ready.campaign.schedule.at)

    async def _first_batches(
        self, ready: Ready, watch: Watcher | None
    ) -> tuple[list[tuple[dict[str, object], list[str]]], Mapping[str, Any], Counts]:
        exclusions = await Exclusions.built(ready.campaign, self._lists(ready), self.book)
        try:
            return await first_batches(ready, exclusions, _SHOWN, _planning(watch), self._resources.stop.is_set)
        finally:
            exclusions.close()

    async def _plan(self, ready: Ready, watch: Watcher | None) -> RunRecord:
        exclusions = await Exclusions.built(ready.campaign, self._lists(ready), self.book)
        try:
            record = await plan(
                ready, ready.campaign.name, self.book, exclusions, _planning(watch), self._resources.stop.is_set
            )
        finally:
            exclusions.close()
        say(logging.INFO, "campaign planned", campaign=record.name, recipients=record.counts.pending)
        return record

    async def _go_on(
        self,
        found: RunRecord,
        campaign: Campaign,
        watch: Watcher | None,
        back: RetryRequest | None = None,
        *,
        confirm: Confirm | None = None,
        detach: bool = False,
        given: TakenRows | None = None,
        releases: bool = False,
    ) -> RunRecord:
        """Check the pins of a run and continue it; `releases`: also continue a run that waits after its canary."""
        ready = self._ready_when_it_begins(campaign, given)
        if found.live and not self._execution.is_distributed:
            message = f"Another process is running the campaign {found.name!r}."
            raise campaign_error(message, "run_busy", found.name)
        if found.state is RunState.PLANNING:
            message = f"Another process is planning the campaign {found.name!r}."
            raise campaign_error(message, "run_busy", found.name)
        digest = await asyncio.to_thread(
            digest_of_rows,
            campaign.audience,
            given,
            partial(wanted_of, ready.templates),
            found.pins["audience"]["digest"],
            self._resources.stop.is_set,
        )
        templates = ready.templates.pinned(pinned_locales(found.pins))
        require_unchanged(found, pins_of(campaign, ready.config, ready.channel, templates, digest))
        require_within_cost(campaign, cost_of(found.facts.get("sms_encodings", {}), ready.channel))
        if confirm is not None and not found.live and not await asyncio.to_thread(confirm, CampaignStatus.of(found)):
            raise _not_confirmed()
        if releases:
            await self.book.release(found.name)
        return await self._execution.go_on(found, campaign, self._lists(ready), watch, back, detach=detach)

    async def _shown(self, ready: Ready, record: RunRecord) -> CampaignStatus:
        """Return the status of a new plan, for display before anything is sent."""
        renderer = MessageRenderer(
            ready.templates.by_locale, ready.channel.type, ready.campaign.context, record.started_at
        )
        return evolve(CampaignStatus.of(record), outlook=await outlook(self.book, record, renderer))

    def _require_detachable(self, detach: bool) -> None:
        if detach and not self._execution.is_distributed:
            raise ConfigError(
                "--detach needs workers, and workers need a ledger in PostgreSQL.", code="ledger_not_shared"
            )

    def _loaded(self, found: RunRecord) -> Campaign:
        """Load the campaign file of a run."""
        path = self._resources.file.current().path.parent / found.file
        if not path.exists():
            message = f"The file of the campaign {found.name!r}, {printable(str(path))}, no longer exists."
            raise ConfigError(message, code="file_unreadable", remedy="Put the file back at this path.")
        return _named(load_campaign(path), found.name, None)

    def _lists(self, ready: Ready) -> list[Path]:
        return [*ready.config.suppress, *ready.campaign.suppress]


def _planning(watch: Watcher | None) -> Progress:
    def told(counts: Counts, share: float | None) -> None:
        if watch is not None:
            watch(CampaignProgress.of(counts, share, planning=True))

    return told


def _named(campaign: Campaign, name: str | None, canary: int | None) -> Campaign:
    return evolve(
        campaign,
        name=campaign.name if name is None else checked_name(name),
        canary=campaign.canary if canary is None else _first(canary, campaign.canary),
    )


def _first(count: int, canary: Canary | None) -> Canary:
    return Canary(first=count) if canary is None else evolve(canary, first=count)


def _not_confirmed() -> CampaignError:
    remedy = "Run the same command again, and answer y to send it."
    return CampaignError("Not confirmed; nothing was sent.", code="interrupted", remedy=remedy)


def _require_resumable(record: RunRecord) -> None:
    if record.state in OVER:
        ended = "was cancelled" if record.state is RunState.CANCELLED else "has finished"
        raise campaign_error(f"The campaign {record.name!r} {ended}.", _ENDED[record.state], record.name)
