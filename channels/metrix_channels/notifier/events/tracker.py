"""Sends users and events: groups them by user, gives them unique ids and times, and retries like for messages."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from attrs import frozen

from ...api import EVENTS, Exchange, MetrixClient, encode
from ...delivery import Attempts, Part, Request, Result, Verdict
from ...errors import EventInvalid, LedgerError, problem
from ...events import (
    AHEAD_MS,
    Event,
    EventFields,
    MetrixUser,
    ProfileFields,
    body_of,
    occurrence,
    occurrence_reader,
    profile,
    profile_of,
)
from ...ledger import EventTimes, Wanted
from ...outcomes import EventReceipt, Outcome
from ...process import wall_clock
from ..conclusion import raise_unless_event_accepted
from ..engine import Engine
from .report import Counts, EventsReport, WatchEvents
from .sources import Source, events_of

_A_REQUEST: Final = 100
"""How many messages of one user share a request; Metrix documents no limit."""
_A_CHUNK: Final = 2_000
"""How many events get their times in one transaction."""
_POLL_SECONDS: Final = 0.25
"""How long to wait before looking for free times of a user again."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Numbered = tuple[int, Event]
"""An event and the number of its record, from 1; in a file, its line."""


@frozen
class _Timed:
    """An event with its time.

    Attributes:
        number: the number of its record.
        event: the checked event.
        time: in Unix milliseconds; no other event of the user has it.
    """

    number: int
    event: Event
    time: int


@frozen
class _Batch:
    """Events of one user that share a request, by their ids; an id stays the same for all attempts."""

    user: tuple[str, str]
    events: dict[str, _Timed]


class _NoJournal:
    """Records nothing: the times of events are on disk before the first byte leaves, and that is enough."""

    async def intend(self, recipients: tuple[str, ...]) -> int:
        return 0

    async def settle(self, attempt: int, exchange: object, verdict: object) -> None:
        return

    def withdraw(self, attempt: int) -> None:
        return


