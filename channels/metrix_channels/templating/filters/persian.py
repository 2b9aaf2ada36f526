"""Filters for Persian: digits, and dates of the Solar Hijri calendar."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from ...errors.extras import missing_extra
from ...localization.jalali import FIRST_GREGORIAN_YEAR, jalali_hint
from ...process.time_zones import zone

_DIGITS: Final = {
    **{ord("0") + digit: chr(0x06F0 + digit) for digit in range(10)},
    # Many keyboards type Arabic digits, of which 4, 5 and 6 look different in Persian.
    **{0x0660 + digit: chr(0x06F0 + digit) for digit in range(10)},
}


DIRECTIVES: Final = (
    *("%a", "%A", "%b", "%B", "%c", "%d", "%-d", "%f", "%H", "%-H", "%I", "%-I", "%j", "%m", "%-m", "%M", "%-M"),
    *("%p", "%S", "%-S", "%w", "%W", "%x", "%X", "%y", "%Y", "%%"),
)
"""The directives that jdatetime replaces; others would stay in the message. None is for time zones, because the
converted date has none."""
_DIRECTIVE: Final = re.compile(r"%-?[A-Za-z%]?")


class DateRefused(Exception):
    """A value is not a date; becomes `template_value_refused` with its location."""


def fa_digits(value: object) -> str:
    """Write Persian digits instead of Latin and Arabic ones: `1404` becomes `۱۴۰۴`.

    Text that is marked as HTML stays marked.
    """
    text: str = value if isinstance(value, str) else str(value)
    return text.translate(_DIGITS)


def jalali(value: object, format: str = "%Y/%m/%d", timezone: str = "Asia/Tehran") -> str:  # noqa: A002
    """Write a Gregorian date in the Solar Hijri (Jalali) calendar.

    Args:
        value: ISO 8601 text, a date or a datetime. A time with an offset is converted to `timezone`; a time without one
            is read as a time in `timezone`.
        format: as for Python's `strftime`, such as `%-d %B %Y`; the names of months (`%B`) and days (`%A`) are Persian.
        timezone: a name of the IANA database, such as `Europe/Berlin`.

    Raises:
        DateRefused: `value` is not a date, is before 1700 or outside the calendar's range; `format` has an unsupported
            directive.
        ConfigError: `extra_missing`, if jdatetime is not installed.
    """
    try:
        import jdatetime  # type: ignore[import-untyped]
    except ImportError:
        message = "the filter `jalali` needs the package 'jdatetime', which is not installed"
        raise missing_extra(message, "fa") from None
    if unknown := next((each for each in _DIRECTIVE.findall(str(format)) if each not in DIRECTIVES), None):
        raise DateRefused(f"`jalali` does not support {unknown}; it supports {' '.join(DIRECTIVES)}")
    moment = _moment(value)
    if moment.year < FIRST_GREGORIAN_YEAR:
        raise DateRefused("`jalali` takes a Gregorian date; this one is before 1700 and may be a Jalali date already")
    if moment.tzinfo is not None:
        moment = moment.astimezone(_zone(timezone))
    try:
        local = jdatetime.datetime.fromgregorian(datetime=moment.replace(tzinfo=None), locale="fa_IR")
    except ValueError:
        raise DateRefused("the date is outside the range of the Solar Hijri calendar") from None
    return str(local.strftime(format))


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        if jalali_hint(value):
            raise DateRefused("`jalali` takes a Gregorian date; this one looks like a Jalali date already")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise DateRefused("`jalali` was given text that is not an ISO 8601 date") from None
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  a day has no time zone
    raise DateRefused(f"`jalali` was given a value of type {type(value).__name__}, not a date")


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    if found is None:
        raise DateRefused("`jalali` was given an unknown time zone; write a name such as Asia/Tehran")
    return found
