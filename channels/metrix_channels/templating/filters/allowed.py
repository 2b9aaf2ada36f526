"""The allow-list of filters and tests for templates. Each of them checks the types of its values.

Jinja's own filters turn None into "None" and a list into its Python form, which must never be in a message. Here, a
filter for text accepts only text and numbers; every other type is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from types import MappingProxyType
from typing import Any, Final

from jinja2 import filters as jinja_filters
from jinja2 import pass_eval_context
from jinja2 import tests as jinja_tests
from jinja2.nodes import EvalContext
from jinja2.runtime import Undefined
from markupsafe import Markup, soft_str

from .numbers import NumberRefused, fa_number, money
from .persian import fa_digits, jalali

_NAMES: Final[dict[type, str]] = {
    bool: "true/false",
    type(None): "null",
    list: "a list",
    tuple: "a list",
    dict: "a mapping",
    str: "text",
    Markup: "text",
    int: "a number",
    float: "a number",
    Decimal: "a number",
    date: "a date",
    datetime: "a date",
}


class ValueRefused(Exception):
    """A value cannot be used where the template uses it; becomes `template_value_refused` with its location."""


def as_text(value: Any) -> Any:
    """Return `value` if it can be part of a message: text, or a finite number.

    Raises:
        ValueRefused: it is of another type, or not finite.
        UndefinedError: the value is missing.
    """
    kind = type(value)
    if kind is str or kind is Markup or kind is int:
        return value
    if kind is Decimal and value.is_finite():
        return value
    if kind is float and math.isfinite(value):
        return value
    if isinstance(value, Undefined):
        str(value)  # raises if a name is missing
        raise ValueRefused("an inline `if` without `else` has no value here; add `else`")
    raise ValueRefused(f"{name_of(value)} cannot be part of a message")


def name_of(value: object) -> str:
    """Return a plain name for the type of a value, never the value itself."""
    return _NAMES.get(type(value)) or f"a value of type {type(value).__name__}"


def _require_text(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def strict(value: Any, *args: Any, **kwargs: Any) -> Any:
        return function(as_text(value), *args, **kwargs)

    return strict


def _require_text_in_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a strict version of a Jinja filter that takes its evaluation context or environment first."""

    @wraps(function)
    def strict(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return function(context, as_text(value), *args, **kwargs)

    return strict


@pass_eval_context
def _join(context: EvalContext, values: Iterable[Any], separator: str = "", attribute: Any = None) -> str:
    if attribute is not None:
        values = map(jinja_filters.make_attrgetter(context.environment, attribute), values)
    return jinja_filters.sync_do_join(context, [as_text(value) for value in values], as_text(separator))


def _check_number(value: Any) -> Any:
    if type(value) not in (int, float, Decimal):
        as_text(value)
        raise NumberRefused("a number is needed here, not text; convert it with `int` or `float`")
    return value


def _round(value: Any, precision: int = 0) -> Any:
    # A huge precision would compute a power of ten with as many digits.
    if type(precision) is not int or not 0 <= precision <= 20:
        raise NumberRefused("`round` takes a precision from 0 to 20, as in `round(2)`")
    return round(_check_number(value), precision)


def _int(value: Any) -> int:
    text = as_text(value)
    # Python needs quadratic time to parse more digits, if its own limit is switched off.
    if isinstance(text, str) and len(text) > _MAX_DIGITS:
        raise NumberRefused("`int` was given text that is not a whole number")
    try:
        return int(text)
    except ValueError:
        raise NumberRefused("`int` was given text that is not a whole number") from None


def _float(value: Any) -> float:
    try:
        number = float(as_text(value))
    except (ValueError, OverflowError):
        raise NumberRefused("`float` was given text that is not a number") from None
    if not math.isfinite(number):
        raise NumberRefused("`float` was given a number that is not finite")
    return number


_JINJA = jinja_filters.FILTERS
_JINJA_TESTS: Mapping[str, Any] = jinja_tests.TESTS
_MAX_DIGITS: Final = 4_300


def _require_numbers(test: Callable[..., bool]) -> Callable[..., bool]:
    """Make a strict version of a test that divides; with text, `%` would format it."""

    @wraps(test)
    def strict(value: Any, *args: Any) -> bool:
        return test(_check_number(value), *map(_check_number, args))

    return strict


FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        # text
        **{name: _require_text(_JINJA[name]) for name in ("upper", "lower", "capitalize", "title", "trim")},
        **{name: _require_text(_JINJA[name]) for name in ("escape", "e", "striptags", "urlencode")},
        **{name: _require_text(_JINJA[name]) for name in ("center", "format")},
        **{name: _require_text_in_context(_JINJA[name]) for name in ("truncate", "wordwrap", "replace")},
        "indent": _require_text(_JINJA["indent"]),
        "string": _require_text(soft_str),
        "fa_digits": _require_text(fa_digits),
        "jalali": jalali,
        # numbers
        "fa_number": _require_text(fa_number),
        "money": _require_text(money),
        "int": _int,
        "float": _float,
        "round": _round,
        "abs": lambda value: abs(_check_number(value)),
        # lists and mappings
        "join": _join,
        **{name: _JINJA[name] for name in ("length", "count", "first", "last", "sort", "reverse", "unique")},
        **{name: _JINJA[name] for name in ("sum", "min", "max", "map", "list", "items", "dictsort")},
        **{name: _JINJA[name] for name in ("select", "reject", "selectattr", "rejectattr")},
        # what may be absent
        **{name: _JINJA[name] for name in ("default", "d")},
    }
)

TESTS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        **{
            name: _JINJA_TESTS[name]
            for name in (
                *("defined", "undefined", "none", "boolean", "true", "false", "number", "integer", "float", "string"),
                *("mapping", "sequence", "iterable", "in"),
                *("==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", ">=", "ge", "<", "lt", "lessthan"),
                *("<=", "le"),
            )
        },
        "even": _require_numbers(jinja_tests.test_even),
        "odd": _require_numbers(jinja_tests.test_odd),
        "divisibleby": _require_numbers(jinja_tests.test_divisibleby),
        "lower": _require_text(jinja_tests.test_lower),
        "upper": _require_text(jinja_tests.test_upper),
    }
)
