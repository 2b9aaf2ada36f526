"""How the batches of a run that nobody sends come into another state, and the counts with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from attrs import frozen

from ...models import OnAmbiguous
from .batches import APPROVED, DOUBT, Batch, BatchState, Parcel
from .records import Draft, Skip, SkipReason, Tally

Mark = Callable[[Parcel, Tally], None]
"""Changes the batches of a parcel, and the counts with them."""

Bar = Callable[[Sequence[str]], dict[str, SkipReason]]
"""Says which of some recipients are to be sent nothing, and why."""


@frozen
class Back:
    """Batches that somebody decided to send again.

    Attributes:
        what: how the journal calls it.
        detail: what it adds.
        mark: makes them pending.
    """

    what: str
    detail: str
    mark: Mark


def move(batch: Batch, state: BatchState, tally: Tally) -> None:
    """Bring a batch into another state."""
    tally.move(len(batch.recipients), batch.state, state)
    batch.state = state
    batch.save()


def cancelled(parcel: Parcel, tally: Tally) -> None:
    """Mark what is left of a parcel as cancelled; what is under way may have been taken."""
    for batch in parcel.taken():
        if batch.state is BatchState.SENDING:
            batch.flags |= DOUBT
            move(batch, BatchState.UNKNOWN, tally)
        elif batch.state is BatchState.PENDING:
            move(batch, BatchState.CANCELLED, tally)


def interrupted(on_ambiguous: OnAmbiguous) -> Mark:
    """Return what marks the requests that were under way when their process ended: they may have been taken."""
    after = BatchState.UNKNOWN if on_ambiguous is OnAmbiguous.HOLD else BatchState.PENDING

    def mark(parcel: Parcel, tally: Tally) -> None:
        for batch in parcel.taken():
            if batch.state is BatchState.SENDING:
                batch.flags = (batch.flags | DOUBT) & ~APPROVED  # what was approved of is this very request
                move(batch, after, tally)

    return mark


def draft_of(batch: Batch, parts: Sequence[Sequence[str]]) -> Draft:
    """Return the parcel of the batches that a batch is replaced by, which inherit its doubt."""
    text = json.dumps([[batch.values, part] for part in parts], ensure_ascii=False)
    return Draft(text, len(parts), batch.parcel.canary, batch.flags, batch.attempts)


def without(parcel: Parcel, tally: Tally, barred: Bar) -> tuple[list[Draft], list[Skip]]:
    """Take recipients out of what is pending of a parcel; return the batches of the others, and who was taken out."""
    drafts, skips = [], []
    for batch in parcel.taken():
        found = barred(batch.recipients) if batch.state is BatchState.PENDING else {}
        if not found:
            continue
        for reason in sorted(set(found.values())):
            rows = [(0, recipient) for recipient in batch.recipients if found.get(recipient) is reason]
            tally.skip(len(rows), reason)
            skips.append(Skip(reason, rows))
        rest = [recipient for recipient in batch.recipients if recipient not in found]
        tally.pending -= len(batch.recipients) - len(rest)
        tally.batches -= 0 if rest else 1
        if rest:
            drafts.append(draft_of(batch, [rest]))
        batch.state = BatchState.REPLACED
        batch.save()
    return drafts, skips
