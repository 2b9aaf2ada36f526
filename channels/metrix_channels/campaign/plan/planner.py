"""Plans a run: reads, screens, renders and groups every row of the audience before anything is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from ...errors import CampaignError, ConfigError, MetrixChannelsError
from ...ledger import Counts, Draft, Skip, SkipReason
from ..audience.reader import Chunk
from ..exclusions.exclusions import Exclusions
from ..renderer import MessageRenderer, RowEmpty
from .batching import Batching, Key
from .duplicates import DuplicateFinder
from .faults import Faults
from .findings import ALIKE, Findings, described
from .line_runs import LineRuns
from .locale_counts import LocaleCounts
from .row_values import Row, RowValues

T = TypeVar("T")

_SKIPS: Final = 1_000
_MOST_EMPTY: Final = 10_000
"""Maximum of remembered values that were skipped as empty."""


class Planner:
    """Plans an audience chunk by chunk.

    Args:
        renderer: renders the messages.
        row_values: the values of each row.
        locales: counts recipients by locale.
        batch_size: maximum recipients per request.
        canary: how many recipients are sent to first.
        exclusions: recipients who are sent nothing.
        findings: collects findings about rows.
        faults: collects rows whose message cannot be rendered.

    Attributes:
        counts: the counts so far.
    """

    def __init__(
        self,
        renderer: MessageRenderer,
        row_values: RowValues,
        locales: LocaleCounts,
        *,
        batch_size: int,
        canary: int,
        exclusions: Exclusions,
        findings: Findings,
        faults: Faults,
    ) -> None:
        self.counts: Counts = Counts()
        self._row_values = row_values
        self._locales = locales
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
        self._faults = faults
        self._empty: set[Key] = set()

    def take(self, chunk: Chunk) -> None:
        """Plan the next rows."""
        self.counts.rows += chunk.rows
        self._findings.add_invalid(chunk.invalid)
        for invalid in chunk.invalid:
            self._skip(SkipReason.INVALID, invalid.line, invalid.recipient)
        self._findings.add_damaged(chunk)
        recipients, folds, values = chunk.recipients, chunk.folds, chunk.values
        if doubtful := self._seen.doubtful(folds):
            self._seen.put_aside(
                (recipients[at], chunk.lines[at], self._row_values.write(values[at])) for at in doubtful
            )
            kept = _without(doubtful, recipients)
            folds = kept if folds is recipients else _without(doubtful, folds)
            recipients, values = kept, _without(doubtful, values)
        lines = LineRuns(chunk.lines, doubtful)
        self._seen.first(recipients, folds, lines)
        self._place(lines, recipients, values)
        self._count()

    def finish(self) -> Iterator[None]:
        """Plan doubtful rows and close the groups; yields regularly so that the caller can call `taken`.

        Raises:
            CampaignError: ids_damaged; plan_failed, with every reason; audience_empty.
        """
        self._findings.require_no_damage(self.counts.rows)
        for recipient, line, written, repeated in self._seen.resolved():
            if repeated:
                self._skip(SkipReason.DUPLICATE, line, recipient)
            else:
                self._place([line], [recipient], [self._row_values.read(written)])
        place = self._findings.place
        pairs = ((place(one), place(other)) for one, other in self._seen.alike_lines())
        self._findings.add_alike(self._seen.alike, pairs)
        self._findings.add_alike(*self._exclusions.alike())
        self._findings.listed, self._findings.listed_in_audience = self._exclusions.matches()
        self._seen.close()
        self._faults.require_none(self.counts.rows)
        for reason in list(self._skipped):
            self._close_skips(reason)
        for grouping in dict.fromkeys((self._canary, self._grouping)):
            for _ in grouping.finish():
                self._count()
                yield
        self._count()
        if not self.counts.pending:
            raise self._nobody_left()

    def taken(self) -> tuple[list[Draft], list[Skip]]:
        """Return and remove what is ready to be written to the ledger."""
        drafts, skips = [*self._drafts], self._skips
        for grouping in dict.fromkeys((self._canary, self._grouping)):
            drafts += grouping.drafts
            grouping.drafts = []
        self._drafts, self._skips = [], []
        return drafts, skips

    def facts(self) -> dict[str, Any]:
        """Return the facts of the plan, in addition to the counts."""
        both = dict.fromkeys((self._canary, self._grouping))
        parts = sum((grouping.sms_parts for grouping in both), Counter[tuple[str, str]]())
        cautions = sum((Counter(grouping.cautions) for grouping in both), Counter({ALIKE: self._findings.alike}))
        return {
            "batches": self.counts.batches,
            "texts": sum(grouping.texts for grouping in both),
            "sms_parts": parts.total(),
            "sms_encodings": _sums((encoding, count) for (_, encoding), count in parts.items() if encoding),
            "cautions": dict(+cautions),
            "empty": dict(sum((Counter(grouping.empty) for grouping in both), Counter())),
            **self._findings.facts(),
            **self._locales.facts(_sums((locale, count) for (locale, _), count in parts.items()), self.counts.pending),
        }

    def close(self) -> None:
        """Delete temporary files."""
        self._seen.close()

    # -- rows

    def _place(self, lines: Sequence[int], recipients: Sequence[str], values: Sequence[Row]) -> None:
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
            while self._canaries_left and recipients:
                first = self._canaries_left
                self._canaries_left -= self._group(lines[:first], recipients[:first], values[:first])
                lines, recipients, values = lines[first:], recipients[first:], values[first:]
            if self._canaries_left:
                return
            self._grouping = Batching(self._renderer.render, self._batch_size, known=self._canary.digests)
        self._group(lines, recipients, values)

    def _group(self, lines: Sequence[int], recipients: Sequence[str], values: Sequence[Row]) -> int:
        """Group rows by message; return how many were not skipped."""
        if not recipients:
            return 0
        lists = self._grouping.lists
        skipped = self.counts.skipped.get(SkipReason.EMPTY, 0)
        self._locales.add(self._row_values.locales(values))
        if not self._row_values.columns:
            together = lists.get(()) or self._open((), (), slice(None), lines, recipients)
            if together is not None:
                together += recipients
        else:
            keys = self._row_values.keys(values)
            groups = list(map(lists.get, keys))
            if None in groups:
                for at in [at for at, group in enumerate(groups) if group is None]:
                    groups[at] = lists.get(keys[at])  # an earlier row of the chunk may have opened it
                    if groups[at] is None:
                        groups[at] = self._open(keys[at], values[at], slice(at, at + 1), lines, recipients)
            for group, recipient in zip(groups, recipients, strict=True):
                if group is not None:
                    group.append(recipient)
        placed = len(recipients) - (self.counts.skipped.get(SkipReason.EMPTY, 0) - skipped)
        self._grouping.added(placed)
        return placed

    def _open(
        self, key: Key, row: Row, rows: slice, lines: Sequence[int], recipients: Sequence[str]
    ) -> list[str] | None:
        """Start the group of rows with equal values; None if they are skipped or their message cannot be rendered."""
        fault = self._faults.known(key)
        if fault is None and key not in self._empty:
            try:
                return self._grouping.open(key, self._row_values.of_message(row))
            except RowEmpty:
                if len(self._empty) < _MOST_EMPTY:
                    self._empty.add(key)
            except ConfigError:
                raise  # a fault of the installation, not of the row
            except MetrixChannelsError as error:
                fault = self._faults.of(key, error)
        if fault is None:
            self._skip_empty(row, lines[rows], recipients[rows])
        else:
            self._faults.add(fault, lines[rows], self.counts.rows)
        return None

    def _skip_empty(self, row: Row, lines: Sequence[int], recipients: Sequence[str]) -> None:
        for line, recipient in zip(lines, recipients, strict=True):
            self._skip(SkipReason.EMPTY, line, recipient)
        for locale in self._row_values.locales([row]):
            self._locales.remove(locale, len(lines))

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

    def _nobody_left(self) -> CampaignError:
        skipped = ", ".join(f"{reason} {count:,}" for reason, count in self.counts.skipped.items())
        rows = "1 row" if self.counts.rows == 1 else f"{self.counts.rows:,} rows"
        message = f"No recipient is left to send to. {rows} skipped: {skipped}."
        return CampaignError(" ".join([message, *described(self._findings.facts())]), code="audience_empty")


def _without(places: Sequence[int], items: Sequence[T]) -> list[T]:
    """Return the items except those at some places; the places ascend."""
    kept = list(items)
    for at in reversed(places):
        del kept[at : at + 1]  # nothing if there are no values
    return kept


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up counts by name."""
    found: Counter[str] = Counter()
    for name, count in pairs:
        found[name] += count
    return dict(found)
