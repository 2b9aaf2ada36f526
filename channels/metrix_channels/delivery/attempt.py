"""An attempt of a campaign before witnesses, of whom none learns a sensitive value."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from ..api import PUSH, Disposition, Exchange, MetrixClient, Verdict, judge
from ..campaign.renderer import Wording
from ..ledger import Attempt, Batch, RunRecord, Witness

Post = Callable[[Batch, bytes, float], Awaitable[tuple[Exchange, Verdict]]]
"""Makes one attempt for a batch, with a body, within some seconds; returns what came back, and what it means."""


def posting(client: MetrixClient, witness: Witness, record: RunRecord, wording: Wording) -> Post:
    """Return what makes the attempts of a run.

    Args:
        client: carries them.
        witness: takes note of those that fail; of the others when somebody listens.
        record: the run.
        wording: knows which values nobody may see.
    """
    channel = record.pins["channel"]["name"]

    async def post(batch: Batch, body: bytes, seconds: float) -> tuple[Exchange, Verdict]:
        began, clock = time.time(), time.monotonic()
        hidden = wording.secrets(batch.values)  # type: ignore[arg-type]
        exchange = (await client.push(body, seconds)).hiding(hidden)
        verdict = judge(exchange)
        if verdict.disposition is not Disposition.ACCEPTED or witness.is_curious:
            attempt = Attempt(
                path=PUSH,
                body=body,
                recipients=len(batch.recipients),
                reference=record.name,
                channel=channel,
                campaign=record.name,
                batch=batch.name,
                began=began,
                clock=clock,
            )
            witness.saw(attempt, exchange, verdict, client.redactor.hiding(hidden))
        return exchange, verdict

    return post
