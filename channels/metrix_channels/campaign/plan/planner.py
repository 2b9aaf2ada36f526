"""The plan of a run: every row of the audience read, screened, rendered and grouped before anything is sent."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from json import JSONEncoder
from typing import Final

from attrs import define, field

from ...errors import CampaignError, ConfigError, MetrixChannelsError
from ...ledger import Counts, Draft, Skip, SkipReason
from ...models import JsonValue
from ..audience.reader import ABSENT, Chunk
from ..renderer import MessageRenderer
from .batching import Batching, Key, Values
from .duplicates import DuplicateFinder

_ENCODE: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_FIRST_ROWS: Final = 5
_MOST_KINDS: Final = 10
_MOST_COSTLY: Final = 10
"""Rows whose rendering is given up before the plan is: each took its two seconds, and a million would take weeks."""
_SKIPS: Final = 1_000
_MOST_FAILED: Final = 10_000

Exclude = Callable[[Sequence[str]], dict[str, SkipReason]]
"""Says of some recipients which are to be sent nothing, and why."""


@define
class Fault:
    """Rows whose message cannot be made, for one reason."""

    error: MetrixChannelsError
    count: int = 0
    rows: list[int] = field(factory=list)


class Planner:
    """Takes an audience chunk by chunk.

    Args:
        renderer: renders the messages.
        columns: names of the values that come with each row.
        plain: every value is text, as in a CSV; else values may be of any JSON type.
        batch_size: recipients a request.
        canary: so many of the first go first, alone.
        screen: says who is to be sent nothing.

    Attributes:
        counts: the counts so far.
    """

    def __init__(
        self,
        renderer: MessageRenderer,
        columns: Sequence[str],
        *,
        plain: bool,
        batch_size: int,
        canary: int,
        screen: Exclude,
    ) -> None:
        self.counts = Counts()
        self._columns = tuple(columns)
        self._plain = plain
        self._batch_size = batch_size
        self._renderer = renderer
        self._screen = screen
        self._seen = DuplicateFinder()
        self._canaries_left = canary
        self._canary = Batching(renderer.render, batch_size, canary=True)
        self._grouping = self._canary if canary else Batching(renderer.render, batch_size)
        self._drafts: list[Draft] = []
        self._skips: list[Skip] = []
        self._skipped: dict[SkipReason, list[tuple[int, str]]] = defaultdict(list)
        self._faults: dict[tuple[str, str | None], Fault] = {}
        self._failed: dict[Key, Fault] = {}

    def take(self, chunk: Chunk) -> None:
        """Plan the next rows."""
        self.counts.rows += chunk.rows
        for invalid in chunk.invalid:
            self._skip(SkipReason.INVALID, invalid.row, invalid.recipient)
        numbers, recipients, values = chunk.numbers, chunk.recipients, chunk.values
        if doubtful := self._seen.doubtful(recipients):
            self._seen.put_aside((recipients[at], numbers[at], self._written(values, at)) for at in doubtful)
            apart = set(doubtful)
            kept = [at for at in range(len(recipients)) if at not in apart]
            numbers, recipients = [numbers[at] for at in kept], [recipients[at] for at in kept]
            values = [values[at] for at in kept] if values else values
        self._seen.first(recipients)
        self._place(numbers, recipients, values)
        self._count()

    def finish(self) -> Iterator[None]:
        """Plan what was put aside and close the groups; pauses now and then, so that `taken` can be called.

        Raises:
            CampaignError: plan_failed, with every reason; audience_empty.
        """
        for recipient, number, written, repeated in self._seen.resolved():
            if repeated:
                self._skip(SkipReason.DUPLICATE, number, recipient)
            else:
                self._place([number], [recipient], [self._read(written)] if self._columns else [])
        self._seen.close()
        self._require_no_faults()
        for reason in list(self._skipped):
            self._close_skips(reason)
        for grouping in dict.fromkeys((self._canary, self._grouping)):
            for _ in grouping.finish():
                self._count()
                yield
        self._count()
        if not self.counts.pending:
            raise CampaignError(
                f"Of {self.counts.rows:,} rows nobody is left to send to: {self.counts.skipped}.", code="audience_empty"
            )

    def taken(self) -> tuple[list[Draft], list[Skip]]:
        """Return what is ready to be written down, and forget it."""
        drafts, skips = [*self._drafts], self._skips
        for grouping in dict.fromkeys((self._canary, self._grouping)):
            drafts += grouping.drafts
            grouping.drafts = []
        self._drafts, self._skips = [], []
        return drafts, skips

    def facts(self) -> dict[str, JsonValue]:
        """Return what the plan found, beside the counts."""
        both = dict.fromkeys((self._canary, self._grouping))
        return {
            "batches": self.counts.batches,
            "texts": sum(grouping.texts for grouping in both),
            "sms_parts": sum(grouping.sms_parts for grouping in both),
            "cautions": dict(sum((Counter(grouping.cautions) for grouping in both), Counter())),
            "empty": dict(sum((Counter(grouping.empty) for grouping in both), Counter())),
        }

    def close(self) -> None:
        """Remove what was written to disk on the way."""
        self._seen.close()

    # -- rows

    def _place(self, numbers: Sequence[int], recipients: Sequence[str], values: Sequence[Sequence[JsonValue]]) -> None:
        excluded = self._screen(recipients)
        if excluded:
            for number, recipient in zip(numbers, recipients, strict=True):
                if recipient in excluded:
                    self._skip(excluded[recipient], number, recipient)
            kept = [at for at, recipient in enumerate(recipients) if recipient not in excluded]
            numbers, recipients = [numbers[at] for at in kept], [recipients[at] for at in kept]
            values = [values[at] for at in kept] if values else values
        if self._grouping is self._canary:
            first = self._canaries_left
            self._canaries_left -= min(first, len(recipients))
            self._group(numbers[:first], recipients[:first], values[:first])
            numbers, recipients, values = numbers[first:], recipients[first:], values[first:]
            if self._canaries_left:
                return
            self._grouping = Batching(self._renderer.render, self._batch_size, known=self._canary.digests)
        self._group(numbers, recipients, values)

    def _group(self, numbers: Sequence[int], recipients: Sequence[str], values: Sequence[Sequence[JsonValue]]) -> None:
        if not recipients:
            return
        lists = self._grouping.lists
        if not self._columns:
            together = lists.get(()) or self._opened((), (), numbers)
            if together is not None:
                together += recipients
        else:
            keys = values if self._plain else [_ENCODE(self._mapping(each)) for each in values]
            for at, (key, recipient) in enumerate(zip(keys, recipients, strict=True)):
                try:
                    lists[key].append(recipient)  # type: ignore[index]
                except KeyError:
                    together = self._opened(key, values[at], numbers[at : at + 1])  # type: ignore[arg-type]
                    if together is not None:
                        together.append(recipient)
        self._grouping.added(len(recipients))

    def _opened(self, key: Key, values: Sequence[JsonValue], numbers: Sequence[int]) -> list[str] | None:
        """Begin the group of a row; None when its message cannot be made."""
        fault = self._failed.get(key)
        if fault is None:
            try:
                return self._grouping.open(key, self._mapping(values))
            except ConfigError:
                raise  # the installation is at fault, not the row
            except MetrixChannelsError as error:
                fault = self._faults.setdefault((error.code, error.location), Fault(error))
                if len(self._failed) < _MOST_FAILED:
                    self._failed[key] = fault
        fault.count += len(numbers)
        fault.rows += numbers[: max(_FIRST_ROWS - len(fault.rows), 0)]
        if fault.error.code == "template_too_costly" and fault.count >= _MOST_COSTLY:
            self._require_no_faults()
        return None

    def _mapping(self, values: Sequence[JsonValue]) -> Values:
        return {name: value for name, value in zip(self._columns, values, strict=True) if value is not ABSENT}

    def _written(self, values: Sequence[Sequence[JsonValue]], at: int) -> str:
        return _ENCODE(self._mapping(values[at])) if self._columns else "{}"

    def _read(self, written: str) -> tuple[JsonValue, ...]:
        found = json.loads(written)
        return tuple(found.get(name, ABSENT) for name in self._columns)

    def _skip(self, reason: SkipReason, number: int, recipient: str) -> None:
        self.counts.skip(1, reason)
        rows = self._skipped[reason]
        rows.append((number, recipient))
        if len(rows) >= _SKIPS:
            self._close_skips(reason)

    def _close_skips(self, reason: SkipReason) -> None:
        if rows := self._skipped.pop(reason, None):
            self._skips.append(Skip(reason, rows))

    def _count(self) -> None:
        self.counts.pending = self.counts.rows - sum(self.counts.skipped.values())
        self.counts.batches = sum(grouping.batches for grouping in dict.fromkeys((self._canary, self._grouping)))

    # -- faults

    def _require_no_faults(self) -> None:
        if not self._faults:
            return
        faults = sorted(self._faults.values(), key=lambda fault: -fault.count)
        total = sum(fault.count for fault in faults)
        lines = [_told(fault) for fault in faults[:_MOST_KINDS]]
        if len(faults) > _MOST_KINDS:
            lines.append(f"… and {len(faults) - _MOST_KINDS} further reasons.")
        raise CampaignError(
            f"{total:,} of {self.counts.rows:,} rows cannot be sent, so nothing was:\n" + "\n".join(lines),
            code="plan_failed",
            remedy=faults[0].error.remedy,
            location=faults[0].error.location,
        )


def _told(fault: Fault) -> str:
    rows = ", ".join(f"{row:,}" for row in fault.rows) + (", …" if fault.count > len(fault.rows) else "")
    noun = "row" if fault.count == 1 else "rows"
    return f"{fault.count:,} {noun} ({rows}): {fault.error.message} [{fault.error.code}]"
