"""The batch as a state machine: every step that a batch can take, and what it does to the counts of its run.

```
PENDING --begin--> SENDING --settle--> ACCEPTED | REJECTED | UNKNOWN
   ^                  |---settle or withdraw--> PENDING
   |                  |---interrupt--> PENDING (on_ambiguous: retry) | UNKNOWN (hold)
   |                  `---cancel--> UNKNOWN
   |---cancel--> CANCELLED     |---split, exclude--> REPLACED by smaller batches
   `--approve-- REJECTED | UNKNOWN
```

Each step is a pure function of a batch and the counts. No other code writes a batch's state, so that the counts add up
after any sequence of steps. Doubt is sticky: once an attempt may have been taken, DOUBT stays with the batch and with
the parts that it is split into.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen

from ...models import OnAmbiguous
from .batches import APPROVED, DOUBT, REPEATED, Batch, BatchState, Shard
from .records import Counts, Draft, Skip, SkipReason

Transition = Callable[[Shard, Counts], None]
"""Takes the same step with each batch of a shard that can take it."""
FindExcluded = Callable[[Sequence[str]], dict[str, SkipReason]]
"""Says which of some recipients are to be sent nothing, and why."""

_SETTLED: Final = (BatchState.PENDING, BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN)


@frozen
class RetryRequest:
    """Batches that somebody decided to send again.

    Attributes:
        what: how the journal calls it.
        detail: what it adds.
        transition: makes them pending.
    """

    what: str
    detail: str
    transition: Transition


def begin(batch: Batch, counts: Counts, at: int) -> None:
    """Declare that a request is about to leave.

    Args:
        batch: PENDING.
        counts: the counts of its run.
        at: seconds since 1970.
    """
    _require(batch, BatchState.PENDING)
    if batch.flags & DOUBT and not batch.flags & REPEATED:
        batch.flags |= REPEATED
        counts.possible_duplicates += len(batch.recipients)
    batch.attempts += 1
    _move(batch, BatchState.SENDING, counts, at)


def withdraw(batch: Batch, counts: Counts, flags: int, at: int) -> None:
    """Take back the declaration of a request of which nothing left; see `begin`.

    Args:
        batch: SENDING.
        counts: the counts of its run.
        flags: of the batch before the declaration.
        at: seconds since 1970.
    """
    _require(batch, BatchState.SENDING)
    if batch.flags & REPEATED and not flags & REPEATED:
        batch.flags &= ~REPEATED
        counts.possible_duplicates -= len(batch.recipients)
    batch.attempts -= 1
    _move(batch, BatchState.PENDING, counts, at)


def count_request(batch: Batch, counts: Counts) -> None:
    """Count a request that has left, or may have left: never before, so that the count never goes back."""
    _require(batch, BatchState.SENDING)
    counts.requests += 1


def doubt(batch: Batch) -> None:
    """Remember for good that an attempt may have been taken; the next step writes it down."""
    batch.flags |= DOUBT


def settle(batch: Batch, counts: Counts, state: BatchState, at: int) -> None:
    """Write down what an attempt came to.

    Args:
        batch: SENDING; or PENDING and in doubt, when `on_ambiguous: hold` makes it UNKNOWN without another attempt.
        counts: the counts of its run.
        state: ACCEPTED, REJECTED or UNKNOWN; PENDING when it is to be attempted again.
        at: seconds since 1970.
    """
    held = batch.state is BatchState.PENDING and state is BatchState.UNKNOWN and batch.flags & DOUBT
    if not held:
        _require(batch, BatchState.SENDING)
    if state not in _SETTLED:
        raise ValueError(f"{state.name} is not the result of an attempt.")
    _move(batch, state, counts, at)


def split(batch: Batch, counts: Counts, parts: Sequence[Sequence[str]], at: int) -> Draft | None:
    """Replace a batch by smaller ones.

    Args:
        batch: PENDING or SENDING.
        counts: the counts of its run.
        parts: the recipients of each new batch; together those of the batch.
        at: seconds since 1970.

    Returns:
        The shard of the new batches, which inherit attempts and doubt; None without any part.
    """
    _require(batch, BatchState.PENDING, BatchState.SENDING)
    if not all(parts) or sum(len(part) for part in parts) != len(batch.recipients):
        raise ValueError("The parts of a batch must contain exactly its recipients, and no part may be empty.")
    return _replace(batch, counts, parts, at)


def exclude(
    batch: Batch, counts: Counts, excluded: Mapping[str, SkipReason], at: int
) -> tuple[Draft | None, list[Skip]]:
    """Skip recipients of a batch that may no longer be sent to.

    Args:
        batch: PENDING.
        counts: the counts of its run.
        excluded: recipients and why they are skipped; those of other batches too.
        at: seconds since 1970.

    Returns:
        The shard of a batch of the others, None when nobody is left; and who was skipped.
    """
    _require(batch, BatchState.PENDING)
    found = {recipient: excluded[recipient] for recipient in batch.recipients if recipient in excluded}
    if not found:
        return None, []
    skips = []
    for reason in sorted(set(found.values())):
        rows = [(0, recipient) for recipient in batch.recipients if found.get(recipient) is reason]
        counts.skip(len(rows), reason)
        counts.pending -= len(rows)
        skips.append(Skip(reason, rows))
    rest = [recipient for recipient in batch.recipients if recipient not in found]
    return _replace(batch, counts, [rest] if rest else [], at), skips


def interrupt(batch: Batch, counts: Counts, on_ambiguous: OnAmbiguous, at: int | None = None) -> None:
    """Settle a batch whose process ended while its request was under way: it may have been taken.

    Args:
        batch: in any state; only a SENDING one changes.
        counts: the counts of its run.
        on_ambiguous: RETRY makes it PENDING, HOLD makes it UNKNOWN.
        at: seconds since 1970; None leaves the time of its last change.
    """
    if batch.state is BatchState.SENDING:
        count_request(batch, counts)
        doubt(batch)
        batch.flags &= ~APPROVED  # what was approved of is this very request
        after = BatchState.UNKNOWN if on_ambiguous is OnAmbiguous.HOLD else BatchState.PENDING
        _move(batch, after, counts, at)


def cancel(batch: Batch, counts: Counts, at: int | None = None) -> None:
    """End a batch for good: PENDING becomes CANCELLED; SENDING may have been taken, and becomes UNKNOWN."""
    if batch.state is BatchState.SENDING:
        count_request(batch, counts)
        doubt(batch)
        _move(batch, BatchState.UNKNOWN, counts, at)
    elif batch.state is BatchState.PENDING:
        _move(batch, BatchState.CANCELLED, counts, at)


def approve(batch: Batch, counts: Counts, which: BatchState) -> None:
    """Make a batch PENDING again, in spite of its doubt, since somebody decided so.

    Args:
        batch: in any state; only one in `which` changes.
        counts: the counts of its run.
        which: REJECTED or UNKNOWN.
    """
    if which not in (BatchState.REJECTED, BatchState.UNKNOWN):
        raise ValueError(f"A batch that is {which.name} cannot be sent again.")
    if batch.state is which:
        batch.flags |= APPROVED
        _move(batch, BatchState.PENDING, counts, None)


# -- the same step with every batch of a shard


def cancelled(shard: Shard, counts: Counts) -> None:
    """Cancel what is left of a shard."""
    for batch in shard.taken():
        cancel(batch, counts)


def interrupted(on_ambiguous: OnAmbiguous) -> Transition:
    """Return what interrupts the batches of a shard that were under way."""

    def transition(shard: Shard, counts: Counts) -> None:
        for batch in shard.taken():
            interrupt(batch, counts, on_ambiguous)

    return transition


def approved(which: BatchState) -> Transition:
    """Return what approves the batches of a shard that are in a state."""

    def transition(shard: Shard, counts: Counts) -> None:
        for batch in shard.taken():
            approve(batch, counts, which)

    return transition


def without(shard: Shard, counts: Counts, excluded: FindExcluded, at: int) -> tuple[list[Draft], list[Skip]]:
    """Exclude recipients from what is pending of a shard; return the batches of the others, and who was skipped."""
    drafts: list[Draft] = []
    skips: list[Skip] = []
    for batch in shard.taken():
        if batch.state is BatchState.PENDING and (found := excluded(batch.recipients)):
            draft, skipped = exclude(batch, counts, found, at)
            drafts += [draft] if draft is not None else []
            skips += skipped
    return drafts, skips


def draft_of(batch: Batch, parts: Sequence[Sequence[str]]) -> Draft:
    """Return the shard of the batches that a batch is replaced by, which inherit its attempts and its doubt."""
    text = json.dumps([[batch.values, part] for part in parts], ensure_ascii=False)
    return Draft(text, len(parts), batch.shard.canary, batch.flags, batch.attempts)


def _replace(batch: Batch, counts: Counts, parts: Sequence[Sequence[str]], at: int) -> Draft | None:
    if batch.state is BatchState.SENDING:
        counts.sending -= 1
    counts.batches += len(parts) - 1
    batch.state, batch.at = BatchState.REPLACED, at
    batch.save()
    return draft_of(batch, parts) if parts else None


def _move(batch: Batch, state: BatchState, counts: Counts, at: int | None) -> None:
    counts.move(len(batch.recipients), batch.state, state)
    batch.state = state
    if at is not None:
        batch.at = at
    batch.save()


def _require(batch: Batch, *states: BatchState) -> None:
    if batch.state not in states:
        raise ValueError(
            f"The batch {batch.name} is {batch.state.name}; this transition does not start from that state."
        )
