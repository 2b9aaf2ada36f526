"""The batch as a state machine: all transitions of a batch, and how they change the counts of its run.

```
PENDING --begin--> SENDING --settle--> ACCEPTED | REJECTED | UNKNOWN
   ^                  |---settle or withdraw--> PENDING
   |                  |---interrupt--> PENDING (on_ambiguous: retry) | UNKNOWN (hold)
   |                  `---cancel--> UNKNOWN
   |---cancel--> CANCELLED, or UNKNOWN if in doubt
   |---split--> REPLACED by smaller batches
   |---exclude--> REPLACED by a smaller batch or by none; if in doubt, by two batches, or UNKNOWN
   `--approve-- REJECTED | UNKNOWN
```

Each transition is a pure function of a batch and the counts. No other code writes a batch's state, so the counts add up
after any sequence of transitions. Doubt is sticky: once Metrix may have accepted an attempt, DOUBT stays with the batch
and with its parts after a split, and its recipients never become rejected, cancelled or skipped. An UNKNOWN batch is
always in doubt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen

from ...models import OnAmbiguous
from .batches import APPROVED, DOUBT, PENDING, REPEATED, SENDING, UNKNOWN, Batch, BatchState, Shard
from .records import Counts, Draft, Skip, SkipReason

Transition = Callable[[Shard, Counts], None]
"""Applies a transition to all batches of a shard that it is valid for."""
FindExcluded = Callable[[Sequence[str]], dict[str, SkipReason]]
"""Returns which recipients are excluded, and why."""

_SETTLED: Final = (PENDING, BatchState.ACCEPTED, BatchState.REJECTED, UNKNOWN)


@frozen
class RetryRequest:
    """A decision to send batches again.

    Attributes:
        what: the action for the journal.
        detail: the details for the journal.
        transition: makes the batches pending.
    """

    what: str
    detail: str
    transition: Transition


def begin(batch: Batch, counts: Counts, at: int) -> None:
    """Record the intent of a request.

    Args:
        batch: PENDING.
        counts: the counts of its run.
        at: seconds since 1970.
    """
    _require(batch, PENDING)
    if batch.flags & DOUBT and not batch.flags & REPEATED:
        batch.flags |= REPEATED
        counts.possible_duplicates += len(batch.recipients)
    batch.attempts += 1
    _move(batch, SENDING, counts, at)


def withdraw(batch: Batch, counts: Counts, flags: int, at: int) -> None:
    """Withdraw the intent of a request that was not sent; see `begin`.

    Args:
        batch: SENDING.
        counts: the counts of its run.
        flags: of the batch before the intent.
        at: seconds since 1970.
    """
    _require(batch, SENDING)
    if batch.flags & REPEATED and not flags & REPEATED:
        batch.flags &= ~REPEATED
        counts.possible_duplicates -= len(batch.recipients)
    batch.attempts -= 1
    _move(batch, PENDING, counts, at)


def count_request(batch: Batch, counts: Counts) -> None:
    """Count a request that has left or may have left, but never before, so that the count never decreases."""
    _require(batch, SENDING)
    counts.requests += 1


def doubt(batch: Batch) -> None:
    """Record permanently that Metrix may have accepted an attempt; the next transition writes it.

    An approval ends with that, because it was for this request only.
    """
    batch.flags = (batch.flags | DOUBT) & ~APPROVED


def settle(batch: Batch, counts: Counts, state: BatchState, at: int) -> None:
    """Set the state of a batch after an attempt.

    Args:
        batch: SENDING; or PENDING and in doubt, if `on_ambiguous: hold` makes it UNKNOWN without another attempt.
        counts: the counts of its run.
        state: ACCEPTED, REJECTED (not if in doubt) or UNKNOWN; PENDING for another attempt.
        at: seconds since 1970.
    """
    held = batch.flags & DOUBT and batch.state is PENDING and state is UNKNOWN
    if not held:
        _require(batch, SENDING)
    if state not in _SETTLED:
        raise ValueError(f"{state.name} is not the result of an attempt.")
    if batch.flags & DOUBT and state is BatchState.REJECTED:
        raise ValueError(f"The batch {batch.name} is in doubt: it is never REJECTED.")
    _move(batch, state, counts, at)


def split(batch: Batch, counts: Counts, parts: Sequence[Sequence[str]], at: int) -> Draft | None:
    """Replace a batch with smaller ones.

    Args:
        batch: PENDING or SENDING.
        counts: the counts of its run.
        parts: the recipients of each new batch; together, the recipients of the batch.
        at: seconds since 1970.

    Returns:
        The shard of the new batches, which inherit attempts and doubt; None without parts.
    """
    _require(batch, PENDING, SENDING)
    if not all(parts) or sum(len(part) for part in parts) != len(batch.recipients):
        raise ValueError("The parts of a batch must contain exactly its recipients, and no part may be empty.")
    return _replace(batch, counts, parts, at)


def exclude(
    batch: Batch, counts: Counts, excluded: Mapping[str, SkipReason], at: int
) -> tuple[Draft | None, list[Skip]]:
    """Leave excluded recipients out of a batch: they are skipped, or UNKNOWN if the batch is in doubt.

    A batch in doubt that has other recipients too is split first: the shard then has a batch of the excluded recipients
    and one of the others, and both must be screened again.

    Args:
        batch: PENDING.
        counts: the counts of its run.
        excluded: recipients and the reasons; may include recipients of other batches.
        at: seconds since 1970.

    Returns:
        The shard that replaces the batch, or None if there is none; and the skipped recipients.
    """
    _require(batch, PENDING)
    found = {recipient: excluded[recipient] for recipient in batch.recipients if recipient in excluded}
    if not found:
        return None, []
    rest = [recipient for recipient in batch.recipients if recipient not in found]
    if batch.flags & DOUBT:
        if rest:
            return _replace(batch, counts, [list(found), rest], at), []
        _move(batch, UNKNOWN, counts, at)
        return None, []
    skips = []
    for reason in sorted(set(found.values())):
        rows = [(0, recipient) for recipient in batch.recipients if found.get(recipient) is reason]
        counts.skip(len(rows), reason)
        counts.pending -= len(rows)
        skips.append(Skip(reason, rows))
    return _replace(batch, counts, [rest] if rest else [], at), skips


def interrupt(batch: Batch, counts: Counts, on_ambiguous: OnAmbiguous, at: int | None = None) -> None:
    """Settle a batch whose process ended while its request was in flight; Metrix may have accepted it.

    Args:
        batch: in any state; only a SENDING one changes.
        counts: the counts of its run.
        on_ambiguous: RETRY makes it PENDING, HOLD makes it UNKNOWN.
        at: seconds since 1970; None keeps the time of the last change.
    """
    if batch.state is SENDING:
        count_request(batch, counts)
        doubt(batch)
        after = UNKNOWN if on_ambiguous is OnAmbiguous.HOLD else PENDING
        _move(batch, after, counts, at)


def cancel(batch: Batch, counts: Counts, at: int | None = None) -> None:
    """Cancel a batch: PENDING becomes CANCELLED, but UNKNOWN if in doubt; SENDING becomes UNKNOWN."""
    if batch.state is SENDING:
        count_request(batch, counts)
        _move(batch, UNKNOWN, counts, at)
    elif batch.state is PENDING:
        _move(batch, UNKNOWN if batch.flags & DOUBT else BatchState.CANCELLED, counts, at)


def approve(batch: Batch, counts: Counts, which: BatchState) -> None:
    """Make a batch PENDING again despite its doubt, because a person decided so.

    Args:
        batch: in any state; only one in `which` changes.
        counts: the counts of its run.
        which: REJECTED or UNKNOWN.
    """
    if which not in (BatchState.REJECTED, UNKNOWN):
        raise ValueError(f"A batch that is {which.name} cannot be sent again.")
    if batch.state is which:
        batch.flags |= APPROVED | (DOUBT if which is UNKNOWN else 0)  # earlier versions did not record it
        _move(batch, PENDING, counts, None)


# -- the same transition for every batch of a shard


def cancelled(shard: Shard, counts: Counts) -> None:
    """Cancel the unfinished batches of a shard."""
    for batch in shard.taken():
        cancel(batch, counts)


def interrupted(on_ambiguous: OnAmbiguous) -> Transition:
    """Return the transition that interrupts the batches in flight of a shard."""

    def transition(shard: Shard, counts: Counts) -> None:
        for batch in shard.taken():
            interrupt(batch, counts, on_ambiguous)

    return transition


def approved(which: BatchState) -> Transition:
    """Return the transition that approves the batches of a shard in the given state."""

    def transition(shard: Shard, counts: Counts) -> None:
        for batch in shard.taken():
            approve(batch, counts, which)

    return transition


def without(shard: Shard, counts: Counts, excluded: FindExcluded, at: int) -> tuple[list[Draft], list[Skip]]:
    """Exclude recipients from the pending batches of a shard; return the new batches and the skipped recipients."""
    drafts: list[Draft] = []
    skips: list[Skip] = []
    for batch in shard.taken():
        if batch.state is PENDING and (found := excluded(batch.recipients)):
            draft, skipped = exclude(batch, counts, found, at)
            drafts += [draft] if draft is not None else []
            skips += skipped
    return drafts, skips


def draft_of(batch: Batch, parts: Sequence[Sequence[str]]) -> Draft:
    """Return the shard that replaces a batch; its batches inherit attempts, their time, and doubt."""
    text = json.dumps([[batch.values, part] for part in parts], ensure_ascii=False)
    return Draft(text, len(parts), batch.shard.canary, batch.flags, batch.attempts, batch.at)


def _replace(batch: Batch, counts: Counts, parts: Sequence[Sequence[str]], at: int) -> Draft | None:
    if batch.state is SENDING:
        counts.sending -= 1
    counts.batches += len(parts) - 1
    draft = draft_of(batch, parts) if parts else None
    batch.state, batch.at = BatchState.REPLACED, at
    batch.save()
    return draft


def _move(batch: Batch, state: BatchState, counts: Counts, at: int | None) -> None:
    counts.move(len(batch.recipients), batch.state, state)
    if state is UNKNOWN:
        doubt(batch)
    batch.state = state
    if at is not None:
        batch.at = at
    batch.save()


def _require(batch: Batch, *states: BatchState) -> None:
    if batch.state not in states:
        raise ValueError(
            f"The batch {batch.name} is {batch.state.name}; this transition does not start from that state."
        )
