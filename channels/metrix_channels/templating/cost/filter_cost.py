"""How large a filter's result can be, and how long it can take, for operands of a given size.

A filter without a rule here has no bound. Sizes are characters, digits and items together; work is in nanoseconds,
several times what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from attrs import frozen

COPY: Final = 10
"""Nanoseconds a character, to copy or to compare it."""
CALL: Final = 1_000
"""Nanoseconds of a call by itself."""
FLOAT_DIGITS: Final = 330
"""The longest number that a float becomes."""

_LONGEST_LIST: Final = 400_000
"""A list of single characters takes some eighty bytes an item."""
_LONGEST_NUMBER: Final = 100
"""Characters of a number with its groups: the filters refuse larger ones."""
_WRITTEN: Final = 10
"""A character in a list that is written out can become `\\U0010ffff`."""
_ESCAPED: Final = 5


class Unbounded(Exception):
    """Something has no bound.

    Args:
        reason: as an error names it.
        line: where it stands, once that is known.
    """

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@frozen
class Operand:
    """A bound of a value.

    Attributes:
        size: characters, digits and items.
        is_number: it is certainly no text and no list.
        literal: the value itself, where it stands in the template as text or a number; else None.
    """

    size: float
    is_number: bool = False
    literal: str | float | None = None


NUMBER: Final = Operand(16, is_number=True)


@frozen
class Filtering:
    """A filter and what it is given.

    Attributes:
        value: what stands before the filter.
        arguments: by position.
        named: by name.
        escaping: how much longer a text becomes when it is escaped.
    """

    name: str
    value: Operand
    arguments: Sequence[Operand]
    named: Mapping[str, Operand]
    escaping: int

    @property
    def extra(self) -> float:
        """The size of all arguments together."""
        return sum(each.size for each in (*self.arguments, *self.named.values()))

    def argument(self, position: int, name: str) -> Operand | None:
        """Return one argument; None when it is not given."""
        return self.arguments[position] if position < len(self.arguments) else self.named.get(name)

    def width(self) -> float:
        """Return the first argument's number, or the length of its text; it must be literal."""
        width = self.argument(0, "width")
        if width is None:
            return 80
        if width.literal is None:
            raise Unbounded(f"`{self.name}` with a width that is not a literal")
        return float(len(width.literal)) if isinstance(width.literal, str) else abs(float(width.literal))


def filter_cost(given: Filtering) -> tuple[Operand, float]:
    """Return a bound of a filter's result and of its work.

    Raises:
        Unbounded: there is none.
    """
    rule = _RULES.get(given.name)
    if rule is None:
        raise Unbounded(f"`{given.name}`")
    result = rule(given)
    passes = _PACE.get(given.name, 2 * COPY) * (given.value.size + given.extra) + COPY * result.size
    squared = (given.value.size + given.extra) ** 2 if given.name in _QUADRATIC else 0.0
    return result, passes + squared + _EACH.get(given.name, CALL)


def search_cost(needle: float, haystack: float) -> float:
    """Return how long it can take to search a text or list, in nanoseconds."""
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
    # All numbers in it count as widths: what is a width, Python alone knows.
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
"""Among them what compares, hashes or searches: numbers can be chosen so that all have one hash."""
_PACE: Final = {
    "title": 300,
    "urlencode": 150,
    "wordwrap": 500,
    "sort": 1_000,
    "jalali": 500,
    **dict.fromkeys(("fa_digits", "fa_number", "money"), 150),
}
"""Nanoseconds a character of what is slower than a copy; the other slow ones are quadratic."""
_EACH: Final = {"jalali": 100_000, "fa_number": 50_000, "money": 50_000}
"""Nanoseconds of a call that may read a time zone from a file, or makes a decimal number."""
