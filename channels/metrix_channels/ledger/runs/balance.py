"""Checks the counts of a run in the transaction that writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ...errors import LedgerError
from ..database import Connection
from .batches import SIZE, BatchState, ShardStatus
from .records import COUNTED, NUMBERS, Counts, Draft, Skip

_SETTLED = (BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN, BatchState.CANCELLED)


def is_sound(counts: Counts) -> bool:
    """Tell whether the counts add up to the rows and none is negative."""
    return not counts.balance and min(*(getattr(counts, name) for name in NUMBERS), *counts.skipped.values()) >= 0


def require_sound(counts: Counts) -> None:
    """Refuse counts that are not sound.

    Raises:
        LedgerError: counts_wrong, if they do not add up to the rows, or one is negative.
    """
    if not is_sound(counts):
        raise LedgerError(f"The counts of a campaign do not add up: {counts.dump()}.", code="counts_wrong")


def require_over(counts: Counts, *, is_open: bool) -> None:
    """Refuse to finish a run that is not over.

    Args:
        counts: of the run.
        is_open: whether some of its batches have no outcome.

    Raises:
        LedgerError: counts_wrong.
    """
    require_sound(counts)
    if is_open or counts.pending or counts.sending:
        raise LedgerError(f"A campaign would end before all its batches: {counts.dump()}.", code="counts_wrong")


def require_match(
    change: Counts, changed_statuses: Iterable[ShardStatus], drafts: Sequence[Draft] = (), skips: Sequence[Skip] = ()
) -> None:
    """Refuse a change of counts that does not match the batches written with it.

    The cost does not grow with the run, because the recipients of the batches are not read again.

    Args:
        change: the difference of the counts.
        changed_statuses: the batches that changed.
        drafts: new batches.
        skips: newly skipped rows.

    Raises:
        LedgerError: counts_wrong.
    """
    moved = [0] * len(BatchState)
    for each in changed_statuses:
        moved = [count + after - before for count, before, after in zip(moved, each.before, each.after, strict=True)]
    new = sum(draft.count for draft in drafts)
    skipped: Counter[str] = Counter()
    for skip in skips:
        skipped[skip.reason.value] += len(skip.rows)
    agrees = (
        change.rows == change.balance == 0
        and change.sending == moved[BatchState.SENDING]
        and change.batches == new - moved[BatchState.REPLACED]
        and {why: count for why, count in change.skipped.items() if count} == skipped
        and all(_can_hold(getattr(change, str(COUNTED[state])), moved[state]) for state in _SETTLED)
    )
    if not agrees:
        raise LedgerError(
            f"The counts of a campaign would not match its batches: {change.dump()}.", code="counts_wrong"
        )


def require_batches(connection: Connection, run: int, counts: Counts) -> None:
    """Refuse a plan whose counts do not match the batches in the ledger.

    Raises:
        LedgerError: counts_wrong.
    """
    [(size,)] = connection.execute(
        "SELECT coalesce(sum(length(statuses)), 0) FROM shard_statuses WHERE run = ?", (run,)
    ).fetchall()
    if size != counts.batches * SIZE:
        raise LedgerError(
            f"The plan has {counts.batches} batches, but the ledger has {size // SIZE}.", code="counts_wrong"
        )


def _can_hold(recipients: int, batches: int) -> bool:
    """Tell whether this many batches can contain this many recipients, at least one each."""
    return recipients * batches >= batches * batches if batches else recipients == 0
