"""Formats numbers as the sheet shows them: ISO 8601 dates and times, with leading zeros and percent signs.

Numbers are written in full and without separators, even if the cell groups or rounds them, so that an id typed as a
number stays that number. A number of more than 15 digits is written as Excel shows it, because Excel lost the others.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from attrs import frozen

from ..typed_rows import duration

_QUOTED: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
"""Parts of a format code that are text, space, colour or condition; `[h]` is a number of hours."""
_BETWEEN_DIGITS: Final = re.compile(r"[\s\-+()/,]")
_ZEROS: Final = re.compile(r"[#?]*(0[0#?]*)")
_ZERO_IN_FRONT: Final = re.compile(r'"(0+)"|\\(0)')
_ELAPSED: Final = ("[h", "[m", "[s")
_PERCENT: Final = re.compile(r"[#0,.]*%")
_DIGITS: Final = 15
"""Significant digits that Excel keeps."""
_LEAP_DAY: Final = 60
"""29 February 1900: a date in Excel, but in no calendar."""
_MOST_DAYS: Final = 2_958_466
"""The year 10,000."""


class Show(Enum):
    """What a number means."""

    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    ELAPSED = "elapsed"
    PERCENT = "percent"


@frozen
class Format:
    """How cells show numbers.

    Attributes:
        show: what a number means.
        digits: the minimum of digits before the point, padded with zeros.
        prefix: zeros before every number.
    """

    show: Show = Show.NUMBER
    digits: int = 1
    prefix: str = ""


GENERAL: Final = Format()
_BUILT_IN: Final = {
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 55), 57, 58), Format(Show.DATE)),
    **dict.fromkeys((18, 19, 20, 21, 45, 47, *range(32, 36), 55, 56), Format(Show.TIME)),
    46: Format(Show.ELAPSED),
    22: Format(Show.MOMENT),
    9: Format(Show.PERCENT),
    10: Format(Show.PERCENT),
}


def format_of(number: int, code: str | None) -> Format:
    """Return the format of a style.

    Args:
        number: of the format.
        code: from the workbook; None for a built-in format of Excel.
    """
    if code is None:
        return _BUILT_IN.get(number, GENERAL)
    bare = _QUOTED.sub("", code.split(";")[0]).lower()
    has_date = "y" in bare or "d" in bare or "m" in bare.replace("am/pm", "")
    has_time = "h" in bare or "s" in bare
    if has_time and ("y" in bare or "d" in bare):
        return Format(Show.MOMENT)
    if has_time:
        return Format(Show.ELAPSED if any(each in bare for each in _ELAPSED) else Show.TIME)
    if has_date and "general" not in bare:
        return Format(Show.DATE)
    if _PERCENT.fullmatch(bare):
        return Format(Show.PERCENT)
    zeros = _ZEROS.fullmatch(_BETWEEN_DIGITS.sub("", bare))
    if prefix := _ZERO_IN_FRONT.match(code):
        return Format(digits=len(zeros[1]) if zeros else 1, prefix=prefix[1] or prefix[2])
    return Format(digits=len(zeros[1])) if zeros and len(zeros[1]) > 1 else GENERAL


def shown(text: str, style: Format, *, is_1904: bool = False) -> str:
    """Return a cell's number as text.

    Args:
        text: from the workbook.
        style: of the cell.
        is_1904: days count from 1904.
    """
    if style is GENERAL and text.isdigit() and len(text) <= _DIGITS:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if style.show is Show.NUMBER:
        return _number(number, style.digits, style.prefix)
    if style.show is Show.PERCENT:
        return f"{_number(round(number * 100, 10))}%"
    return _moment(number, style.show, is_1904=is_1904) if 0 <= number < _MOST_DAYS else _number(number)


def _number(number: float, digits: int = 1, prefix: str = "") -> str:
    if number.is_integer():
        if abs(number) < 10**_DIGITS:
            return f"{prefix if number >= 0 else ''}{int(number):0{digits}d}"
        return f"{number:.5E}"
    text = f"{number:.{_DIGITS}g}"
    return f"{number:.20f}".rstrip("0") if "e" in text else text


def _moment(days: float, show: Show, *, is_1904: bool) -> str:
    seconds = timedelta(seconds=round(days * 86_400))
    if show is Show.ELAPSED:
        return duration(seconds)
    if show is Show.TIME:
        return str((datetime.min + seconds % timedelta(days=1)).time())  # noqa: DTZ901 - a time of day
    first = (1904, 1, 1) if is_1904 else (1899, 12, 31 if days < _LEAP_DAY else 30)
    begin = datetime(*first)  # noqa: DTZ001 - sheets have no time zones
    moment = begin + seconds
    return str(moment.date()) if show is Show.DATE else str(moment)
