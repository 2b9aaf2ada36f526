"""The CSV of a campaign: a row for every row of its audience."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..campaign import CampaignRow
from ..errors import UsageError
from ..outcomes import iso_utc

_HEADER: Final = ("recipient", "channel", "outcome", "reason", "batch", "attempts", "status_code", "at")


def write_csv(path: Path, rows: Iterable[CampaignRow]) -> int:
    """Write a new file that only its owner can read; return the number of rows.

    Raises:
        UsageError: file_exists, file_unwritable; what was written until then is removed.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{str(path)!r} is there already.", code="file_exists") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not valid"
        raise UsageError(f"{str(path)!r} cannot be written: {why}.", code="file_unwritable") from error
    count = 0
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_HEADER)
            for row in rows:
                writer.writerow(_cells(row))
                count += 1
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}.", code="file_unwritable") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
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
