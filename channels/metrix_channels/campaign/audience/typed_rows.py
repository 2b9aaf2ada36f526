"""Rows whose values have types, as databases and Python give them: made plain, and digested in any order.

An id is text, a whole number or a UUID. A float becomes text with its `.0`, which is refused as a damaged id.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, Final, cast

from ...errors import CampaignError
from ...models import JsonValue
from .rows import ABSENT, RawRows

CHUNK: Final = 5_000
"""Rows that are asked for at a time."""

_PLAIN: Final = {str, int, bool}
_MISSING: Final = ("NAType", "NaTType")
"""What pandas has in place of a value."""
_MODULUS: Final = 1 << 64


class RowsSource:
    """Rows that are in no file.

    Args:
        name: what messages call them.
        location: where the campaign file says so; None where it does not.
    """

    def __init__(self, name: str, location: str | None = None) -> None:
        self.name: str = name
        self.share_read: float | None = None
        self._location = location
        self._count = 0
        self._sum = 0

    @property
    def digest(self) -> str:
        """Hash, in hex, of the rows so far: the same in whatever order they come, as a database gives them."""
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
        """Build the error that says where the audience is not as it should be."""
        return CampaignError(f"{self.name}: {message}", code="audience_invalid", location=self._location, remedy=remedy)

    def close(self) -> None:
        """Do nothing: what is open belongs to the reader."""


def typed_rows(
    first: int, ids: Sequence[object], columns: Sequence[Sequence[object]], source: RowsSource | None = None
) -> RawRows:
    """Make rows of columns.

    Args:
        first: number of the first row.
        ids: the column of the customUserIds.
        columns: the wanted ones.
        source: that digests the rows.
    """
    plain_ids = _ids(ids)
    plain_columns = [plain_values(column) for column in columns]
    if source is not None:
        source.add(plain_ids, plain_columns)
    return RawRows(range(first, first + len(ids)), plain_ids, rows_of_columns(plain_columns, len(ids)), [])


def rows_of_columns(columns: Sequence[Sequence[JsonValue]], count: int) -> list[tuple[JsonValue, ...]]:
    """Turn columns into rows; of none, into `count` empty ones."""
    return list(zip(*columns, strict=True)) if columns else [()] * count


def plain_values(column: Sequence[object]) -> Sequence[JsonValue]:
    """Return values as JSON has them; what is missing is empty, as in a CSV."""
    if set(map(type, column)) <= _PLAIN:
        return column  # type: ignore[return-value]
    return [plain_value(value) for value in column]


def plain_value(value: object) -> JsonValue:
    """Return one value as JSON has it.

    Dates and times are written as ISO 8601 has them, with a space between the two; a Decimal keeps its digits.
    """
    if value is None or type(value).__name__ in _MISSING:
        return ""
    if value is ABSENT or isinstance(value, bool):
        return cast(JsonValue, value)
    for kind, make in _PLAINLY:
        if isinstance(value, kind):
            return make(value)
    return str(value)  # dates, UUIDs, texts that are translated late


def _decimal(value: Decimal) -> JsonValue:
    return format(value, "f") if value.is_finite() else ""


def _number(value: Real) -> JsonValue:
    number = float(value)
    return number if math.isfinite(number) else ""


_PLAINLY: Final[tuple[tuple[Any, Callable[[Any], JsonValue]], ...]] = (
    (Enum, lambda value: plain_value(value.value)),
    (str, str),
    (Decimal, _decimal),
    (Integral, int),
    (Real, _number),
    (Mapping, lambda value: {str(key): plain_value(each) for key, each in value.items()}),
    ((list, tuple, set, frozenset), lambda value: [plain_value(each) for each in value]),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).decode(errors="replace")),
)
"""How values of some types become plain, the first that fits."""


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
    """Divide some rows into chunks."""
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))
