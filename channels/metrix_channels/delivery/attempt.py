"""One attempt, the same for sends, campaigns and events: made, freed of secrets, judged, and shown to the observer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from ..api import Exchange, MetrixClient
from ..process import wall_clock
from ..redact import Redactor, Secret
from .verdict import Disposition, Verdict, judge


@frozen(kw_only=True)
class Request:
    """One HTTP request, as it is about to be made.

    Attributes:
        path: of the URL, such as `/push`.
        body: JSON, as it is sent.
        recipients: how many it names.
        reference: the send's id, the campaign's name, or the user whose events it carries.
        channel: its name in the configuration; None for events.
        campaign: its name; None for anything else.
        batch: of a campaign, as its report names it.
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
    """A request that was made, and what it came to; without any secret but in the body of the request.

    Attributes:
        request: as it was sent.
        began: in seconds since 1970.
        seconds: from its beginning to its end.
        exchange: what came back.
        verdict: what that means.
    """

    request: Request
    began: float
    seconds: float
    exchange: Exchange
    verdict: Verdict


class AttemptObserver(Protocol):
    """Sees every attempt that is worth a look."""

    @property
    def sees_accepted(self) -> bool:
        """Accepted attempts are worth a look too; where many are made, most are not."""

    def observe(self, attempt: Attempt, redactor: Redactor) -> None:
        """Take note of an attempt at its end; `redactor` knows what may not be shown of the request."""


class Attempts:
    """Makes attempts.

    Args:
        client: carries the requests.
        observer: is shown the attempts.
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
            request: what is sent.
            timeout: seconds for all of it.
            hidden: sensitive values of the message.

        Returns:
            What came back, without secrets, and what it means. Nothing is raised for what a network or a server does.
        """
        began, clock = wall_clock.seconds(), time.monotonic()
        exchange = (await self._client.post(request.path, request.body, timeout)).hiding(hidden)
        verdict = judge(exchange, wall_clock.now())
        if verdict.disposition is not Disposition.ACCEPTED or self._observer.sees_accepted:
            attempt = Attempt(request, began, time.monotonic() - clock, exchange, verdict)
            self._observer.observe(attempt, self._client.redactor.hiding(hidden))
        return exchange, verdict

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()
