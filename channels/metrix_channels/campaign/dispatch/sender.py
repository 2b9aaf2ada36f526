"""A run on its way: what all parts of it that this process sends have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from ...api import PUSH, Exchange, MetrixClient
from ...config import ConfigFile, require_verified
from ...delivery import AttemptObserver, Attempts, Breaker, Holdback, Policy, Request, Verdict
from ...errors import MetrixChannelsError, problem
from ...ledger import Batch, Hold, RunRecord, SendBook, SkipReason, Tally
from ...models import ChannelType
from ...outcomes import Problem
from ...templating import Templates
from ..exclusions.exclusions import Screens
from ..options import Orders
from ..plan.pins import sources_of
from ..renderer import Wording
from ..report.status import CampaignProgress, Watcher
from .dispatcher import Dispatch, Surroundings, Terms
from .ending import Ending
from .lane import Post
from .rate_limiter import Pace

_LONGEST_BOOKING: Final = 2.0
_POLL: Final = 0.5
_TELL: Final = 0.1


@frozen
class Office:
    """What a process sends with.

    Attributes:
        file: the configuration.
        templates: compile what a run is pinned to.
        sends: the book that keeps the rates.
        client: opens a client for many requests, with credentials read now.
        observer: sees every attempt.
        stop: when set, no further attempt is begun.
        places: as many as this process may have requests under way.
    """

    file: ConfigFile
    templates: Templates
    sends: SendBook
    client: Callable[[], MetrixClient]
    observer: AttemptObserver
    stop: asyncio.Event
    places: asyncio.Semaphore


class Sender:
    """Sends a run, or parts of it beside each other.

    Args:
        office: what this process sends with.
        record: the run.
        orders: how it is to be sent.
        screens: who is sent nothing after all.
        shared: other processes send the same run, so that its own rate is the ledger's to keep.
    """

    def __init__(
        self,
        office: Office,
        record: RunRecord,
        orders: Orders,
        screens: Screens,
        *,
        shared: bool = False,
    ) -> None:
        self._office = office
        self._orders = orders
        self._screens = screens
        self._shared = shared
        settings = office.file.current().metrix
        self._concurrency = settings.concurrency
        self._policy = Policy(
            settings.max_attempts, settings.timeout, settings.deadline, orders.on_ambiguous, settings.split_refused
        )
        template = office.templates.pinned(sources_of(record.pins))
        channel_type = ChannelType(record.pins["channel"]["type"])
        self._wording = Wording(template, channel_type, record.pins["context"], record.started_at)
        self._breaker = Breaker()
        self._holdback = Holdback(asyncio.get_running_loop().time)
        self._pace = self._paced(record, settings.rate_limit)
        self._attempts = Attempts(office.client(), office.observer)
        self._post = _posting(self._attempts, record, self._wording)
        self._admit = self._gate(record)

    async def send(
        self, record: RunRecord, hold: Hold, lanes: int | None = None, watch: Watcher | None = None
    ) -> Ending:
        """Send what this process holds.

        Args:
            record: the run, whose counts follow what happens.
            hold: what is to be sent.
            lanes: so many requests at one time; None for the configuration's concurrency.
            watch: told how far it has come.

        Raises:
            LedgerError: the books could not be kept; no request was begun after that.
        """
        most = self._orders.max_failures
        terms = Terms(self._policy, min(lanes or self._concurrency, self._concurrency), most, most or 0)

        async def screen(recipients: Sequence[str]) -> dict[str, SkipReason]:
            await self._screens.look_again(record.id)
            return self._screens.barred(recipients)

        around = Surroundings(
            post=self._post,
            admit=self._admit,
            turn=self._pace.turn if self._pace.is_limited else None,
            quiet=self._orders.quiet_seconds,
            screen=screen if self._screens.bar_anybody else None,
            observe=_sending(watch, record.tally),
            stop=self._office.stop,
            places=self._office.places,
            breaker=self._breaker,
            holdback=self._holdback,
        )
        return await Dispatch(record, hold, self._wording, terms, around).run()

    async def close(self) -> None:
        """Let go of connections and of what was written to disk."""
        self._screens.close()
        await self._attempts.close()

    def _gate(self, record: RunRecord) -> Callable[[], Problem | None]:
        name, app_id, file = record.pins["channel"]["name"], record.pins["app_id"], self._office.file

        def admit() -> Problem | None:
            try:
                require_verified(file.current().channel(name), app_id, datetime.now(UTC))
            except MetrixChannelsError as error:
                return problem(error.code, error.message)
            return None

        return admit

    def _paced(self, record: RunRecord, limit: float | None) -> Pace:
        """Return the places under the limits: those that processes share are the ledger's to give."""
        shared = [] if limit is None else [self._booking(limit, 0)]
        rate = self._orders.rate
        if rate is not None and self._shared:
            shared.append(self._booking(rate, record.id))
            rate = None
        return Pace(rate, shared)

    def _booking(self, rate: float, run: int) -> Callable[[], Awaitable[float]]:
        async def turn() -> float:
            while (wait := await self._office.sends.pace(rate, _LONGEST_BOOKING, run)) is None:  # noqa: ASYNC110 - of all processes
                await asyncio.sleep(_POLL)
            return wait

        return turn


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


def _posting(attempts: Attempts, record: RunRecord, wording: Wording) -> Post:
    """Return what makes the attempts of a run; `wording` knows which values nobody may see."""
    channel = record.pins["channel"]["name"]

    async def post(batch: Batch, body: bytes, seconds: float) -> tuple[Exchange, Verdict]:
        request = Request(
            path=PUSH,
            body=body,
            recipients=len(batch.recipients),
            reference=record.name,
            channel=channel,
            campaign=record.name,
            batch=batch.name,
        )
        return await attempts.make(request, seconds, wording.secrets(batch.values))  # type: ignore[arg-type]

    return post
