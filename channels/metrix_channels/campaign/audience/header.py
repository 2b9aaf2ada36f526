"""The header of an audience: its columns, and the one that holds the customUserIds."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

from .source import Source

_NAME_IT: Final = "Name the column of the customUserId in the campaign file: `audience: {file: …, id: COLUMN}`."


def id_column(source: Source, columns: Sequence[str], id_names: Sequence[str], line: int = 1) -> str:
    """Check the column names and return the column of the customUserId.

    Args:
        source: where they come from.
        columns: their names.
        id_names: possible columns of the customUserId; the first that exists is used.
        line: of the header.

    Raises:
        CampaignError: audience_invalid.
    """
    for at, name in enumerate(columns, start=1):
        if not name.strip():
            raise source.refusal(f"column {at} has no name", line)
        if (before := columns.index(name) + 1) < at:
            raise source.refusal(f"columns {before} and {at} are both called {name!r}", line)
    for name in id_names:
        if name in columns:
            return name
    wanted = " or ".join(map(repr, id_names))
    remedy = _NAME_IT if len(id_names) == 1 else "Give the column that holds the ids one of these names."
    raise source.refusal(f"there is no column {wanted}{_hint(columns, id_names[0])}", line, remedy=remedy)


def _hint(columns: Sequence[str], wanted: str) -> str:
    if len(columns) == 1 and (other := next((each for each in ";\t|," if each in columns[0]), None)):
        return f"; the fields are separated by {other!r}"
    by_folded = {name.strip().casefold(): name for name in columns}
    near = get_close_matches(wanted.casefold(), by_folded, n=1)
    if near:
        return f"; did you mean {by_folded[near[0]]!r}?"
    return f"; the columns are {', '.join(map(repr, islice(columns, 20)))}"
