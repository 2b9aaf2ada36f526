"""A lane sends one request at a time: it takes a batch, renders it, records the intent, sends it and settles it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen

from ...api import Exchange, push_body
from ...delivery import Policy, Verdict
from ...errors import MetrixChannelsError, problem
from ...ledger import APPROVED, DOUBT, Batch, BatchState, SkipReason
from ...models import OnAmbiguous
from .ending import EndingSignal
from .feeder import Feeder
from .intents import Intents
from .messages import Messages
from .settlement import Settlement

Post = Callable[[Batch, bytes, float], Awaitable[tuple[Exchange, Verdict]]]
"""Makes one attempt for a batch with a body and a timeout in seconds; returns the exchange and its verdict."""
Exclude = Callable[[Sequence[str]], Awaitable[dict[str, SkipReason]]]
"""Returns the recipients that must be excluded after the plan, with the reasons."""


@frozen
class LaneParts:
    """What the lanes of a dispatch share.

    Attributes:
        feeder: returns batches.
        messages: renders their messages.
        intents: records intents.
        settlement: settles batches.
        post: makes one attempt.
        screen: excludes recipients after the plan; None if there is nobody to exclude.
        places: limits the requests in flight of this process, over all runs.
        policy: the limits of an attempt.
        signal: ends the dispatch.
    """

    feeder: Feeder
    messages: Messages
    intents: Intents
    settlement: Settlement
    post: Post
    screen: Exclude | None
    places: asyncio.Semaphore
    policy: Policy
    signal: EndingSignal


class Lane:
    """Sends batches, one after the other.

    Args:
        parts: what all lanes share.
    """

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts
        self._clock = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Send until no batch is left, or the dispatch ends."""
        parts = self._parts
        while (batch := await parts.feeder.next()) is not None:
            try:
                async with parts.places:
                    was_sent = await self._send(batch)
            except Exception as error:  # noqa: BLE001 - the other lanes finish their requests first
                was_sent = True
                parts.signal.fail(error)
            parts.feeder.done(batch, was_sent=was_sent)

    async def _send(self, batch: Batch) -> bool:
        """Take the next step with a batch; return whether a request was made."""
        parts, settlement = self._parts, self._parts.settlement
        if batch.flags & DOUBT and not batch.flags & APPROVED and parts.policy.on_ambiguous is OnAmbiguous.HOLD:
            settlement.move(batch, BatchState.UNKNOWN)
            return False
        try:
            message = parts.messages.render(batch)
        except MetrixChannelsError as error:
            parts.signal.halt(problem(error.code, error.message, error.location))
            return False
        body = push_body(batch.recipients, message)
        if settlement.is_too_large(batch, len(body)):
            settlement.halve(batch)
            return False
        intent = await parts.intents.declare(batch)
        if intent is None:
            parts.feeder.put_back(batch)
            return False
        # The intent is on disk, so other runs see it: of two concurrent runs, at least one respects the cap.
        if parts.screen and (excluded := await parts.screen(batch.recipients)):
            await parts.intents.withdraw(intent)
            settlement.exclude(batch, excluded)
            return False
        if not await parts.intents.confirm(intent):
            parts.feeder.put_back(batch)
            return False
        began = self._clock()
        exchange, verdict = await parts.post(batch, body, parts.policy.timeout)
        settlement.settle(batch, exchange, verdict, message, len(body), began)
        return True
