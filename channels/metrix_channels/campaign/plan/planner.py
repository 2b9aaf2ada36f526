"""The plan of a run: every row of the audience read, screened, rendered and grouped before anything is sent."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from json import JSONEncoder
from typing import Final

from attrs import define, field

from ...errors import CampaignError, ConfigError, MetrixChannelsError
from ...ledger import Counts, Draft, Skip, SkipReason
from ...models import JsonValue
from ..audience.reader import ABSENT, Chunk
from ..exclusions.exclusions import Exclusions
from ..renderer import MessageRenderer
from .batching import Batching, Key, Values
from .duplicates import DuplicateFinder
from .findings import ALIKE, Findings, described

_ENCODE: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_FIRST_ROWS: Final = 5
_MOST_KINDS: Final = 10
_MOST_COSTLY: Final = 10
"""Rows whose rendering is given up before the plan is: each took its two seconds, and a million would take weeks."""
_SKIPS: Final = 1_000
_MOST_FAILED: Final = 10_000


@define
class Fault:
    """Rows whose message cannot be made, for one reason."""

    error: MetrixChannelsError
    count: int = 0
    lines: list[int] = field(factory=list)


class Planner:
    """Takes an audience chunk by chunk.

    Args:
        renderer: renders the messages.
        columns: names of the values that come with each row.
        plain: every value is text, as in a CSV; else values may be of any JSON type.
        batch_size: recipients a request.
        canary: so many of the first go first, alone.
        exclusions: who is to be sent nothing.
        findings: what there is to say of rows by their lines.

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
        exclusions: Exclusions,
        findings: Findings,
    ) -> None:
        self.counts: Counts = Counts()
        self._columns = tuple(columns)
        self._plain = plain
        self._batch_size = batch_size
        self._renderer = renderer
        self._exclusions = exclusions
        self._seen = DuplicateFinder()
        self._findings = findings
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
        self._findings.add_invalid(chunk.invalid)
        for invalid in chunk.invalid:
            self._skip(SkipReason.INVALID, invalid.line, invalid.recipient)
        self._findings.add_damaged(chunk)
        lines, recipients, folds, values = chunk.lines, chunk.recipients, chunk.folds, chunk.values
        if doubtful := self._seen.doubtful(folds):
            self._seen.put_aside((recipients[at], lines[at], self._written(values, at)) for at in doubtful)
            apart = set(doubtful)
            kept = [at for at in range(len(recipients)) if at not in apart]
            lines, recipients = [lines[at] for at in kept], [recipients[at] for at in kept]
            folds = [folds[at] for at in kept]
            values = [values[at] for at in kept] if values else values
        self._seen.first(recipients, folds, lines)
        self._place(lines, recipients, values)
        self._count()

    def finish(self) -> Iterator[None]:
        """Plan what was put aside and close the groups; pauses now and then, so that `taken` can be called.

        Raises:
            CampaignError: ids_damaged; plan_failed, with every reason; audience_empty.
        """
        self._findings.require_no_damage(self.counts.rows)
        for recipient, line, written, repeated in self._seen.resolved():
            if repeated:
                self._skip(SkipReason.DUPLICATE, line, recipient)
            else:
                self._place([line], [recipient], [self._read(written)] if self._columns else [])
        place = self._findings.place
        pairs = ((place(one), place(other)) for one, other in self._seen.alike_lines())
        self._findings.add_alike(self._seen.alike, pairs)
        self._findings.add_alike(*self._exclusions.alike())
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
            raise self._nobody()

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
        cautions = sum((Counter(grouping.cautions) for grouping in both), Counter({ALIKE: self._findings.alike}))
        return {
            "batches": self.counts.batches,
            "texts": sum(grouping.texts for grouping in both),
            "sms_parts": sum(grouping.sms_parts for grouping in both),
            "cautions": dict(+cautions),
            "empty": dict(sum((Counter(grouping.empty) for grouping in both), Counter())),
            **self._findings.facts(),
        }

    def close(self) -> None:
        """Remove what was written to disk on the way."""
        self._seen.close()

    # -- rows

    def _place(self, lines: Sequence[int], recipients: Sequence[str], values: Sequence[Sequence[JsonValue]]) -> None:
        screening = self._exclusions.screened(recipients)
        excluded = screening.excluded
        if screening.alike:
            places = dict(zip(recipients, lines, strict=True))
            pairs = ((self._findings.place(places[who]), place) for who, place in screening.alike.items())
            self._findings.add_alike(len(screening.alike), pairs)
        if excluded:
            for line, recipient in zip(lines, recipients, strict=True):
                if recipient in excluded:
                    self._skip(excluded[recipient], line, recipient)
            kept = [at for at, recipient in enumerate(recipients) if recipient not in excluded]
            lines, recipients = [lines[at] for at in kept], [recipients[at] for at in kept]
            values = [values[at] for at in kept] if values else values
        if self._grouping is self._canary:
            first = self._canaries_left
            self._canaries_left -= min(first, len(recipients))
            self._group(lines[:first], recipients[:first], values[:first])
            lines, recipients, values = lines[first:], recipients[first:], values[first:]
            if self._canaries_left:
                return
            self._grouping = Batching(self._renderer.render, self._batch_size, known=self._canary.digests)
        self._group(lines, recipients, values)

    def _group(self, lines: Sequence[int], recipients: Sequence[str], values: Sequence[Sequence[JsonValue]]) -> None:
        if not recipients:
            return
        lists = self._grouping.lists
        if not self._columns:
            together = lists.get(()) or self._opened((), (), lines)
            if together is not None:
                together += recipients
        else:
            keys = values if self._plain else [_ENCODE(self._mapping(each)) for each in values]
            for at, (key, recipient) in enumerate(zip(keys, recipients, strict=True)):
                try:
                    lists[key].append(recipient)  # type: ignore[index]
                except KeyError:
                    together = self._opened(key, values[at], lines[at : at + 1])  # type: ignore[arg-type]
                    if together is not None:
                        together.append(recipient)
        self._grouping.added(len(recipients))

    def _opened(self, key: Key, values: Sequence[JsonValue], lines: Sequence[int]) -> list[str] | None:
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
        fault.count += len(lines)
        fault.lines += lines[: max(_FIRST_ROWS - len(fault.lines), 0)]
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

    def _skip(self, reason: SkipReason, line: int, recipient: str) -> None:
        self.counts.skip(1, reason)
        rows = self._skipped[reason]
        rows.append((line, recipient))
        if len(rows) >= _SKIPS:
            self._close_skips(reason)

    def _close_skips(self, reason: SkipReason) -> None:
        if rows := self._skipped.pop(reason, None):
            self._skips.append(Skip(reason, rows))

    def _count(self) -> None:
        self.counts.pending = self.counts.rows - sum(self.counts.skipped.values())
        self.counts.batches = sum(grouping.batches for grouping in dict.fromkeys((self._canary, self._grouping)))

    # -- faults

    def _nobody(self) -> CampaignError:
        skipped = ", ".join(f"{reason} {count:,}" for reason, count in self.counts.skipped.items())
        rows = "1 row" if self.counts.rows == 1 else f"{self.counts.rows:,} rows"
        message = f"Of {rows} nobody is left to send to: {skipped}."
        return CampaignError(" ".join([message, *described(self._findings.facts())]), code="audience_empty")

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
    lines = ", ".join(f"{line:,}" for line in fault.lines) + (", …" if fault.count > len(fault.lines) else "")
    rows, where = ("row", "line") if fault.count == 1 else ("rows", "lines")
    return f"{fault.count:,} {rows} ({where} {lines}): {fault.error.message} [{fault.error.code}]"
