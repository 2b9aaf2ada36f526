"""The header of an audience: its columns, and the one that holds the customUserIds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

from .source import Source

_NAME_IT: Final = "Name the column of the customUserId in the campaign file: write `id: COLUMN` under `audience`."
_RENAME: Final = "Give the column that holds the ids one of these names."
_OWN_NAMES: Final = "Give each column its own name."
_SEPARATE: Final = "Save the list as “CSV UTF-8”."
_SEPARATORS: Final = ";\t|,:^~"


def named(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that have a name: spreadsheets export empty columns too, and pandas its index."""
    return tuple(name for name in columns if name.strip())


def id_column(source: Source, columns: Sequence[str], id_names: Sequence[str], line: int = 1) -> str:
    """Check the column names and return the column of the customUserId. Columns without a name are ignored.

    Args:
        source: where they come from.
        columns: their names.
        id_names: possible columns of the customUserId; the first that exists is used.
        line: of the header.

    Raises:
        CampaignError: audience_invalid.
    """
    for at, name in enumerate(columns, start=1):
        if name.strip() and (before := columns.index(name) + 1) < at:
            raise source.refusal(f"columns {before} and {at} are both called {name!r}", line, remedy=_OWN_NAMES)
    for name in id_names:
        if name in columns:
            return name
    columns = named(columns)
    missing = f"there is no column {' or '.join(map(repr, id_names))}"
    if (separator := _separator(columns, id_names)) is not None:
        remedy = f"Write `delimiter: {json.dumps(separator)}` under `audience`." if len(id_names) == 1 else _SEPARATE
        raise source.refusal(f"{missing}; the fields are separated by {separator!r}", line, remedy=remedy)
    remedy = _NAME_IT if len(id_names) == 1 else _RENAME
    raise source.refusal(f"{missing}{_hint(columns, id_names[0])}", line, remedy=remedy)


def _separator(columns: Sequence[str], id_names: Sequence[str]) -> str | None:
    """Return the separator of a header that was read as one column."""
    if len(columns) != 1:
        return None
    fields = {each: columns[0].split(each) for each in _SEPARATORS}
    return next((each for each, found in fields.items() if any(name in found for name in id_names)), None)


def _hint(columns: Sequence[str], wanted: str) -> str:
    by_folded = {name.strip().casefold(): name for name in columns}
    near = get_close_matches(wanted.casefold(), by_folded, n=1)
    if near:
        return f"; did you mean {by_folded[near[0]]!r}?"
    return f"; the columns are {', '.join(map(repr, islice(columns, 20)))}" if columns else "; no column has a name"
