"""Upper bounds for filters: how large a filter's result can be, and how long it can take, for operands of a given size.

A filter without a rule here is unbounded. A size is the sum of characters, digits and items. Work is in nanoseconds;
the constants are several times what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from attrs import frozen

COPY: Final = 10
"""Nanoseconds per character to copy or compare."""
CALL: Final = 1_000
"""Nanoseconds of a call, in addition to its own work."""
FLOAT_DIGITS: Final = 330
"""The maximum number of digits of a float that is written out."""

_LONGEST_LIST: Final = 400_000
"""The maximum size of a list; a list of single characters takes about eighty bytes per item."""
_LONGEST_NUMBER: Final = 100
"""The maximum length of a grouped number; the filters refuse larger ones."""
_WRITTEN: Final = 10
"""The factor for text in a list that is written out: one character can become `\\U0010ffff`."""
_ESCAPED: Final = 5


class Unbounded(Exception):
    """A part of a template has no bound.

    Args:
        reason: the part, in words for an error message.
        line: its line, once that is known.
    """

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@frozen
class Operand:
    """A bound of a value.

    Attributes:
        size: the sum of characters, digits and items.
        is_number: whether it is certainly neither text nor a list.
        literal: the value itself, if it is a literal text or number in the template; otherwise None.
    """

    size: float
    is_number: bool = False
    literal: str | float | None = None


NUMBER: Final = Operand(16, is_number=True)


@frozen
class Filtering:
    """A filter with its operands.

    Attributes:
        name: the name of the filter.
        value: the value before the filter.
        arguments: the positional arguments.
        named: the named arguments.
        escaping: the factor by which escaping lengthens a text.
    """

    name: str
    value: Operand
    arguments: Sequence[Operand]
    named: Mapping[str, Operand]
    escaping: int

    @property
    def extra(self) -> float:
        """The total size of all arguments."""
        return sum(each.size for each in (*self.arguments, *self.named.values()))

    def argument(self, position: int, name: str) -> Operand | None:
        """Return one argument; None if it is not given."""
        return self.arguments[position] if position < len(self.arguments) else self.named.get(name)

    def width(self) -> float:
        """Return the width: the number in the first argument, or the length of its text. It must be a literal."""
        width = self.argument(0, "width")
        if width is None:
            return 80
        if width.literal is None:
            raise Unbounded(f"`{self.name}` with a width that is not a literal")
        return float(len(width.literal)) if isinstance(width.literal, str) else abs(float(width.literal))


def filter_cost(given: Filtering) -> tuple[Operand, float]:
    """Return a bound of a filter's result, and of its work in nanoseconds.

    Raises:
        Unbounded: there is no bound.
    """
    rule = _RULES.get(given.name)
    if rule is None:
        raise Unbounded(f"`{given.name}`")
    result = rule(given)
    passes = _PACE.get(given.name, 2 * COPY) * (given.value.size + given.extra) + COPY * result.size
    squared = (given.value.size + given.extra) ** 2 if given.name in _QUADRATIC else 0.0
    return result, passes + squared + _EACH.get(given.name, CALL)


def search_cost(needle: float, haystack: float) -> float:
    """Return the nanoseconds that it can take to search a text or list."""
    return (needle + 50) * (haystack + 1)


def _growing(factor: int) -> Callable[[Filtering], Operand]:
    return lambda given: Operand(given.value.size * factor + given.extra)


def _number(given: Filtering) -> Operand:
    return Operand(given.value.size + FLOAT_DIGITS, is_number=True)


def _default(given: Filtering) -> Operand:
    return Operand(max(given.value.size, given.extra))


def _list(given: Filtering) -> Operand:
    if given.value.size > _LONGEST_LIST:
        raise Unbounded(f"`{given.name}` of a long value")
    return Operand(given.value.size + given.extra)


def _map(given: Filtering) -> Operand:
    if given.arguments or set(given.named) != {"attribute"}:
        raise Unbounded("`map` with a filter")
    return Operand(given.value.size)


def _join(given: Filtering) -> Operand:
    return Operand(given.value.size * (1 + given.extra) * given.escaping)


def _wrap(given: Filtering) -> Operand:
    return Operand(given.value.size + (given.value.size + 1) * (1 + given.extra))


def _center(given: Filtering) -> Operand:
    return Operand(given.value.size + given.width())


def _indent(given: Filtering) -> Operand:
    return Operand((given.value.size + 1) * (1 + given.width()) * given.escaping)


def _replace(given: Filtering) -> Operand:
    old, new = given.argument(0, "old"), given.argument(1, "new")
    size = given.value.size * given.escaping
    least = len(old.literal) if old and isinstance(old.literal, str) else 0
    found = size / least if least else size + 1
    return Operand(size + found * (new.size if new else 0) * _ESCAPED)


def _format(given: Filtering) -> Operand:
    text = given.value.literal
    if not isinstance(text, str) or "*" in text:
        raise Unbounded("`format` of a text that is not a literal")
    # All numbers in it count as widths, because only Python knows which of them are widths.
    widths = sum(float(number) for number in re.findall(r"\d+", text))
    each = FLOAT_DIGITS + _WRITTEN * given.extra * given.escaping
    return Operand(len(text) + widths + text.count("%") * each)


def _jalali(given: Filtering) -> Operand:
    return Operand(20 * (given.extra + 8))


def _written_number(given: Filtering) -> Operand:
    return Operand(_LONGEST_NUMBER + given.extra)


_RULES: Final[Mapping[str, Callable[[Filtering], Operand]]] = MappingProxyType(
    {
        **dict.fromkeys(("upper", "lower", "capitalize", "title"), _growing(3)),
        **dict.fromkeys(("trim", "striptags", "truncate", "string", "fa_digits", "first", "last"), _growing(1)),
        **dict.fromkeys(("reverse", "items", "min", "max", "sum"), _growing(1)),
        **dict.fromkeys(("select", "reject", "selectattr", "rejectattr"), _growing(1)),
        **dict.fromkeys(("escape", "e"), _growing(_ESCAPED)),
        **dict.fromkeys(("int", "float", "round", "abs", "length", "count"), _number),
        **dict.fromkeys(("list", "sort", "unique", "dictsort"), _list),
        **dict.fromkeys(("default", "d"), _default),
        "urlencode": _growing(12),
        "map": _map,
        "join": _join,
        "wordwrap": _wrap,
        "center": _center,
        "indent": _indent,
        "replace": _replace,
        "format": _format,
        "jalali": _jalali,
        **dict.fromkeys(("fa_number", "money"), _written_number),
    }
)
_QUADRATIC: Final = frozenset(
    (
        *("striptags", "wordwrap", "replace", "sort", "dictsort", "unique", "min", "max", "sum", "map", "join"),
        *("select", "reject", "selectattr", "rejectattr"),
    )
)
"""Filters that compare, hash or search; numbers can be chosen so that all of them have the same hash."""
_PACE: Final = {
    "title": 300,
    "urlencode": 150,
    "wordwrap": 500,
    "sort": 1_000,
    "jalali": 500,
    **dict.fromkeys(("fa_digits", "fa_number", "money"), 150),
}
"""Nanoseconds per character of filters that are slower than a copy; the other slow ones are quadratic."""
_EACH: Final = {"jalali": 100_000, "fa_number": 50_000, "money": 50_000}
"""Nanoseconds per call of filters that may read a time zone from a file, or make a decimal number."""
