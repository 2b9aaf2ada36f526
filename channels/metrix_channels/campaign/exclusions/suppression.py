"""Reads suppression lists. A list with a row that does not clearly name a recipient is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from ...errors import CampaignError
from ...models import JsonValue
from ...printable import printable, quoted
from ...recipients import recipient_fault
from ..audience.reader import ABSENT, Audience, Chunk, open_audience
from ..audience.report_rows import INVALID_IN_REPORT, outcome_places
from ..audience.rows import RawRows, checked
from ..audience.source import EXPORT_AGAIN
from ..audience_source import AudienceSource, DamagedIds

_COMMON: Final = "customUserId"
_OF_REPORTS: Final = "recipient"
_CORRECT: Final = "Correct or remove the row."
_ONE_ID: Final = "Write one id per row, as text. If the id is right, write `damaged_ids: send` under `audience`."
_EXPORT_OR_HEADER: Final = (
    "Export the file again. If nobody has opted out, write only a header, such as `customUserId`, or remove the file"
    " from `suppress`."
)
_ONE_COLUMN: Final = "Write all ids of the list into one of its id columns, and delete the others."
_UNCLEAR: Final = {
    "several": "looks like several ids",
    "comment": "looks like a comment",
    "quoted": "is in quotes or brackets",
    "pattern": "looks like a pattern, or like an id that is partly hidden",
    "link": "looks like a link or a label, not like an id",
}
"""Kinds of text that match nobody although they mean somebody: the names of the groups below."""
_EVERYBODY: Final = "(?:all|any|everyone|everybody|همه)$"
_PLAIN: Final = re.compile(
    rf"(?!{_EVERYBODY}|(\D*)\d+(\D*)-\1\d)\+?[\w-]+(?:\.[\w-]+)*(?:@[\w-]+(?:\.[\w-]+)*)?", re.IGNORECASE
)
"""Most ids: `_SHAPES`, which takes ten times longer, matches none of them."""
_SHAPES: Final = re.compile(
    rf"""
    (?P<comment>^(?:\#|//|--|•))
    |(?P<quoted>["“”„«»]|^['‘’`]|['‘’`]$|^<.*>$|^\[.*\]$|^\(.*\)$|^\{{.*\}}$)
    |(?P<link>^(?:mailto|tel|sms|smsto|callto|sip|xmpp|whatsapp|custom_?user_?id|user_?id|recipient|e-?mail|phone)[:=]
        |^[a-z][a-z0-9+.-]*://|%[0-9a-f]{{2}})
    |(?P<several>[;,|\s\u060c\u061b\u3001\uff0c\uff1b\uff5c]|\.\.\w|@.+@|.<[^<>]+>
        |^(?=.*[^\W\d_])(\D*)\d+(\D*)(?:[-/\\&+~:·–—]\5\d+\6)+$
        |^\+?\d{{7,}}(?:[/\\&+~·–—]\+?\d{{7,}})+$)
    |(?P<pattern>[*?•●]|^[%@^]|[%$]$|\[[^\[\]]+\]|(?:\.\.\.|…)$|^{_EVERYBODY})
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""Text that is clearly not one id. Ids may contain `/`, `-` and `:`; these separate several ids only if the parts are
numbered alike (u1/u2) or are long numbers, such as phone numbers."""


def listed(path: Path, audience: AudienceSource) -> Iterator[tuple[str, str]]:
    """Yield every recipient on a list, with the place (`FILE:LINE`).

    The ids are in the id column of the audience, in `customUserId` and in `recipient`, as in reports. If a list has
    several of these columns, the ids of all are yielded: it is better to leave out one person too many than to write to
    someone who opted out. The first of them must have an id in each row. A header without rows is an empty list; a file
    without text is an error.

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
            yield from _everybody(path, rows, names, refuses=audience.damaged_ids is DamagedIds.REFUSE)
    except CampaignError as error:
        if error.code == "audience_invalid":
            remedy = _EXPORT_OR_HEADER if error.remedy == EXPORT_AGAIN else error.remedy
            raise _refusal(path, error.message, error.location, remedy) from error
        raise


def _everybody(path: Path, rows: Audience, names: Collection[str], *, refuses: bool) -> Iterator[tuple[str, str]]:
    is_report = rows.columns is not None and outcome_places(rows.columns) is not None
    columns = rows.wanted(names)
    correct = _ONE_COLUMN if rows.columns is not None and len(columns) > 1 else _CORRECT
    for chunk in rows.chunks(columns, may_be_empty=rows.columns is not None):
        yield from _in_column(path, chunk, correct, "", refuses=refuses, is_report=is_report)
        for others, name in _other_ids(chunk, columns, rows.id_name):
            where = f" in the column {quoted(name, 80)}"
            yield from _in_column(path, others, _ONE_COLUMN, where, refuses=refuses, is_report=False)


def _in_column(
    path: Path, chunk: Chunk, correct: str, where: str, *, refuses: bool, is_report: bool
) -> Iterator[tuple[str, str]]:
    place = f"{printable(path.name)}:"
    if refuses and (found := _not_plain(chunk, is_report=is_report)):
        at, what = found
        remedy = _ONE_COLUMN if where else _ONE_ID
        raise _unclear(path, chunk.lines[at], f"the id {quoted(chunk.recipients[at], 80)}{where} {what}", remedy)
    yield from zip(chunk.recipients, (f"{place}{line}" for line in chunk.lines), strict=True)
    for invalid in chunk.invalid:
        who = "" if invalid.id is None else invalid.id.strip()  # surrounding white space must not hide an id
        if not recipient_fault(who):
            yield who, f"{place}{invalid.line}"
        elif invalid.why != INVALID_IN_REPORT:
            raise _unclear(path, invalid.line, f"a row is invalid ({invalid.why})", correct)


def _other_ids(chunk: Chunk, columns: Sequence[str], first: str) -> Iterator[tuple[Chunk, str]]:
    """Yield the ids of each other id column that differ from those of the first, with the column's name."""
    for place, name in enumerate(columns):
        if name == first:
            continue
        ids = [_plain_id(values[place]) for values in chunk.values]
        kept = [at for at, each in enumerate(ids) if each not in ("", chunk.recipients[at])]
        lines, others = [chunk.lines[at] for at in kept], [ids[at] for at in kept]
        yield checked(RawRows(lines, others, [()] * len(kept), []), name), name


def _plain_id(value: JsonValue) -> JsonValue:
    """Return a value as an id; empty if there is none."""
    if value is ABSENT or value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _not_plain(chunk: Chunk, *, is_report: bool) -> tuple[int, str] | None:
    """Return the position of the first id that is clearly not one id, and what it looks like."""
    if chunk.damaged:
        return chunk.damaged[0], "looks damaged by a spreadsheet or an export"
    if is_report:  # a report contains the exact ids that were sent to
        return None
    for at, each in enumerate(chunk.recipients):
        if _PLAIN.fullmatch(each) is None and (found := _SHAPES.search(each)):
            return at, _UNCLEAR[str(found.lastgroup)]
    return None


def _unclear(path: Path, line: int, what: str, remedy: str) -> CampaignError:
    message = f"{what}, so it is not clear whom to exclude"
    return _refusal(path, message[0].upper() + message[1:], f"{printable(str(path))}:{line}:1", remedy)


def _refusal(path: Path, message: str, location: str | None, remedy: str | None) -> CampaignError:
    message = f"The suppression list {printable(path.name)} cannot be used. {message}"
    return CampaignError(message, code="suppression_invalid", location=location, remedy=remedy)
