"""Filters for numbers and money: grouped digits, in Persian or Latin digits."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from .persian import fa_digits

_LONGEST: Final = 40
"""The maximum length of a number in text."""
_MOST_DIGITS: Final = 30
_MOST_DECIMALS: Final = 10
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}([,٬][0-9]{3})+([.٫][0-9]+)?")
_PERSIAN: Final = str.maketrans({",": "٬", ".": "٫"})
_IN_ARABIC_SCRIPT: Final = re.compile(r"[\u0600-\u06ff]")


class NumberRefused(Exception):
    """A value is not a number; becomes `template_value_refused` with its location."""


def fa_number(value: object, decimals: int | None = None) -> str:
    """Write a number in Persian: `1248000.5` becomes `۱٬۲۴۸٬۰۰۰٫۵`.

    Args:
        value: a number, or text that contains one, with or without grouping, in any digits.
        decimals: the number of digits after the decimal point, from 0 to 10; None keeps those of the value.

    Raises:
        NumberRefused: `value` is not a number, or has more than 30 digits.
    """
    return fa_digits(_group(value, decimals).translate(_PERSIAN))


def money(value: object, currency: str, decimals: int | None = None) -> str:
    """Write an amount with its currency: `۱٬۲۴۸٬۰۰۰ تومان`, `1,248,000 IRR`.

    Args:
        value: as for `fa_number`.
        currency: the text after the amount; if it has Persian letters, the digits are Persian too.
        decimals: as for `fa_number`.

    Raises:
        NumberRefused: as for `fa_number`.
    """
    write = fa_number if _IN_ARABIC_SCRIPT.search(str(currency)) else _group
    return f"{write(value, decimals)} {currency}"


def _group(value: object, decimals: int | None) -> str:
    number = _read_number(value)
    if decimals is not None:
        if type(decimals) is not int or not 0 <= decimals <= _MOST_DECIMALS:
            raise NumberRefused(f"`decimals` must be from 0 to {_MOST_DECIMALS}")
        number = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{number:,f}"


def _read_number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise NumberRefused("a number is needed here, not true, false, a date or a list")
    text = str(value).strip()
    if len(text) > _LONGEST:
        raise NumberRefused(f"the number has more than {_MOST_DIGITS} digits")
    text = re.sub(r"\d", lambda digit: str(int(digit[0])), text)
    if _GROUPED.fullmatch(text):
        text = re.sub("[,٬]", "", text)
    try:
        number = Decimal(text.replace("٫", "."))
    except InvalidOperation:
        raise NumberRefused("the text is not a number; if it may be empty, use `default` or a condition") from None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise NumberRefused(f"the number has more than {_MOST_DIGITS} digits")
    return number