class Tracker:
    """Tells Metrix about users and events.

    Args:
        engine: sends the requests.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._times = EventTimes(engine.book_file, AHEAD_MS)

    async def identify(self, user: str | MetrixUser, fields: ProfileFields) -> EventReceipt:
        """Send one profile; see `AsyncNotifier.identify`."""
        return await self.send(profile(user, fields, _now_ms()))

    async def track(self, user: str | MetrixUser, fields: EventFields) -> EventReceipt:
        """Send one event; see `AsyncNotifier.track`."""
        return await self.send(occurrence(user, fields, _now_ms(), self._engine.config.taxonomy))

    async def identify_many(self, source: Source, watch: WatchEvents | None) -> EventsReport:
        """Send many profiles; see `AsyncNotifier.identify_many`."""
        return await self.send_all(*events_of(source, profile_of), watch)

    async def track_many(self, source: Source, watch: WatchEvents | None) -> EventsReport:
        """Send many events; see `AsyncNotifier.track_many`."""
        return await self.send_all(*events_of(source, occurrence_reader(self._engine.config.taxonomy)), watch)

    async def send(self, event: Event) -> EventReceipt:
        """Send one event, or one profile.

        Raises:
            EventInvalid: event_time_repeated, event_times_used_up; no request was made.
            DeliveryError: one of its subclasses, with the receipt as `.event`.
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        self._engine.follow_loop()
        client = self._engine.clients.kept()
        grouped = await self._group([(1, event)], self._engine.config.metrix.deadline)
        if grouped is None:
            why = "the user already has an event at every millisecond of the next minute"
            raise EventInvalid(why, code="event_times_used_up")
        batches, repeated = grouped
        if repeated:
            raise EventInvalid(
                f"the user {event.user[1]!r:.80} already has an event of the time {event.time}",
                code="event_time_repeated",
            )
        [receipt] = _receipts(batches[0], await self._deliver(batches[0], client))
        raise_unless_event_accepted(receipt)
        return receipt

    async def send_all(self, count: int, events: Iterable[Numbered], watch: WatchEvents | None) -> EventsReport:
        """Send many events: up to 100 of one user share a request, and many requests run at once.

        Args:
            count: the number of events.
            events: already checked.
            watch: called with the report so far after each request.

        Raises:
            LedgerError: the ledger cannot be used; nothing was sent. Later failures are in the report.
        """
        self._engine.follow_loop()
        counts = Counts(count)
        client = self._engine.clients.for_many()
        try:
            remaining = iter(events)
            while chunk := list(islice(remaining, _A_CHUNK)):
                if counts.halted_by is None:
                    await self._send_chunk(chunk, client, counts, watch)
                else:
                    counts.leave_out(len(chunk))
        finally:
            await client.close()
        return counts.report()

    async def _send_chunk(
        self,
        chunk: Sequence[Numbered],
        client: MetrixClient,
        counts: Counts,
        watch: WatchEvents | None,
    ) -> None:
        grouped = await self._group_or_halt(chunk, counts)
        if grouped is None:
            counts.leave_out(len(chunk))
            return
        batches, repeated = grouped
        for number, event in repeated:
            counts.repeat(number, event)
        waiting = iter(batches)

        async def work() -> None:
            while counts.halted_by is None and (batch := next(waiting, None)):
                results = await self._deliver(batch, client)
                for receipt in _receipts(batch, results):
                    counts.count(batch.events[receipt.id].number, receipt)
                counts.end_batch(results)
                if watch is not None:
                    watch(counts.report())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._engine.config.metrix.concurrency, len(batches))):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        left = list(waiting)
        counts.leave_out(sum(len(batch.events) for batch in left))
        await self._times.settle([], [], [each for batch in left for each in self._times_of(batch, batch.events)])

    async def _group_or_halt(
        self, chunk: Sequence[Numbered], counts: Counts
    ) -> tuple[list[_Batch], list[Numbered]] | None:
        """Group events as `_group` does; if that is not possible any more, halt and return None.

        Raises:
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        try:
            if grouped := await self._group(chunk):
                return grouped
            counts.halted_by = problem("interrupted", "Sending was interrupted while it waited for free event times.")
        except LedgerError as error:
            if not counts.has_begun:
                raise
            counts.halted_by = error.problem  # the caller must learn what was sent before
        return None

    async def _group(
        self, chunk: Sequence[Numbered], patience: float = math.inf
    ) -> tuple[list[_Batch], list[Numbered]] | None:
        """Group events by user, reserve their times, and give them ids.

        Args:
            chunk: events in any order; the events of one user keep their order.
            patience: how many seconds to wait while a user has no free time.

        Returns:
            The batches, and the events whose time the user already has; None if the wait or the process ended.
        """
        by_user: dict[tuple[str, str], list[Numbered]] = {}
        for numbered in chunk:
            by_user.setdefault(numbered[1].user, []).append(numbered)
        wanted = [Wanted(self._key(user), [event.time for _, event in group]) for user, group in by_user.items()]
        clock = asyncio.get_running_loop().time
        ends = clock() + patience
        while (taken := await self._times.take(wanted)) is None:
            if clock() + _POLL_SECONDS > ends or self._engine.is_stopped:
                return None
            await asyncio.sleep(_POLL_SECONDS)
        batches: list[_Batch] = []
        repeated: list[Numbered] = []
        for (user, group), times in zip(by_user.items(), taken, strict=True):
            timed = iter([_Timed(*each, at) for each, at in zip(group, times, strict=True) if at is not None])
            repeated += [each for each, at in zip(group, times, strict=True) if at is None]
            while several := list(islice(timed, _A_REQUEST)):
                batches.append(_Batch(user, {str(uuid.uuid4()): one for one in several}))
        return batches, repeated

    async def _deliver(self, batch: _Batch, client: MetrixClient) -> list[Result]:
        attempts = Attempts(client, self._engine.observer)

        async def post(names: tuple[str, ...], seconds: float) -> tuple[Exchange, Verdict]:
            messages = [batch.events[name].event.message(name, batch.events[name].time) for name in names]
            body = encode(body_of(batch.user, messages))
            return await attempts.make(Request(path=EVENTS, body=body, recipients=1, reference=batch.user[1]), seconds)

        ends = asyncio.get_running_loop().time() + self._engine.config.metrix.deadline
        delivery = self._engine.delivery(post, _NoJournal(), channel=None)
        try:
            results = await delivery.run([Part(tuple(batch.events))], ends)
        except BaseException:
            with suppress(LedgerError):
                await self._times.settle([], self._times_of(batch, batch.events), [])
            raise
        with_outcome = {
            outcome: [name for result in results if result.outcome is outcome for name in result.recipients]
            for outcome in Outcome
        }
        await self._times.settle(
            self._times_of(batch, with_outcome[Outcome.ACCEPTED]),
            self._times_of(batch, with_outcome[Outcome.UNKNOWN]),
            self._times_of(batch, with_outcome[Outcome.REJECTED] + with_outcome[Outcome.NOT_SENT]),
        )
        return results

    def _times_of(self, batch: _Batch, names: Iterable[str]) -> list[tuple[str, int]]:
        key = self._key(batch.user)
        return [(key, batch.events[name].time) for name in names]

    def _key(self, user: tuple[str, str]) -> str:
        return "\0".join((self._engine.app_id, *user))


def _receipts(batch: _Batch, results: Iterable[Result]) -> list[EventReceipt]:
    return [
        EventReceipt(
            id=name,
            user=batch.user[1],
            type=batch.events[name].event.type,
            time=_EPOCH + timedelta(milliseconds=batch.events[name].time),
            outcome=result.outcome,
            attempts=result.attempts,
            status_code=result.status,
            possible_duplicate=result.possible_duplicate,
            error=result.problem,
        )
        for result in results
        for name in result.recipients
    ]


def _now_ms() -> int:
    return wall_clock.milliseconds()
