"""Dates of the Solar Hijri (Jalali) calendar that stand where a Gregorian one is expected."""

from __future__ import annotations

import re
from typing import Final

from ..printable import printable

FIRST_GREGORIAN_YEAR: Final = 1700
"""No message is about an earlier one: a smaller year is one of another calendar."""

_DATE: Final = re.compile(r"(1[2-6][0-9]{2})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?![0-9])")


def jalali_hint(text: str) -> str | None:
    """Ask whether a text that begins with a date means a Jalali one, and say what it is in the Gregorian calendar.

    Args:
        text: a date, or a time that begins with it.

    Returns:
        The question, for the end of a message; None when the date is none of a Jalali year.
    """
    text = re.sub(r"\d", lambda digit: str(int(digit[0])), text)
    found = _DATE.match(text)
    if found is None:
        return None
    gregorian = _gregorian(int(found[1]), int(found[3]), int(found[4]))
    if gregorian is None:
        return "did you mean a Jalali year? Write the Gregorian date"
    return f"did you mean a Jalali year? {found[0]} is {gregorian}: write {gregorian}{printable(text[found.end() :])}"


def _gregorian(year: int, month: int, day: int) -> str | None:
    """Return a Jalali date as a Gregorian one; None when there is no such date, or no jdatetime to tell."""
    try:
        import jdatetime  # type: ignore[import-untyped]

        return str(jdatetime.date(year, month, day).togregorian().isoformat())
    except (ImportError, ValueError):
        return None
