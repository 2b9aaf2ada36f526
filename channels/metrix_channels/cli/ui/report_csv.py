"""The CSV of a campaign: a row for every row of its audience."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ...campaign import CampaignRow
from ...outcomes import iso_utc
from ..new_files import new_file

_HEADER: Final = ("recipient", "channel", "outcome", "reason", "batch", "attempts", "status_code", "at")


def write_csv(path: Path, rows: Iterable[CampaignRow]) -> int:
    """Write a new file that only its owner can read; return the number of rows.

    Raises:
        UsageError: file_exists, file_unwritable; what was written until then is removed.
    """
    count = 0
    with new_file(path) as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for row in rows:
            writer.writerow(_cells(row))
            count += 1
    return count


def _cells(row: CampaignRow) -> tuple[str, ...]:
    return (
        harmless(row.recipient),
        row.channel,
        row.outcome,
        row.reason,
        row.batch,
        str(row.attempts),
        str(row.status_code or ""),
        iso_utc(row.at) if row.at else "",
    )


def harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula (OWASP, CSV Injection)."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
