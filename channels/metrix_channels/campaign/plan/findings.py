"""Findings of a plan about rows: why rows are invalid, which ids are damaged, and which look alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypedDict

from attrs import define, field

from ...errors import CampaignError
from ...printable import quoted
from ..audience.reader import HIDDEN_ROWS, Chunk, Invalid

_FIRST: Final = 5
"""How many rows are listed."""
_MOST_REASONS: Final = 20
_OTHER_REASONS: Final = "is invalid for another reason"
ALIKE: Final = "ids_alike"
"""The caution about ids that look alike."""
OF_ROWS: Final = (ALIKE, HIDDEN_ROWS)
"""Cautions that `described` reports; the others are about texts."""


class InvalidRows(TypedDict):
    """Rows that are invalid for one reason.

    Attributes:
        reason: completes the sentence "The row …".
        count: the number of rows.
        lines: the first of them, as a spreadsheet numbers them.
    """

    reason: str
    count: int
    lines: list[int]


@define
class Findings:
    """Collects findings with constant memory.

    Attributes:
        name: of the audience: the path of the file, or a description.
        refuses_damage: whether a damaged id refuses the plan.
        invalid: invalid rows by their reason.
        damaged: how many ids are damaged.
        alike: how many ids look like another one.
        listed: how many ids are on the suppression lists.
        listed_in_audience: how many of them are ids of the audience.
    """

    name: str
    refuses_damage: bool
    invalid: dict[str, InvalidRows] = field(factory=dict)
    damaged: int = 0
    alike: int = 0
    listed: int = 0
    listed_in_audience: int = 0
    _damaged_first: list[tuple[int, str]] = field(factory=list)
    _alike_first: list[tuple[str, str]] = field(factory=list)

    def add_invalid(self, rows: Iterable[Invalid]) -> None:
        """Add rows that cannot be sent to."""
        for row in rows:
            is_known = row.why in self.invalid or len(self.invalid) < _MOST_REASONS
            reason = row.why if is_known else _OTHER_REASONS
            found = self.invalid.setdefault(reason, InvalidRows(reason=reason, count=0, lines=[]))
            found["count"] += 1
            if len(found["lines"]) < _FIRST:
                found["lines"].append(row.line)

    def add_damaged(self, chunk: Chunk) -> None:
        """Add the damaged ids of a chunk."""
        if not self.refuses_damage:
            return
        self.damaged += len(chunk.damaged)
        for at in chunk.damaged[: _FIRST - len(self._damaged_first)]:
            self._damaged_first.append((chunk.lines[at], chunk.recipients[at]))

    def place(self, line: int) -> str:
        """Return `FILE:LINE` for a row of the audience."""
        return f"{Path(self.name).name}:{line}"

    def add_alike(self, count: int, first: Iterable[tuple[str, str]]) -> None:
        """Add the number of ids that look like another, and the places (`FILE:LINE`) of the first pairs."""
        self.alike += count
        self._alike_first += list(first)[: _FIRST - len(self._alike_first)]

    def require_no_damage(self, rows: int) -> None:
        """Refuse ids that a spreadsheet damaged.

        Raises:
            CampaignError: ids_damaged, with the first rows.
        """
        if self.damaged:
            first = ", ".join(f"line {line:,} ({quoted(each, 80)})" for line, each in self._damaged_first)
            more = ", …" if self.damaged > len(self._damaged_first) else ""
            ids = "id looks" if self.damaged == 1 else "ids look"
            raise CampaignError(
                f"{self.damaged:,} {ids} damaged by a spreadsheet or an export (of {rows:,} rows): {first}{more}.",
                code="ids_damaged",
                location=f"{self.name}:{self._damaged_first[0][0]}:1",
            )

    def facts(self) -> dict[str, Any]:
        """Return the JSON form of findings that do not refuse the plan."""
        facts = {"invalid": list(self.invalid.values()), "alike": [list(pair) for pair in self._alike_first]}
        listed = {"suppression": {"ids": self.listed, "in_audience": self.listed_in_audience}} if self.listed else {}
        return {**facts, **listed}


def described(facts: Mapping[str, Any]) -> list[str]:
    """Describe invalid rows, hidden rows, ids that look alike and lists that match nobody, one line for each finding.

    Args:
        facts: of a plan; facts of older plans may lack these findings.
    """
    lines = [_describe_invalid(each) for each in facts.get("invalid", [])]
    if hidden := facts.get("cautions", {}).get(HIDDEN_ROWS):
        lines.append(_describe_hidden(hidden))
    if alike := facts.get("cautions", {}).get(ALIKE):
        pairs = ", ".join(f"{one} and {other}" for one, other in facts["alike"])
        more = ", …" if alike > len(facts["alike"]) else ""
        ids = "1 id looks" if alike == 1 else f"{alike:,} ids look"
        lines.append(
            f"Caution, {ALIKE}: {ids} like another one: they differ only in letter case, in the form of a letter or"
            f" digit, or in a joiner. Each counts as a separate recipient: {pairs}{more}."
        )
    listed = facts.get("suppression")
    if listed and not listed["in_audience"]:
        ids = "1 id" if listed["ids"] == 1 else f"{listed['ids']:,} ids"
        lines.append(f"No id on the suppression lists ({ids}) is in the audience. Do they hold the same kind of ids?")
    return lines


def _describe_hidden(count: int) -> str:
    rows = (
        "1 row of the sheet is hidden but belongs"
        if count == 1
        else f"{count:,} rows of the sheet are hidden but belong"
    )
    return f"Caution, {HIDDEN_ROWS}: {rows} to the audience. To leave rows out, delete them from the sheet."


def _describe_invalid(rows: InvalidRows) -> str:
    count, lines = rows["count"], rows["lines"]
    more = ", …" if count > len(lines) else ""
    where = f"{'line' if count == 1 else 'lines'} {', '.join(f'{line:,}' for line in lines)}{more}"
    return f"Invalid: {count:,} {'row' if count == 1 else 'rows'} ({where}): {rows['reason']}."
