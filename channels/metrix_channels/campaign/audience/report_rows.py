"""The CSV of a report: safe to open in a spreadsheet, and usable as an audience or a suppression list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

REPORT_COLUMNS: Final = ("recipient", "channel", "outcome", "reason", "batch", "attempts", "status_code", "at")
INVALID_IN_REPORT: Final = "was invalid in the campaign of this report"
"""Why such a row of a report is not sent to: its id may be cut off or escaped."""

_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]")
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """Escape a cell that a spreadsheet would read as a formula (OWASP, CSV Injection); `unguarded` undoes it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Undo `guarded`."""
    return cell[1:] if _GUARDED.match(cell) else cell


def outcome_places(columns: Sequence[str]) -> tuple[int, int] | None:
    """Return the positions of outcome and reason in a report's rows; None if the file is not a report."""
    if not {"recipient", "outcome", "reason"} <= {*columns}:
        return None
    return columns.index("outcome"), columns.index("reason")


def is_invalid(row: Sequence[str], places: tuple[int, int]) -> bool:
    """Tell whether a row of a report was invalid in its campaign."""
    return row[places[0]] == "skipped" and row[places[1]] == "invalid"
