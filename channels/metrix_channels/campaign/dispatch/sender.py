"""Sends a run: holds what all dispatches of one run in this process share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from attrs import frozen

from ...api import PUSH, Exchange, MetrixClient
from ...config import ConfigFile, require_verified
from ...delivery import (
    AttemptObserver,
    Attempts,
    CircuitBreaker,
    Holdback,
    Limit,
    Policy,
    ProcessLimit,
    RateLimiter,
    Request,
    Verdict,
)
from ...errors import MetrixChannelsError
from ...ledger import Batch, Counts, RateLimits, RunClaim, RunRecord, SkipReason
from ...models import ChannelType
from ...outcomes import Problem
from ...process import wall_clock
from ...templating import Templates
from ..calendar import require_in_time
from ..exclusions.exclusions import Exclusions
from ..options import SendOptions
from ..plan.pins import sources_of
from ..renderer import MessageRenderer
from ..report.status import CampaignProgress, Watcher
from .dispatcher import Dispatch, DispatchDeps, DispatchLimits
from .ending import Ending
from .lane import Post

_TELL_SECONDS: Final = 0.1


@frozen
class SendingResources:
    """The resources of a process for sending.

    Attributes:
        file: the configuration.
        templates: compile the pinned templates of a run.
        rate_limits: shared between processes.
        client: opens a client for many requests, with the current credentials.
        observer: sees every attempt.
        stop: when set, no more attempts start.
        places: limits the requests in flight of this process.
    """

    file: ConfigFile
    templates: Templates
    rate_limits: RateLimits
    client: Callable[[], MetrixClient]
    observer: AttemptObserver
    stop: asyncio.Event
    places: asyncio.Semaphore


class Sender:
    """Sends a run, or several parts of it concurrently.

    Args:
        resources: for sending.
        record: the run.
        options: send options.
        exclusions: recipients to exclude after the plan.
        shared: other processes send the same run, so the ledger enforces its rate.
    """

    def __init__(
        self,
        resources: SendingResources,
        record: RunRecord,
        options: SendOptions,
        exclusions: Exclusions,
        *,
        shared: bool = False,
    ) -> None:
        self._resources = resources
        self._options = options
        self._exclusions = exclusions
        self._shared = shared
        settings = resources.file.current().metrix
        self._concurrency = settings.concurrency
        self._policy = Policy(settings.max_attempts, settings.timeout, options.on_ambiguous, settings.split_refused)
        pinned = sources_of(record.pins)
        templates = {locale: resources.templates.pinned(sources) for locale, sources in pinned.items()}
        channel_type = ChannelType(record.pins["channel"]["type"])
        self._renderer = MessageRenderer(templates, channel_type, record.pins["context"], record.started_at)
        self._breaker = CircuitBreaker()
        self._holdback = Holdback(asyncio.get_running_loop().time)
        self._rate_limiter = self._limited(record, settings.rate_limit)
        self._attempts = Attempts(resources.client(), resources.observer)
        self._post = _posting(self._attempts, record, self._renderer)

    async def send(
        self, record: RunRecord, claim: RunClaim, lanes: int | None = None, watch: Watcher | None = None
    ) -> Ending:
        """Send the claimed part of the run.

        Args:
            record: the run; its counts are updated.
            claim: the part to send.
            lanes: requests in flight; None for the concurrency of the configuration.
            watch: called with the progress.

        Raises:
            LedgerError: the ledger could not be written; no request started after that.
        """
        most = self._options.max_failures
        limits = DispatchLimits(self._policy, min(lanes or self._concurrency, self._concurrency), most, most or 0)

        async def screen(recipients: Sequence[str]) -> dict[str, SkipReason]:
            await self._exclusions.look_again(record.id)
            return self._exclusions.excluded(recipients)

        deps = DispatchDeps(
            post=self._post,
            admit=self._admission(record, has_begun=record.counts.has_begun),
            rate_limiter=self._rate_limiter,
            quiet=self._options.quiet_hours,
            screen=screen if self._exclusions.exclude_anybody else None,
            observe=_sending(watch, record.counts),
            stop=self._resources.stop,
            places=self._resources.places,
            breaker=self._breaker,
            holdback=self._holdback,
        )
        return await Dispatch(record, claim, self._renderer, limits, deps).run()

    async def close(self) -> None:
        """Close connections and delete temporary files."""
        self._exclusions.close()
        await self._attempts.close()

    def _admission(self, record: RunRecord, *, has_begun: bool) -> Callable[[], Problem | None]:
        """Return a function that tells why no request may be made; `has_begun`: requests were made before."""
        name, app_id, file = record.pins["channel"]["name"], record.pins["app_id"], self._resources.file
        schedule = self._options.schedule

        def admit() -> Problem | None:
            try:
                require_verified(file.current().channel(name), app_id, wall_clock.now())
                if not (has_begun or self._breaker.has_begun):
                    require_in_time(record.name, schedule)
            except MetrixChannelsError as error:
                return error.problem
            return None

        return admit

    def _limited(self, record: RunRecord, limit: float | None) -> RateLimiter:
        """Return the rate limiter; the ledger assigns the places under limits that processes share."""
        shared, limits = self._resources.rate_limits, list[Limit]()
        if limit is not None:
            limits.append(shared.limit(limit))
        if (rate := self._options.rate) is not None:
            limits.append(shared.limit(rate, record.id) if self._shared else ProcessLimit(rate))
        return RateLimiter(limits)


def _sending(watch: Watcher | None, counts: Counts) -> Callable[[], None]:
    if watch is None:
        return lambda: None
    told_at = 0.0

    def told() -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= _TELL_SECONDS or not counts.pending:
            told_at = now
            watch(CampaignProgress.of(counts, None, planning=False))

    return told


def _posting(attempts: Attempts, record: RunRecord, renderer: MessageRenderer) -> Post:
    """Return a function that makes the attempts of a run; `renderer` knows the values to mask."""
    channel = record.pins["channel"]["name"]

    def post(batch: Batch, body: bytes, seconds: float) -> Coroutine[Any, Any, tuple[Exchange, Verdict]]:
        request = Request(
            path=PUSH,
            body=body,
            recipients=len(batch.recipients),
            reference=record.name,
            channel=channel,
            campaign=record.name,
            batch=batch.name,
        )
        return attempts.make(request, seconds, renderer.secrets(batch.values))  # type: ignore[arg-type]

    return post
