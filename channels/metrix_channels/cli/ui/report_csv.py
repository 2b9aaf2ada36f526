"""The CSV of a campaign: a row for every row of its audience."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from ...campaign import REPORT_COLUMNS, CampaignRow, guarded
from ...outcomes import iso_utc
from ..new_files import new_file


def write_csv(path: Path, rows: Iterable[CampaignRow]) -> int:
    """Write a new file that only its owner can read; return the number of rows.

    Excel opens it right, and it can be the audience of another campaign (`id: recipient`) or a suppression list.

    Raises:
        UsageError: file_exists, file_unwritable; what was written until then is removed.
    """
    count = 0
    with new_file(path) as file:
        file.write("\ufeff")  # without the byte order mark, Excel takes UTF-8 for the code page of its machine
        writer = csv.writer(file)
        writer.writerow(REPORT_COLUMNS)
        for row in rows:
            writer.writerow(_cells(row))
            count += 1
    return count


def _cells(row: CampaignRow) -> tuple[str, ...]:
    return (
        guarded(row.recipient),
        row.channel,
        row.outcome,
        row.reason,
        row.batch,
        str(row.attempts),
        str(row.status_code or ""),
        iso_utc(row.at) if row.at else "",
    )
