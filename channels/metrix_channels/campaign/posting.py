"""An attempt of a campaign before witnesses, of whom none learns a sensitive value."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

from attrs import evolve

from ..api import PUSH, Disposition, Exchange, MetrixClient, Reply, Verdict, judge
from ..ledger import Attempt, Batch, RunRecord, Witness
from ..redact import Redactor, Secret
from ..templating import fa_digits

Post = Callable[[Batch, bytes, float], Awaitable[tuple[Exchange, Verdict]]]
"""Makes one attempt for a batch, with a body, within some seconds; returns what came back, and what it means."""


def posting(client: MetrixClient, witness: Witness, record: RunRecord, sensitive: Iterable[str]) -> Post:
    """Return what makes the attempts of a run.

    Args:
        client: carries them.
        witness: takes note of those that fail; of the others when somebody listens.
        record: the run.
        sensitive: names of the values that nobody may see.
    """
    context, channel = record.pins["context"], record.pins["channel"]["name"]

    def redactor(batch: Batch) -> Redactor:
        hidden = {**context, **batch.values}
        texts = {str(hidden[name]) for name in sensitive if name in hidden}
        return Redactor(*(Secret(form) for text in texts for form in (text, fa_digits(text))))

    async def post(batch: Batch, body: bytes, seconds: float) -> tuple[Exchange, Verdict]:
        began, clock = time.time(), time.monotonic()
        exchange = await client.push(body, seconds)
        clean = redactor(batch) if sensitive else None
        if clean and isinstance(exchange, Reply) and exchange.body:
            exchange = evolve(exchange, body=clean.clean_cut(exchange.body))
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
            witness.saw(attempt, exchange, verdict, clean)
        return exchange, verdict

    return post
