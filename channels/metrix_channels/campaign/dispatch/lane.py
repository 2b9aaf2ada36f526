"""One request at a time: a lane takes a batch, renders it, declares it, sends it and settles it, and takes the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen

from ...api import Exchange, push_body
from ...delivery import Policy, Verdict
from ...errors import MetrixChannelsError, problem
from ...ledger import APPROVED, DOUBT, Batch, BatchState, SkipReason
from ...models import OnAmbiguous
from ..renderer import MessageRenderer
from .ending import EndingSignal
from .feeder import Feeder
from .intents import Intents
from .settlement import Settlement

Post = Callable[[Batch, bytes, float], Awaitable[tuple[Exchange, Verdict]]]
"""Makes one attempt for a batch, with a body, within some seconds; returns what came back, and what it means."""
Exclude = Callable[[Sequence[str]], Awaitable[dict[str, SkipReason]]]
"""Says which of some recipients are to be sent nothing after all."""


@frozen
class LaneParts:
    """What the lanes of a dispatch share.

    Attributes:
        feeder: gives batches.
        intents: declares requests.
        settlement: settles batches.
        post: makes one attempt.
        screen: None when nobody is excluded after the plan.
        places: as many as this process may have requests under way, over all runs.
        policy: the limits of an attempt.
        signal: ends the dispatch.
    """

    feeder: Feeder
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
        renderer: renders the messages.
    """

    def __init__(self, parts: LaneParts, renderer: MessageRenderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self._clock = asyncio.get_running_loop().time
        self._last: tuple[dict[str, object], bytes] | None = None

    async def run(self) -> None:
        """Send until no batch is left, or the dispatch ends."""
        parts = self._parts
        while (batch := await parts.feeder.next()) is not None:
            try:
                async with parts.places:
                    was_sent = await self._send(batch)
            except Exception as error:  # noqa: BLE001 - what the other lanes have under way ends first
                was_sent = True
                parts.signal.fail(error)
            parts.feeder.done(batch, was_sent=was_sent)

    async def _send(self, batch: Batch) -> bool:
        """Take the next step with a batch; tells whether that was a request."""
        parts, settlement = self._parts, self._parts.settlement
        if parts.policy.on_ambiguous is OnAmbiguous.HOLD and batch.flags & DOUBT and not batch.flags & APPROVED:
            settlement.move(batch, BatchState.UNKNOWN)
            return False
        message = self._render(batch)
        if message is None:
            return False
        body = push_body(batch.recipients, message)
        if settlement.is_too_large(batch, len(body)):
            settlement.halve(batch)
            return False
        intent = await parts.intents.declare(batch)
        if intent is None:
            parts.feeder.put_back(batch)
            return False
        # With the intent on disk other runs see this one, so that of two at least one holds to a cap.
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

    def _render(self, batch: Batch) -> bytes | None:
        """Return the message of a batch; None, and the run halts, when it can no longer be rendered."""
        if self._last is not None and self._last[0] == batch.values:
            return self._last[1]
        try:
            message = self._renderer.render_body(batch.values)  # type: ignore[arg-type]
        except MetrixChannelsError as error:
            self._parts.signal.halt(problem(error.code, error.message, error.location))
            return None
        self._last = batch.values, message
        return message
