"""Campaigns from beginning to end: plan, wait for the schedule, dispatch, and leave the run in a state with a name."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from ..api import MetrixClient, Policy
from ..config import ConfigFile, require_verified
from ..errors import CampaignError, MetrixChannelsError, problem
from ..ledger import (
    APPROVED,
    DOUBT,
    OVER,
    Batch,
    BatchState,
    Database,
    Parcel,
    RunRecord,
    RunState,
    SendBook,
    SkipReason,
    SoleRunBook,
    Tally,
    Wish,
    Witness,
    every_parcel,
    interrupted_parcels,
    open_parcels,
)
from ..logs import say
from ..models import ChannelType, OnAmbiguous
from ..outcomes import Problem
from ..templating import Templates
from .audience import audience_digest
from .calendar import quiet_until, too_late
from .definition import STDIN, Campaign, checked_name, load_campaign
from .dispatch import Dispatch, Ending, Surroundings, Terms
from .pace import Pace
from .pins import pins_of, require_unchanged, sources_of
from .planning import Progress, Ready, first_batches, plan, row_values
from .posting import posting
from .results import CampaignPreview, CampaignProgress, CampaignStatus, Watcher
from .screens import Screens
from .wording import Wording, request_body

_SHOWN: Final = 20
_POLL: Final = 0.5
_TELL: Final = 0.1
_ENDED: Final = {
    RunState.FINISHED: "run_finished",
    RunState.FINISHED_WITH_ERRORS: "run_finished",
    RunState.CANCELLED: "run_cancelled",
}


Confirm = Callable[[CampaignStatus], bool]
"""Is shown a plan and says whether to go on."""


class Campaigns:
    """The campaigns of one configuration.

    Args:
        file: the configuration.
        templates: the folder of the templates.
        database: the ledger.
        client: opens a client for many requests, with credentials read now.
        witness: takes note of every attempt.
        stop: when set, no further attempt is begun.
    """

    def __init__(
        self,
        file: ConfigFile,
        templates: Templates,
        database: Database,
        client: Callable[[], MetrixClient],
        witness: Witness,
        stop: asyncio.Event,
    ) -> None:
        self._file = file
        self._templates = templates
        self._sends = SendBook(database)
        self._client = client
        self._witness = witness
        self._stop = stop
        self.book = SoleRunBook(database)

    async def run(
        self,
        path: Path,
        *,
        name: str | None = None,
        canary: int | None = None,
        watch: Watcher | None = None,
        confirm: Confirm | None = None,
    ) -> RunRecord:
        """Plan a campaign and dispatch it, or take up its halted or interrupted run.

        Args:
            path: of the campaign file.
            name: in place of the file's own.
            canary: in place of the file's own.
            confirm: shown a new plan; when it says no, nothing of it is left.
            watch: told how far the run has come.

        Returns:
            The run as it is left: finished, finished_with_errors, halted, paused, cancelled or interrupted.

        Raises:
            ConfigError, TemplateError: of the files.
            ChannelUnverified: nobody tested the channel; no request was made.
            CampaignError: plan_failed, audience_invalid, audience_empty, run_busy, run_finished, run_cancelled,
                run_paused, run_pinned, schedule_missed, interrupted.
            LedgerError: the books cannot be kept.
        """
        campaign = _named(load_campaign(path), name, canary)
        found = await self.book.find(campaign.name)
        if found is None:
            ready = self._ready(campaign)
            _require_in_time(campaign, None)
            record = await self._plan(ready, watch)
            if confirm is not None and not await asyncio.to_thread(confirm, CampaignStatus.of(record)):
                await self.book.discard(record.id)
                raise CampaignError("Not confirmed; nothing was sent.", code="interrupted")
        else:
            _require_resumable(found)
            if found.state is RunState.PAUSED:
                raise CampaignError(f"The campaign {campaign.name!r} is paused.", code="run_paused")
            ready = self._ready(campaign)
            record = await self._taken(found, ready)
        return await self._dispatch(record, ready, watch)

    async def resume(self, name: str, *, watch: Watcher | None = None) -> RunRecord:
        """Go on with a paused, halted or interrupted run; see `run`."""
        found = await self.book.get(name)
        _require_resumable(found)
        ready = self._ready(_named(load_campaign(Path(found.file)), name, None))
        return await self._dispatch(await self._taken(found, ready), ready, watch)

    async def retry(self, name: str, which: BatchState, *, watch: Watcher | None = None) -> RunRecord:
        """Move what was rejected, or is unknown, back to pending, and dispatch.

        Args:
            name: the campaign's.
            which: REJECTED or UNKNOWN.
            watch: told how far the run has come.

        Raises:
            CampaignError: run_busy, run_cancelled, run_purged, run_pinned, run_missing; and those of `run`.
        """
        found = await self.book.get(name)
        if found.state is RunState.CANCELLED:
            raise CampaignError(f"The campaign {name!r} was cancelled.", code="run_cancelled")
        found.require_recipients()
        ready = self._ready(_named(load_campaign(Path(found.file)), name, None))
        record = await self._taken(found, ready)
        count = record.tally.rejected if which is BatchState.REJECTED else record.tally.unknown

        def back(parcel: Parcel, tally: Tally) -> None:
            for batch in parcel.taken():
                if batch.state is which:
                    batch.flags |= APPROVED
                    _move(batch, BatchState.PENDING, tally)

        record = evolve(record, tally=await self.book.settle_all(record, back, every_parcel))
        await self.book.note(record.id, f"retry {which.name.lower()}", f"{count} recipients")
        return await self._dispatch(record, ready, watch)

    async def pause(self, name: str) -> RunRecord:
        """Let a run rest until `resume`: a live one ends its requests in flight first."""
        found = await self.book.get(name)
        _require_resumable(found)
        if not (await self.book.wish(name, Wish.PAUSE)).live:
            record = await self.book.take(name)
            await self.book.leave(record.id, RunState.PAUSED, record.tally)
        return await self._left(name)

    async def cancel(self, name: str) -> RunRecord:
        """End a run for good; whoever is pending is sent nothing."""
        found = await self.book.get(name)
        _require_resumable(found)
        if not (await self.book.wish(name, Wish.CANCEL)).live:
            record = await self.book.take(name)
            await self._cancel(record)
        return await self._left(name)

    async def preview(
        self, path: Path, *, name: str | None = None, canary: int | None = None, watch: Watcher | None = None
    ) -> CampaignPreview:
        """Plan a campaign and show its first requests; nothing is sent or written down.

        Raises:
            Those of `run` before its first request.
        """
        ready = self._ready(_named(load_campaign(path), name, canary))
        screens = await Screens.built(ready.campaign, self._lists(ready), self.book)
        try:
            batches, facts, tally = await first_batches(ready, screens, _SHOWN, _planning(watch))
        finally:
            screens.close()
        wording = Wording(ready.template, ready.channel.type, ready.campaign.context, datetime.now(UTC))
        client = self._client()
        bodies = [request_body(recipients, wording.said(values)) for values, recipients in batches]  # type: ignore[arg-type]
        await client.close()
        return CampaignPreview([client.shown_request(json.loads(body)) for body in bodies], tally, dict(facts))

    async def example(self, path: Path, row: int | None) -> tuple[Campaign, dict[str, Any]]:
        """Return a campaign and the values of one row, to try its message.

        Args:
            path: of the campaign file.
            row: its number, from 1; None for the first that can be sent to.

        Raises:
            CampaignError: audience_invalid; row_missing.
        """
        ready = self._ready(load_campaign(path))
        values = await asyncio.to_thread(row_values, ready, row)
        if values is None:
            which = "no row that can be sent to" if row is None else f"no row {row} that can be sent to"
            raise CampaignError(f"The audience has {which}.", code="row_missing")
        return ready.campaign, {**ready.campaign.context, **values}

    # -- steps

    def _ready(self, campaign: Campaign) -> Ready:
        """Pass the gate and find what the campaign needs."""
        config = self._file.current()
        channel = config.channel(campaign.channel)
        require_verified(channel, config.metrix.resolve_app_id(), datetime.now(UTC))
        config.metrix.credentials()
        template = self._templates.find(campaign.template, channel.name, channel.type, campaign.locale)
        return Ready(campaign, config, channel, template)

    async def _plan(self, ready: Ready, watch: Watcher | None) -> RunRecord:
        screens = await Screens.built(ready.campaign, self._lists(ready), self.book)
        try:
            record = await plan(ready, ready.campaign.name, self.book, screens, _planning(watch), self._stop.is_set)
        finally:
            screens.close()
        say(logging.INFO, "campaign planned", campaign=record.name, recipients=record.tally.pending)
        return record

    async def _taken(self, found: RunRecord, ready: Ready) -> RunRecord:
        """Become the process that works on a run, after a look at what it is pinned to."""
        if found.live:
            raise CampaignError(f"Another process works on the campaign {found.name!r}.", code="run_busy")
        file = ready.campaign.audience.file
        digest = found.pins["audience"]["digest"] if file == STDIN else await asyncio.to_thread(audience_digest, file)
        require_unchanged(found, pins_of(ready.campaign, ready.config, ready.channel, ready.template, digest))
        record = await self.book.take(found.name)
        if record.tally.sending:
            after = BatchState.UNKNOWN if _on_ambiguous(ready) is OnAmbiguous.HOLD else BatchState.PENDING

            def settle(parcel: Parcel, tally: Tally) -> None:
                for batch in parcel.taken():
                    if batch.state is BatchState.SENDING:
                        batch.flags |= DOUBT
                        _move(batch, after, tally)

            record = evolve(record, tally=await self.book.settle_all(record, settle, interrupted_parcels))
        return record

    async def _dispatch(self, record: RunRecord, ready: Ready, watch: Watcher | None) -> RunRecord:
        """Dispatch a run that this process took, and leave it in a state with a name."""
        screens: Screens | None = None
        client: MetrixClient | None = None
        try:
            if (ending := await self._wait_for_schedule(record, ready.campaign)) is None:
                screens = await Screens.built(ready.campaign, self._lists(ready), self.book, record.id)
                client = self._client()
                ending = await self._send(record, ready, screens, client, watch)
        except CampaignError as error:
            await self.book.leave(record.id, RunState.HALTED, record.tally, error.problem)
            raise
        except BaseException:
            await asyncio.shield(self.book.leave(record.id, RunState.INTERRUPTED, record.tally))
            raise
        finally:
            if screens is not None:
                screens.close()
            if client is not None:
                await client.close()
        if ending.wish is Wish.CANCEL:
            await self._cancel(record)
        else:
            await self.book.leave(record.id, _state(ending, record.tally), record.tally, ending.problem)
        left = await self._left(record.name)
        code = None if left.halted_by is None else left.halted_by.code
        level = logging.WARNING if code else logging.INFO
        say(level, f"campaign {left.state.value}", campaign=left.name, recipients=left.tally.pending, code=code)
        return left

    async def _send(
        self, record: RunRecord, ready: Ready, screens: Screens, client: MetrixClient, watch: Watcher | None
    ) -> Ending:
        campaign, settings = ready.campaign, ready.config.metrix
        say(logging.INFO, "campaign dispatched", campaign=record.name, recipients=record.tally.pending)
        template = self._templates.pinned(sources_of(record.pins))
        wording = Wording(
            template, ChannelType(record.pins["channel"]["type"]), record.pins["context"], record.started_at
        )

        async def screen(recipients: Sequence[str]) -> dict[str, SkipReason]:
            await screens.look_again(record.id)
            return screens.barred(recipients)

        around = Surroundings(
            push=posting(client, self._witness, record, ready),
            admit=self._gate(ready),
            turn=self._pace(ready).turn,
            quiet=_quiet(campaign),
            screen=screen if screens.bar_anybody else None,
            observe=_sending(watch, record.tally),
            stop=self._stop,
        )
        policy = Policy(
            settings.max_attempts, settings.timeout, settings.deadline, _on_ambiguous(ready), settings.split_refused
        )
        most = campaign.limits.max_failures
        return await Dispatch(
            record, self.book.hold(record.id), wording, Terms(policy, settings.concurrency, most, most or 0), around
        ).run()

    async def _wait_for_schedule(self, record: RunRecord, campaign: Campaign) -> Ending | None:
        """Wait until the schedule's time; an ending when something else comes first."""
        _require_in_time(campaign, record)
        if campaign.schedule is None or record.tally.requests:
            return None
        shown = False
        while (left := (campaign.schedule.at - datetime.now(UTC)).total_seconds()) > 0:
            if not shown:
                await self.book.become(record.id, RunState.WAITING)
                shown = True
            if (wish := await self.book.hold(record.id).wished()) is not None:
                return Ending(wish=wish)
            try:
                async with asyncio.timeout(min(left, _POLL)):
                    await self._stop.wait()
                    return Ending(interrupted=True)
            except TimeoutError:
                continue
        if shown:
            await self.book.become(record.id, RunState.RUNNING)
        return None

    async def _cancel(self, record: RunRecord) -> None:
        def cancel(parcel: Parcel, tally: Tally) -> None:
            for batch in parcel.taken():
                if batch.state is BatchState.SENDING:
                    batch.flags |= DOUBT
                    _move(batch, BatchState.UNKNOWN, tally)
                elif batch.state is BatchState.PENDING:
                    _move(batch, BatchState.CANCELLED, tally)

        tally = await self.book.settle_all(record, cancel, open_parcels)
        await self.book.leave(record.id, RunState.CANCELLED, tally)

    async def _left(self, name: str) -> RunRecord:
        return await self.book.get(name)

    def _lists(self, ready: Ready) -> list[Path]:
        return [*ready.config.suppress, *ready.campaign.suppress]

    def _gate(self, ready: Ready) -> Callable[[], Problem | None]:
        name, app_id = ready.channel.name, ready.config.metrix.resolve_app_id()

        def admit() -> Problem | None:
            try:
                require_verified(self._file.current().channel(name), app_id, datetime.now(UTC))
            except MetrixChannelsError as error:
                return problem(error.code, error.message)
            return None

        return admit

    def _pace(self, ready: Ready) -> Pace:
        shared = ready.config.metrix.rate_limit
        if shared is None:
            return Pace(ready.campaign.limits.rate, None)

        async def turn() -> float:
            while (wait := await self._sends.pace(shared, _LONGEST_BOOKING)) is None:  # noqa: ASYNC110 - of all processes
                await asyncio.sleep(_POLL)
            return wait

        return Pace(ready.campaign.limits.rate, turn)


