"""What must hold of a run's counts before they are written: looked at within the transaction that writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ...errors import LedgerError
from .batches import BatchState, Marked
from .records import COUNTED, NUMBERS, Draft, Skip, Tally

_SETTLED = (BatchState.ACCEPTED, BatchState.REJECTED, BatchState.UNKNOWN, BatchState.CANCELLED)


def is_sound(tally: Tally) -> bool:
    """Tell whether the counts add up to the rows, and none is negative."""
    return not tally.balance and min(*(getattr(tally, name) for name in NUMBERS), *tally.skipped.values()) >= 0


def require_sound(tally: Tally) -> None:
    """Refuse counts that cannot be those of a run.

    Raises:
        LedgerError: counts_wrong, when they do not add up to the rows, or one is negative.
    """
    if not is_sound(tally):
        raise LedgerError(f"The counts of a campaign do not add up: {tally.dump()}.", code="counts_wrong")


def require_over(tally: Tally, *, is_open: bool) -> None:
    """Refuse to call a run finished that is not.

    Args:
        tally: its counts.
        is_open: some of its batches have no outcome.

    Raises:
        LedgerError: counts_wrong.
    """
    require_sound(tally)
    if is_open or tally.pending or tally.sending:
        raise LedgerError(f"A campaign would end that is not over: {tally.dump()}.", code="counts_wrong")


def require_match(
    change: Tally, marked: Iterable[Marked], drafts: Sequence[Draft] = (), skips: Sequence[Skip] = ()
) -> None:
    """Refuse a change of counts that is not that of the batches written with it: recipients only change places.

    It costs nothing that grows with the run: how many recipients a batch has is not looked up again.

    Args:
        change: what the counts after it differ by from those before it.
        marked: the batches that changed.
        drafts: new batches.
        skips: rows that are sent nothing after all.

    Raises:
        LedgerError: counts_wrong.
    """
    moved = [0] * len(BatchState)
    for each in marked:
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
        and all(_is_that_of(getattr(change, str(COUNTED[state])), moved[state]) for state in _SETTLED)
    )
    if not agrees:
        raise LedgerError(
            f"The counts of a campaign would change otherwise than its batches: {change.dump()}.", code="counts_wrong"
        )


def _is_that_of(recipients: int, batches: int) -> bool:
    """Tell whether so many recipients can have come with so many batches, which hold one at the least."""
    return recipients * batches >= batches * batches if batches else recipients == 0
