"""Checks the values of users and events: Metrix answers 200 to a value of the wrong type, but drops the message."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from ..errors import EventInvalid
from ..localization.jalali import jalali_hint
from ..models import JsonValue
from ..recipients import recipient_fault, text_fault

AttributeValue = JsonValue | date | datetime
Attributes = Mapping[str, AttributeValue]
"""The attributes of an event or a profile, by name: JSON values, dates and times."""

AHEAD_MS: Final = 60_000
"""How far the time of an event may be ahead of this machine's clock."""

_YEAR_2000_MS: Final = 946_684_800_000
_YEAR_1900_MS: Final = -2_208_988_800_000
_AS_SECONDS: Final = _YEAR_2000_MS // 10
"""A smaller number is no plausible time in milliseconds, but a usual one in seconds."""
_AS_SECONDS_OF_BIRTH: Final = 2**32
_LONG: Final = range(-(2**63), 2**63)
_COMPARED: Final = ("email", "phone", "hashed_email", "hashed_phone")
"""Texts of a profile that machines compare."""
_SLUG: Final = re.compile(r"[A-Za-z]{5}")


def unix_ms(moment: datetime) -> int:
    """Return an aware time as Unix milliseconds."""
    return math.floor(moment.timestamp() * 1000)


def event_time(time: object, now_ms: int) -> int | None:
    """Return the time of an event in Metrix's form: Unix milliseconds, a Long.

    Args:
        time: milliseconds, an aware datetime, or None for the time of sending.
        now_ms: this machine's time in Unix milliseconds.

    Raises:
        EventInvalid: event_time_invalid; seconds, microseconds, text, no time zone, or an impossible time.
    """
    if time is None:
        return None
    if hint := _jalali(time):
        raise _time_refused(f"must be a date of the Gregorian calendar; {hint}")
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise _time_refused(f"{time.isoformat()} has no time zone")
        time = unix_ms(time)
    if isinstance(time, bool) or not isinstance(time, int):
        raise _time_refused(f"{_shown(time)} is {_kind(time)}, not a Long (whole milliseconds since 1970)")
    if 0 <= time < _AS_SECONDS:
        raise _time_refused(f"{time} looks like seconds; Metrix takes milliseconds: {time * 1000}")
    if time < _YEAR_2000_MS:
        raise _time_refused(f"{time} is before the year 2000")
    if time > now_ms * 100:
        raise _time_refused(f"{time} looks like microseconds; Metrix takes milliseconds")
    if time > now_ms + AHEAD_MS:
        raise _time_refused(f"{time} is {(time - now_ms) / 1000:,.0f} s in the future")
    return time


def birthday_ms(birthday: object, now_ms: int) -> int:
    """Return a birthday in Metrix's form: Unix milliseconds, a Long.

    Args:
        birthday: a date, which means 00:00 UTC; an aware datetime; or milliseconds.
        now_ms: this machine's time in Unix milliseconds.

    Raises:
        EventInvalid: birthday_invalid.
    """
    if hint := _jalali(birthday):
        raise _birthday_refused(f"must be a date of the Gregorian calendar; {hint}")
    if isinstance(birthday, datetime):
        if birthday.tzinfo is None:
            raise _birthday_refused(f"{birthday.isoformat()} has no time zone; use a date, which needs none")
        birthday = unix_ms(birthday)
    elif isinstance(birthday, date):
        birthday = unix_ms(datetime(birthday.year, birthday.month, birthday.day, tzinfo=UTC))
    elif isinstance(birthday, int) and not isinstance(birthday, bool) and 0 < abs(birthday) < _AS_SECONDS_OF_BIRTH:
        raise _birthday_refused(f"{birthday} looks like seconds; Metrix takes milliseconds")
    if isinstance(birthday, bool) or not isinstance(birthday, int):
        raise _birthday_refused(f"{_shown(birthday)} is {_kind(birthday)}, not a date or a Long (milliseconds)")
    if birthday > now_ms:
        raise _birthday_refused(f"{birthday} is in the future")
    if birthday < _YEAR_1900_MS:
        raise _birthday_refused(f"{birthday} is before the year 1900")
    return birthday


def revenue_double(revenue: object) -> float:
    """Return a revenue in Metrix's form: a Double, which JSON writes with a fraction.

    Args:
        revenue: a float, or an int or Decimal that a Double can hold.

    Raises:
        EventInvalid: revenue_invalid.
    """
    if isinstance(revenue, bool) or not isinstance(revenue, (int, float, Decimal)):
        raise _revenue_refused(f"{_shown(revenue)} is {_kind(revenue)}, not a Double")
    try:
        number = float(revenue)
    except (OverflowError, ValueError):
        number = math.inf
    if not math.isfinite(number):
        raise _revenue_refused(f"{_shown(revenue)} is not a number that JSON can hold")
    if isinstance(revenue, int) and int(number) != revenue:
        raise _revenue_refused(f"{revenue} has more digits than a Double can hold")
    return number


