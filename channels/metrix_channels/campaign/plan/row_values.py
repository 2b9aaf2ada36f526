"""Selects what determines the message of a row: the values that its template uses, and the locale."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from json import JSONEncoder
from typing import Final

from ...models import JsonValue
from ..audience.reader import ABSENT
from ..locales import CampaignTemplates
from .batching import Key, Values

_ENCODE: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

Row = Sequence[JsonValue]
"""The values of a row, in the order of the columns."""


class RowValues:
    """Selects values by the columns of an audience.

    Args:
        columns: the names of the values of each row.
        plain: whether every value is text, as in a CSV; else values may have any JSON type.
        templates: of the campaign.

    Attributes:
        columns: as passed.
    """

    def __init__(self, columns: Sequence[str], *, plain: bool, templates: CampaignTemplates) -> None:
        self.columns: tuple[str, ...] = tuple(columns)
        self._plain = plain
        self._templates = templates

    def keys(self, rows: Sequence[Row]) -> Sequence[Key]:
        """Return a key for each row; keys are equal only for equal values."""
        if self._plain and len(self.columns) == 1:
            return [value for (value,) in rows]  # type: ignore[misc]  # found faster than a tuple with it
        if self._plain or not self.columns:
            return rows  # type: ignore[return-value]
        return list(zip(*map(_distinguish, zip(*rows, strict=True)), strict=True))

    def of_message(self, row: Row) -> Values:
        """Return the values that determine the message of a row.

        Raises:
            TemplateError: template_missing, if there is no template for its locale.
        """
        values = self._named(row)
        column = self._templates.column
        if column is None:
            return values
        locale = self._templates.locale_of(values.get(column, ABSENT)).name
        return self._templates.values_of(locale, values)

    def locales(self, rows: Sequence[Row]) -> list[JsonValue]:
        """Return the locale column of each row; nothing if all rows have the same locale."""
        column = self._templates.column
        if column is None:
            return []
        at = self.columns.index(column)
        return [row[at] for row in rows]

    def write(self, row: Row) -> str:
        """Return the JSON form of a row's values."""
        return _ENCODE(self._named(row))

    def read(self, written: str) -> Row:
        """Read what `write` wrote."""
        found = json.loads(written)
        return tuple(found.get(name, ABSENT) for name in self.columns)

    def _named(self, row: Row) -> Values:
        named = dict(zip(self.columns, row, strict=True))
        return named if self._plain else {name: value for name, value in named.items() if value is not ABSENT}


def _distinguish(column: Sequence[JsonValue]) -> Sequence[Hashable]:
    """Return keys that are equal only for equal values, unlike 1, 1.0 and True in Python."""
    if set(map(type, column)) == {str}:
        return column
    return [each if isinstance(each, str) or each is ABSENT else (_ENCODE(each),) for each in column]