_LONGEST_BOOKING: Final = 2.0


def _planning(watch: Watcher | None) -> Progress:
    def told(tally: Tally, share: float | None) -> None:
        if watch is not None:
            watch(CampaignProgress.of(tally, share, planning=True))

    return told


def _sending(watch: Watcher | None, tally: Tally) -> Callable[[], None]:
    if watch is None:
        return lambda: None
    told_at = 0.0

    def told() -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= _TELL or not tally.pending:
            told_at = now
            watch(CampaignProgress.of(tally, None, planning=False))

    return told


def _named(campaign: Campaign, name: str | None, canary: int | None) -> Campaign:
    return evolve(
        campaign,
        name=campaign.name if name is None else checked_name(name),
        canary=campaign.canary if canary is None else canary,
    )


def _on_ambiguous(ready: Ready) -> OnAmbiguous:
    return ready.campaign.on_ambiguous or ready.config.on_ambiguous


def _require_resumable(record: RunRecord) -> None:
    if record.state in OVER:
        raise CampaignError(f"The campaign {record.name!r} is {record.state}.", code=_ENDED[record.state])


def _require_in_time(campaign: Campaign, record: RunRecord | None) -> None:
    """Refuse a first dispatch that comes too late: an old schedule must not fire from a restored backup."""
    begun = record is not None and record.tally.requests > 0
    if campaign.schedule is not None and not begun and too_late(datetime.now(UTC), campaign.schedule):
        raise CampaignError(
            f"The campaign {campaign.name!r} was to begin at {campaign.schedule.at.isoformat()}.",
            code="schedule_missed",
        )


def _quiet(campaign: Campaign) -> Callable[[], float]:
    hours = campaign.quiet_hours
    if hours is None:
        return lambda: 0.0

    def quiet() -> float:
        now = datetime.now(UTC)
        until = quiet_until(now, hours)
        return (until - now).total_seconds() if until is not None else 0.0

    return quiet


def _state(ending: Ending, tally: Tally) -> RunState:
    if ending.problem is not None:
        return RunState.HALTED
    if ending.wish is Wish.PAUSE:
        return RunState.PAUSED
    if ending.interrupted:
        return RunState.INTERRUPTED
    return RunState.FINISHED_WITH_ERRORS if tally.rejected + tally.unknown else RunState.FINISHED


def _move(batch: Batch, state: BatchState, tally: Tally) -> None:
    tally.move(len(batch.recipients), batch.state, state)
    batch.state = state
    batch.save()
