"""What a template may be given: plain data, whose types are exactly Python's own.

An object with methods could be called from inside the sandbox, so a subclass of text comes in as plain text. The
check runs once a recipient, so the common case, a flat mapping of texts, is told apart first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from ..errors import TemplateError

_DEEPEST: Final = 32
_LONGEST_NUMBER: Final = 4_000
"""Bits. Python refuses to write larger numbers as text."""


def prepare(context: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the values that a template is rendered with.

    Args:
        context: by name.
        now: the run's start; an aware time. It stands under the reserved name `now`.

    Raises:
        TemplateError: `context_invalid`, naming the path of the first value that is not plain.
    """
    if now.tzinfo is None:
        raise TemplateError("`now` has no time zone", code="context_invalid", remedy="Give an aware time.")
    values = dict(context)
    if "now" in values:
        raise TemplateError(
            "`now` is a reserved name: it is the start of the run",
            code="context_invalid",
            remedy="Give the value another name, in the context or as a column.",
        )
    for name, value in values.items():
        if type(name) is not str or type(value) is not str:
            values = _mapping(values, (), ())
            break
    values["now"] = now if now.tzinfo is UTC else now.astimezone(UTC)
    return values


_Path = tuple[str | int, ...]


def _plain(value: Any, path: _Path, parents: tuple[int, ...]) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value, path)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, date):
        return _date(value)
    if isinstance(value, Mapping | list | tuple):
        if id(value) in parents or len(parents) >= _DEEPEST:
            raise _refused(path, f"is nested more than {_DEEPEST} deep, or in itself")
        inner = (*parents, id(value))
        if isinstance(value, Mapping):
            return _mapping(value, path, inner)
        return [_plain(item, (*path, index), inner) for index, item in enumerate(value)]
    raise _refused(path, f"is of the type {kind.__name__}, which is not plain data")


def _mapping(value: Mapping[Any, Any], path: _Path, parents: tuple[int, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _refused(path, f"has a key of the type {type(key).__name__}; keys are text")
        result[str.__str__(key)] = item if type(item) is str else _plain(item, (*path, key), parents)
    return result


def _number(value: float | Decimal, path: _Path) -> int | float | Decimal:
    if isinstance(value, int):
        if value.bit_length() > _LONGEST_NUMBER:
            raise _refused(path, "is a number of more than a thousand digits")
        return int.__int__(value)
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise _refused(path, "is not a finite number")
    return float.__float__(value) if isinstance(value, float) else Decimal(value)


def _date(value: date) -> date:
    """Rebuild a subclass (other libraries have their own) from its ISO form."""
    if type(value) is date or type(value) is datetime:
        return value
    if isinstance(value, datetime):
        return datetime.fromisoformat(datetime.isoformat(value))
    return date.fromisoformat(date.isoformat(value))


def _refused(path: _Path, what: str) -> TemplateError:
    return TemplateError(f"the value at {_written(path)} {what}", code="context_invalid")


def _written(path: _Path) -> str:
    """Write a path as `$.a[0].b`; keys that are no words as `$["a b"]`."""
    parts = ["$"]
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            parts.append(f".{part}" if part.isidentifier() else f"[{str.__str__(part)!a}]")
    return "".join(parts)
