"""Prepares the values for a template: plain data of exactly Python's built-in types.

A template could call the methods of other objects. So a subclass of `str`, for example, is converted to `str`.
The cost of a template grows with its values, so their size is measured and limited. Both run once per recipient, so the
common case, a flat mapping of texts and whole numbers, has a fast path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from ..errors import TemplateError

MAX_SIZE: Final = 1_000_000
"""The maximum size of all values of one context: characters, digits of numbers, and `_ITEM` for each item."""

_ITEM: Final = 8
_DEEPEST: Final = 32
_SHORT_NUMBER: Final = 10**_ITEM
"""A smaller whole number, without its sign, counts as an item."""
_LONGEST_NUMBER: Final = 1_300
"""The maximum number of digits, without an exponent. Python refuses to write much larger numbers as text, and `int`
would expand exponents."""


def prepare(context: Mapping[str, Any], now: datetime) -> tuple[dict[str, Any], int]:
    """Return the values with which a template is rendered, and their size.

    Args:
        context: the values by name.
        now: the start of the run, with a time zone; it gets the reserved name `now`.

    Returns:
        The values, and their size as limited by `MAX_SIZE`.

    Raises:
        TemplateError: `context_invalid`, with the path of the first value that is not plain data; `context_too_large`,
            with the largest value.
    """
    if now.tzinfo is None:
        remedy = "Pass a datetime with a time zone."
        raise TemplateError("`now` has no time zone", code="context_invalid", remedy=remedy)
    values = dict(context)
    if "now" in values:
        raise TemplateError(
            "`now` is a reserved name: it is the start of the run",
            code="context_invalid",
            remedy="Rename the value in the context, or the column in the audience.",
        )
    size = _ITEM
    for name, value in values.items():
        if type(name) is str and type(value) is str:
            size += len(value)
        elif type(name) is str and type(value) is int and -_SHORT_NUMBER < value < _SHORT_NUMBER:
            size += _ITEM
        else:
            reader = _Reader()
            values, size = reader.top(values), reader.size
            break
    if size > MAX_SIZE:
        raise _too_large(max(values, key=lambda name: len(str(values[name]))))
    values["now"] = now if now.tzinfo is UTC else now.astimezone(UTC)
    return values, size


_Path = tuple[str | int, ...]


class _Full(Exception):
    """The values exceed `MAX_SIZE`."""


class _Reader:
    """Copies values as plain data and measures their size."""

    def __init__(self) -> None:
        self.size = _ITEM

    def top(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """Copy a whole context."""
        result: dict[str, Any] = {}
        largest = 0, ""
        for name, value in values.items():
            before = self.size
            try:
                result |= self._mapping({name: value}, (), ())
            except _Full:
                raise _too_large(max(largest, (self.size - before, name))[1]) from None
            largest = max(largest, (self.size - before, name))
        return result

    def _add(self, size: int) -> None:
        self.size += size
        if self.size > MAX_SIZE:
            raise _Full

    def _plain(self, value: Any, path: _Path, parents: tuple[int, ...]) -> Any:
        kind = type(value)
        if kind is bool or value is None:
            return value
        if isinstance(value, str):
            self._add(len(value))
            return str.__str__(value)
        if isinstance(value, int | float | Decimal):
            return self._number(value, path)
        if isinstance(value, date):
            self._add(32)
            return _date(value)
        if isinstance(value, Mapping | list | tuple):
            if id(value) in parents or len(parents) >= _DEEPEST:
                raise _refused(path, f"is nested more than {_DEEPEST} levels deep, or contains itself")
            inner = (*parents, id(value))
            if isinstance(value, Mapping):
                return self._mapping(value, path, inner)
            return self._list(value, path, inner)
        raise _refused(path, f"has the type {kind.__name__}, which is not plain data")

    def _list(self, value: Sequence[Any], path: _Path, parents: tuple[int, ...]) -> list[Any]:
        self._add(_ITEM * len(value))
        return [self._plain(item, (*path, index), parents) for index, item in enumerate(value)]

    def _mapping(self, value: Mapping[Any, Any], path: _Path, parents: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise _refused(path, f"has a key of the type {type(key).__name__}; keys must be text")
            self._add(_ITEM + len(key))
            result[str.__str__(key)] = self._plain(item, (*path, key), parents)
        return result

    def _number(self, value: float | Decimal, path: _Path) -> int | float | Decimal:
        digits = _digits(value)
        if digits is None:
            raise _refused(path, "is not a finite number")
        if digits > _LONGEST_NUMBER:
            raise _refused(path, "is a number with more than a thousand digits")
        self._add(digits)
        if isinstance(value, int):
            return int.__int__(value)
        return float.__float__(value) if isinstance(value, float) else Decimal(value)


def _digits(value: float | Decimal) -> int | None:
    """Return an upper bound of the digits of a number that is written out; None if it is not finite."""
    if isinstance(value, int):
        return value.bit_length() // 3 + 1
    if isinstance(value, float):
        return 24 if math.isfinite(value) else None
    if not value.is_finite():
        return None
    return len(value.as_tuple().digits) + abs(value.adjusted())


def _too_large(name: object) -> TemplateError:
    return TemplateError(
        f"the values for one message have more than {MAX_SIZE:,} characters and items; the largest value is at "
        + _write_path((str(name)[:80],)),
        code="context_too_large",
    )


def _date(value: date) -> date:
    """Convert a subclass from another library to a date or datetime, by its ISO form."""
    if type(value) is date or type(value) is datetime:
        return value
    if isinstance(value, datetime):
        return datetime.fromisoformat(datetime.isoformat(value))
    return date.fromisoformat(date.isoformat(value))


def _refused(path: _Path, what: str) -> TemplateError:
    return TemplateError(f"the value at {_write_path(path)} {what}", code="context_invalid")


def _write_path(path: _Path) -> str:
    """Write a path as `$.a[0].b`, with keys that are not identifiers as `$["a b"]`."""
    parts = ["$"]
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            parts.append(f".{part}" if part.isidentifier() else f"[{str.__str__(part)!a}]")
    return "".join(parts)
