"""Reads suppression lists. A list with a row that does not clearly name a recipient is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...errors import CampaignError
from ...printable import printable, quoted
from ...recipients import recipient_fault
from ..audience.reader import Audience, Chunk, open_audience
from ..audience.report_rows import INVALID_IN_REPORT, outcome_places
from ..audience_source import AudienceSource, DamagedIds

_COMMON: Final = "customUserId"
_OF_REPORTS: Final = "recipient"
_SEVERAL_OR_A_COMMENT: Final = re.compile(
    r"""[;,|\t\u060c\u061b\u3001\uff0c\uff1b\uff5c]|^(?:#|//|--)|^["'`]|^<.*>$|^\[.*\]$""", re.DOTALL
)
"""Several ids in one field (also with Persian or full-width separators), a commented-out line, or an id in quotes or
brackets of another format."""


def listed(path: Path, audience: AudienceSource) -> Iterator[tuple[str, str]]:
    """Yield every recipient on a list, with the place (`FILE:LINE`).

    The ids are in the id column of the audience, else in `customUserId`, else in `recipient`, as in reports. A header
    without rows is an empty list; a file without text is an error.

    Args:
        path: a file in any format of an audience.
        audience: of the campaign.

    Raises:
        CampaignError: suppression_invalid, with the line, for a row that does not clearly name a recipient;
            file_unreadable.
    """
    names = dict.fromkeys((audience.id, _COMMON, _OF_REPORTS))
    try:
        with open_audience(path, *names) as rows:
            yield from _everybody(path, rows, refuses_damage=audience.damaged_ids is DamagedIds.REFUSE)
    except CampaignError as error:
        if error.code == "audience_invalid":
            raise _refusal(path, error.message, error.location, error.remedy) from error
        raise


def _everybody(path: Path, rows: Audience, *, refuses_damage: bool) -> Iterator[tuple[str, str]]:
    is_report = rows.columns is not None and outcome_places(rows.columns) is not None
    for chunk in rows.chunks((), may_be_empty=rows.columns is not None):
        if refuses_damage:
            _require_plain_ids(path, chunk, is_report=is_report)
        yield from zip(chunk.recipients, (f"{printable(path.name)}:{line}" for line in chunk.lines), strict=True)
        for invalid in chunk.invalid:
            who = "" if invalid.id is None else invalid.id.strip()  # surrounding white space must not hide an id
            if not recipient_fault(who):
                yield who, f"{printable(path.name)}:{invalid.line}"
            elif invalid.why != INVALID_IN_REPORT:
                raise _unclear(path, invalid.line, f"a row is invalid ({invalid.why})", "Correct or remove the row.")


def _require_plain_ids(path: Path, chunk: Chunk, *, is_report: bool) -> None:
    remedy = "Write one id per row, as text. If the id is right, write `damaged_ids: send` under `audience`."
    at, what = next(iter(chunk.damaged), None), "looks damaged by a spreadsheet or an export"
    if at is None and not is_report:  # a report contains the exact ids that were sent to
        unlike = (at for at, each in enumerate(chunk.recipients) if _SEVERAL_OR_A_COMMENT.search(each))
        at, what = next(unlike, None), "looks like several ids, a comment, or an id in quotes or brackets"
    if at is not None:
        raise _unclear(path, chunk.lines[at], f"the id {quoted(chunk.recipients[at], 80)} {what}", remedy)


def _unclear(path: Path, line: int, what: str, remedy: str) -> CampaignError:
    message = f"{what}, so it is not clear whom to exclude"
    return _refusal(path, message[0].upper() + message[1:], f"{printable(str(path))}:{line}:1", remedy)


def _refusal(path: Path, message: str, location: str | None, remedy: str | None) -> CampaignError:
    message = f"The suppression list {printable(path.name)} cannot be used. {message}"
    return CampaignError(message, code="suppression_invalid", location=location, remedy=remedy)
