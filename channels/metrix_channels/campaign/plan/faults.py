"""Rows whose message cannot be rendered, by reason. One such row is enough to refuse the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from ...errors import CampaignError, MetrixChannelsError
from ...printable import printable
from .batching import Key

_FIRST_ROWS: Final = 5
_MOST_KINDS: Final = 10
_MOST_COSTLY: Final = 10
"""Rows that may exceed the rendering time (two seconds each) before the plan is refused."""
_MOST_FAILED: Final = 10_000
_CORRECT_THE_NAME: Final = (
    "Rename a column, correct the name in the template, add the value under `context` in the campaign file, or give it"
    ' a default in the template, as in `{{ first_name | default("friend") }}`.'
)


@define
class Fault:
    """Rows whose message cannot be rendered, for one reason."""

    error: MetrixChannelsError
    count: int = 0
    lines: list[int] = field(factory=list)


class Faults:
    """Remembers the values that failed, so that equal values are not rendered again.

    Args:
        columns: of the audience; empty if each row has its own keys.
    """

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self._columns = columns
        self._faults: dict[tuple[str, str | None], Fault] = {}
        self._failed: dict[Key, Fault] = {}

    def known(self, key: Key) -> Fault | None:
        """Return the fault of values that failed before; None if they did not."""
        return self._failed.get(key)

    def of(self, key: Key, error: MetrixChannelsError) -> Fault:
        """Record and return the fault of values that failed now."""
        fault = self._faults.setdefault((error.code, error.location), Fault(error))
        if len(self._failed) < _MOST_FAILED:
            self._failed[key] = fault
        return fault

    def add(self, fault: Fault, lines: Sequence[int], rows: int) -> None:
        """Count faulty rows.

        Args:
            fault: of these rows.
            lines: their lines.
            rows: of the audience, so far.

        Raises:
            CampaignError: plan_failed, if too many rows exceed the rendering time.
        """
        fault.count += len(lines)
        fault.lines += lines[: max(_FIRST_ROWS - len(fault.lines), 0)]
        if fault.error.code == "template_too_costly" and fault.count >= _MOST_COSTLY:
            self.require_none(rows)

    def require_none(self, rows: int) -> None:
        """Refuse a plan with faulty rows.

        Args:
            rows: of the audience.

        Raises:
            CampaignError: plan_failed, with every reason.
        """
        if not self._faults:
            return
        faults = sorted(self._faults.values(), key=lambda fault: -fault.count)
        total = sum(fault.count for fault in faults)
        lines = [_describe(fault) for fault in faults[:_MOST_KINDS]]
        if len(faults) > _MOST_KINDS:
            lines.append(f"Further reasons: {len(faults) - _MOST_KINDS}.")
        raise CampaignError(
            f"{total:,} of {rows:,} {'row' if rows == 1 else 'rows'} cannot be sent, so nothing was sent:\n"
            + "\n".join(lines),
            code="plan_failed",
            remedy=self._remedy(faults[0].error),
            location=faults[0].error.location,
        )

    def _remedy(self, error: MetrixChannelsError) -> str:
        if error.code != "template_undefined" or not self._columns:
            return error.remedy
        columns = ", ".join(map(printable, self._columns[:_MOST_KINDS]))
        more = ", …" if len(self._columns) > _MOST_KINDS else ""
        shown = f"The audience has the columns {columns}{more}."
        wrong = [printable(column) for column in self._columns if not column.isidentifier()][:_MOST_KINDS]
        if wrong:
            shown += f" A template cannot use a column whose name has spaces or signs: {', '.join(wrong)}."
        return f"{shown} {_CORRECT_THE_NAME}"


def _describe(fault: Fault) -> str:
    lines = ", ".join(f"{line:,}" for line in fault.lines) + (", …" if fault.count > len(fault.lines) else "")
    rows, where = ("row", "line") if fault.count == 1 else ("rows", "lines")
    return f"{fault.count:,} {rows} ({where} {lines}): {fault.error.message} [{fault.error.code}]"