def event_name(name: object, slug: object, taxonomy: tuple[str, ...] | None) -> dict[str, JsonValue]:
    """Return the field that names an event: `customName`, or `name` for a slug of the dashboard.

    Args:
        name: a name in the application's taxonomy.
        slug: five letters, from the dashboard.
        taxonomy: the known names; None to skip this check. Slugs are never checked, because the dashboard makes them.

    Raises:
        EventInvalid: event_name_invalid, event_name_unknown.
    """
    if name is None and slug is None:
        raise _name_refused("neither `name` nor `slug` is given; Metrix drops an event without a name")
    if name is not None and slug is not None:
        raise _name_refused("both `name` and `slug` are given; Metrix takes only one of them")
    field, given = ("name", name) if slug is None else ("slug", slug)
    if fault := recipient_fault(given):
        raise _name_refused(f"`{field}` {fault}")
    if field == "slug" and not _SLUG.fullmatch(str(given)):
        raise _name_refused(f"`slug` {given!r:.80} is not five letters; give your own name as `name`")
    if field == "name" and taxonomy is not None and given not in taxonomy:
        known = ", ".join(taxonomy) or "none"
        raise EventInvalid(
            f"`name` {given!r:.80} is not in the taxonomy of the configuration, which has: {known:.400}",
            code="event_name_unknown",
        )
    return {"customName" if field == "name" else "name": str(given)}


def checked_text(field: str, value: object) -> str:
    """Return a text of a user's profile, if it is valid.

    An address and a number follow the same rule as ids. Names and places may contain more, such as a soft hyphen.

    Raises:
        EventInvalid: profile_invalid; not text, blank, with white space around it or with invisible characters.
    """
    if fault := (recipient_fault if field in _COMPARED else text_fault)(value):
        raise EventInvalid(f"`{field}` {fault}", code="profile_invalid")
    return str(value)


def checked_attributes(attributes: object, *, booleans: bool) -> dict[str, JsonValue]:
    """Return attributes with their dates in ISO 8601.

    Args:
        attributes: text, whole numbers, doubles, dates, lists and mappings of these, by name.
        booleans: allow true and false too; Metrix documents them for events but not for users.

    Raises:
        EventInvalid: attribute_invalid; the message names the attribute.
    """
    if not isinstance(attributes, Mapping):
        raise EventInvalid(f"`attributes` is {_kind(attributes)}, not a mapping", code="attribute_invalid")
    checked: dict[str, JsonValue] = {}
    for name, value in attributes.items():
        _require_name("the name of an attribute", name)
        if value is None or (isinstance(value, bool) and not booleans):
            takes = "text, numbers, dates, lists and mappings" + (", true and false" if booleans else "")
            raise _attribute_refused(name, f"is {_kind(value)}; Metrix takes {takes}")
        checked[name] = _plain(name, value)
    return checked


def checked_extra(extra: object, taken: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return other fields of a message, which Metrix does not document, unchanged.

    Raises:
        EventInvalid: attribute_invalid; a field that is set in another way, or that JSON cannot hold.
    """
    if not isinstance(extra, Mapping):
        raise EventInvalid(f"`extra` is {_kind(extra)}, not a mapping", code="attribute_invalid")
    for name in extra:
        _require_name("the name of a field in `extra`", name)
        if name in taken or name in ("type", "id", "time"):
            raise EventInvalid(f"`extra` contains {name!r:.80}, which is set in another way", code="attribute_invalid")
    return {name: _plain(name, value) for name, value in extra.items()}


def _require_name(what: str, name: object) -> None:
    if fault := recipient_fault(name):
        raise EventInvalid(f"{what}, {name!r:.80}, {fault}", code="attribute_invalid")


def _plain(name: str, value: object) -> JsonValue:
    plain = _with_iso_dates(name, value)
    try:
        json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise _attribute_refused(name, f"cannot be written as JSON: {error}") from error
    except RecursionError:
        raise _attribute_refused(name, "contains itself, or is nested too deep") from None
    return plain


def _with_iso_dates(name: str, value: object, depth: int = 0) -> JsonValue:
    if depth > _MOST_NESTED:
        raise _attribute_refused(name, f"is nested more than {_MOST_NESTED} levels deep")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise _attribute_refused(name, f"contains {value.isoformat()}, which has no time zone")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        for key in value:
            _require_name(f"a name within the attribute {name!r:.80}", key)
        return {key: _with_iso_dates(name, inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_iso_dates(name, inner, depth + 1) for inner in value]
    if isinstance(value, int) and value not in _LONG:
        raise _attribute_refused(name, "contains a whole number of more than 64 bits")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise _attribute_refused(name, f"contains {_kind(value)}, which JSON cannot hold")


_MOST_NESTED: Final = 32
_WORDS: Final[dict[type[Any], str]] = {str: "text", bool: "true or false", float: "a number with a fraction"}


def _kind(value: object) -> str:
    return "nothing" if value is None else _WORDS.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    return f"{value!r:.80}"


def _jalali(value: object) -> str | None:
    """Return a hint if a date or a text is probably a Jalali date."""
    text = value.isoformat() if isinstance(value, date) else value
    return jalali_hint(text) if isinstance(text, str) else None


def _time_refused(why: str) -> EventInvalid:
    return EventInvalid(f"`time` {why}", code="event_time_invalid")


def _birthday_refused(why: str) -> EventInvalid:
    return EventInvalid(f"`birthday` {why}", code="birthday_invalid")


def _revenue_refused(why: str) -> EventInvalid:
    return EventInvalid(f"`revenue` {why}", code="revenue_invalid")


def _name_refused(why: str) -> EventInvalid:
    return EventInvalid(why, code="event_name_invalid")


def _attribute_refused(name: str, why: str) -> EventInvalid:
    return EventInvalid(f"the attribute {name!r:.80} {why}", code="attribute_invalid")
