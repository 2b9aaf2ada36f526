"""The CSV report of a campaign: one row per row of the audience."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from ...campaign import REPORT_COLUMNS, CampaignRow, guarded
from ...outcomes import iso_utc
from ..new_files import new_file


def write_csv(path: Path, rows: Iterable[CampaignRow]) -> int:
    """Write a new file that only its owner can read; return the number of rows.

    Excel can open it. It can also be the audience of another campaign (`id: recipient`) or a suppression list.

    Raises:
        UsageError: file_exists, file_unwritable; an incomplete file is removed.
    """
    count = 0
    with new_file(path) as file:
        file.write("\ufeff")  # without the byte order mark, Excel does not read the file as UTF-8
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
