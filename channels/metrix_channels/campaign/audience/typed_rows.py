"""Rows with typed values from databases and Python: converted to JSON values, with a digest that ignores their order.

An id is text, a whole number or a UUID. A float keeps its `.0` as text and is then refused as a damaged id. In other
columns, whole floats lose their `.0`, as in a workbook, because a missing value turns whole numbers into floats.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, Final, cast

from ...errors import CampaignError
from ...models import JsonValue
from .rows import ABSENT, RawRows

CHUNK: Final = 2_000
"""Rows fetched at a time."""

_PLAIN: Final = {str, int, bool}
_MISSING: Final = ("NAType", "NaTType")
"""Types of missing values in pandas."""
_WHOLE: Final = 1e15
"""Below this limit, a float can represent every whole number."""
_MODULUS: Final = 1 << 64


class RowsSource:
    """The source of rows that are not in a file.

    Args:
        name: for messages.
        location: of the query in the campaign file; None if there is none.
    """

    when_empty = "Check the query, or the program that passes the rows. It returned none."

    def __init__(self, name: str, location: str | None = None) -> None:
        self.name: str = name
        self.share_read: float | None = None
        self._location = location
        self._count = 0
        self._sum = 0

    @property
    def digest(self) -> str:
        """The hash, in hex, of the rows so far. It does not depend on their order, which a database may change."""
        return f"{self._sum:016x}{self._count:x}"

    def add(self, ids: Sequence[JsonValue], columns: Sequence[Sequence[JsonValue]]) -> None:
        """Digest some rows."""
        texts = (map(str, column) for column in (ids, *columns))
        joined = "\x1e".join(map("\x1f".join, zip(*texts, strict=True)))
        rows = joined.encode("utf-8", "surrogatepass").split(b"\x1e")
        hashes = array("Q", b"".join([blake2b(row, digest_size=8).digest() for row in rows]))
        self._sum = (self._sum + sum(hashes)) % _MODULUS
        self._count += len(ids)

    def refusal(self, message: str, line: int = 1, column: int = 1, remedy: str | None = None) -> CampaignError:
        """Return the error for a fault at a place in the audience."""
        return CampaignError(f"{self.name}: {message}", code="audience_invalid", location=self._location, remedy=remedy)

    def close(self) -> None:
        """Do nothing: the reader closes its resources."""


def typed_rows(
    first: int, ids: Sequence[object], columns: Sequence[Sequence[object]], source: RowsSource | None = None
) -> RawRows:
    """Convert columns to rows.

    Args:
        first: number of the first row.
        ids: the column of the customUserIds.
        columns: the wanted columns.
        source: digests the rows.
    """
    plain_ids = _ids(ids)
    plain_columns = [plain_values(column) for column in columns]
    if source is not None:
        source.add(plain_ids, plain_columns)
    return RawRows(range(first, first + len(ids)), plain_ids, rows_of_columns(plain_columns, len(ids)), [])


def rows_of_columns(columns: Sequence[Sequence[JsonValue]], count: int) -> list[tuple[JsonValue, ...]]:
    """Convert columns to rows; without columns, return `count` empty rows."""
    return list(zip(*columns, strict=True)) if columns else [()] * count


def plain_values(column: Sequence[object]) -> Sequence[JsonValue]:
    """Convert values to JSON values; a missing value becomes empty text, as in a CSV; whole numbers lose their `.0`."""
    if set(map(type, column)) <= _PLAIN:
        return column  # type: ignore[return-value]
    return [_whole(plain_value(value)) for value in column]


def plain_value(value: object) -> JsonValue:
    """Convert one value to a JSON value.

    Dates and times become ISO 8601 text, with a space between date and time. A Decimal keeps its digits. A duration
    becomes text such as `30:05:00`.
    """
    if value is None or type(value).__name__ in _MISSING:
        return ""
    if value is ABSENT or isinstance(value, bool):
        return cast(JsonValue, value)
    for kind, make in _PLAINLY:
        if isinstance(value, kind):
            return make(value)
    return str(value)  # dates, UUIDs, lazily translated texts


def duration(value: timedelta) -> str:
    """Return a duration as hours, minutes and seconds, as a sheet shows it."""
    seconds = round(abs(value.total_seconds()))
    sign = "-" if value.total_seconds() < 0 else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _decimal(value: Decimal) -> JsonValue:
    return format(value, "f") if value.is_finite() else ""


def _number(value: Real) -> JsonValue:
    number = float(value)
    return number if math.isfinite(number) else ""


def _whole(value: JsonValue) -> JsonValue:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE else value


_PLAINLY: Final[tuple[tuple[Any, Callable[[Any], JsonValue]], ...]] = (
    (Enum, lambda value: plain_value(value.value)),
    (str, str),
    (Decimal, _decimal),
    (Integral, int),
    (Real, _number),
    (Mapping, lambda value: {str(key): plain_value(each) for key, each in value.items()}),
    ((list, tuple, set, frozenset), lambda value: [plain_value(each) for each in value]),
    (timedelta, duration),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).decode(errors="replace")),
)
"""Conversions by type; the first type that matches applies."""


def _ids(column: Sequence[object]) -> list[JsonValue]:
    kinds = set(map(type, column))
    if kinds == {str}:
        return list(column)  # type: ignore[arg-type]
    if kinds == {int}:
        return list(map(str, column))
    return list(map(_id, column))


def _id(value: object) -> JsonValue:
    plain = plain_value(value)
    return str(plain) if isinstance(plain, (int, float)) and not isinstance(plain, bool) else plain


def slices(length: int) -> Iterator[slice]:
    """Return the slices that divide rows into chunks."""
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))
