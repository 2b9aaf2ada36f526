"""The CSV of a report: spreadsheets show it right, and it can be an audience or a suppression list again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

REPORT_COLUMNS: Final = ("recipient", "channel", "outcome", "reason", "batch", "attempts", "status_code", "at")
INVALID_IN_REPORT: Final = "was invalid in the campaign of this report"
"""Why a row of a report is none of an audience: what stands in it for an id may be cut off or escaped."""

_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]")
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula (OWASP, CSV Injection); `unguarded` undoes it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return what `guarded` was given."""
    return cell[1:] if _GUARDED.match(cell) else cell


def outcome_places(columns: Sequence[str]) -> tuple[int, int] | None:
    """Return where in each row of a report its outcome and its reason stand; None for the columns of other files."""
    if not {"recipient", "outcome", "reason"} <= {*columns}:
        return None
    return columns.index("outcome"), columns.index("reason")


def is_invalid(row: Sequence[str], places: tuple[int, int]) -> bool:
    """Tell whether a row of a report is of an invalid row of its campaign's audience."""
    return row[places[0]] == "skipped" and row[places[1]] == "invalid"
