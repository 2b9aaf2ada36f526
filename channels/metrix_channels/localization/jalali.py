"""Detects dates of the Solar Hijri (Jalali) calendar where a Gregorian date is expected."""

from __future__ import annotations

import re
from typing import Final

from ..printable import printable

FIRST_GREGORIAN_YEAR: Final = 1700
"""A smaller year is from another calendar, because no message is about an earlier date."""

_DATE: Final = re.compile(r"(1[2-6][0-9]{2})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?![0-9])")


def jalali_hint(text: str) -> str | None:
    """Return a hint for a date with a Jalali year: a question, and the same date in the Gregorian calendar.

    Args:
        text: a date, or a time that starts with one.

    Returns:
        The hint, for the end of a message; None if the date has no Jalali year.
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
    """Convert a Jalali date to a Gregorian one; None if there is no such date, or jdatetime is not installed."""
    try:
        import jdatetime  # type: ignore[import-untyped]

        return str(jdatetime.date(year, month, day).togregorian().isoformat())
    except (ImportError, ValueError):
        return None
