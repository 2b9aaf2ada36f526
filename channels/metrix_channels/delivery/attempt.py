"""Makes one attempt, for sends, campaigns and events alike: posts, removes secrets, judges, and tells the observer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from attrs import define, frozen

from ..api import Exchange, MetrixClient
from ..process import wall_clock
from ..redact import Redactor, Secret
from .verdict import Verdict, judge


@define(kw_only=True)
class Request:
    """One HTTP request that is about to be made.

    Attributes:
        path: the path of the URL, such as `/push`.
        body: the JSON to send.
        recipients: the number of recipients.
        reference: the send's id, the campaign's name, or the user of the events.
        channel: the channel's name in the configuration; None for events.
        campaign: the campaign's name; None if it is not a campaign's request.
        batch: the batch, as the campaign's report names it; None if it is not a campaign's request.
    """

    path: str
    body: bytes
    recipients: int
    reference: str
    channel: str | None = None
    campaign: str | None = None
    batch: str | None = None


@frozen
class Attempt:
    """A request that was made, and its result. Only the request's body may contain secrets.

    Attributes:
        request: the request as it was sent.
        began: when it began, in seconds since 1970.
        seconds: how long it took.
        exchange: what came back.
        verdict: what that means.
    """

    request: Request
    began: float
    seconds: float
    exchange: Exchange
    verdict: Verdict


class AttemptObserver(Protocol):
    """Receives attempts: all that were not accepted, and also accepted ones if `sees_accepted` is true."""

    @property
    def sees_accepted(self) -> bool:
        """Whether it receives accepted attempts too."""

    def observe(self, attempt: Attempt, redactor: Redactor) -> None:
        """Record an attempt that has ended; `redactor` removes secrets from the request."""


class Attempts:
    """Makes attempts.

    Args:
        client: sends the requests.
        observer: receives the attempts.
    """

    def __init__(self, client: MetrixClient, observer: AttemptObserver) -> None:
        self._client = client
        self._observer = observer

    async def make(
        self,
        request: Request,
        timeout: float,  # noqa: ASYNC109 - the transport's deadline
        hidden: Sequence[Secret] = (),
    ) -> tuple[Exchange, Verdict]:
        """Make one attempt.

        Args:
            request: the request to send.
            timeout: seconds for the whole attempt.
            hidden: sensitive values of the message.

        Returns:
            What came back, without secrets, and what it means. Network and server errors are returned, not raised.
        """
        began, clock = wall_clock.seconds(), time.monotonic()
        exchange = (await self._client.post(request.path, request.body, timeout)).hiding(hidden)
        verdict = judge(exchange, wall_clock.seconds())
        if not verdict.is_accepted or self._observer.sees_accepted:
            attempt = Attempt(request, began, time.monotonic() - clock, exchange, verdict)
            self._observer.observe(attempt, self._client.redactor.hiding(hidden))
        return exchange, verdict

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()
