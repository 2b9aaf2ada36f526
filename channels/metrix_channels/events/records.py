"""Reads users and events from records, whose keys are the arguments of `identify` and `track`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from ..errors import EventInvalid
from ..json_records import kind_of
from .event import Event, EventFields, MetrixUser, ProfileFields, occurrence, profile

Reader = Callable[[Mapping[str, Any], int], Event]
"""Makes an event from a record and this machine's time in Unix milliseconds."""

_USERS: Final = ("user", "metrix_user")


def profile_of(record: Mapping[str, Any], now_ms: int) -> Event:
    """Read a user: `user` or `metrix_user`, and the arguments of `identify`. Dates may be ISO 8601 text.

    Raises:
        EventInvalid: the errors of `profile`; record_invalid for unknown keys.
    """
    user, fields = _separate_user(record, ProfileFields)
    return profile(user, ProfileFields(**_with_dates(fields)), now_ms)  # type: ignore[typeddict-item]  # checked there


def occurrence_reader(taxonomy: tuple[str, ...] | None) -> Reader:
    """Return a reader of events: `user` or `metrix_user`, and the arguments of `track`. Times may be ISO 8601 text.

    The reader raises EventInvalid: the errors of `occurrence`; record_invalid for unknown keys.
    """

    def read(record: Mapping[str, Any], now_ms: int) -> Event:
        user, fields = _separate_user(record, EventFields)
        return occurrence(user, EventFields(**_with_dates(fields)), now_ms, taxonomy)  # type: ignore[typeddict-item]

    return read


def parsed_time(text: str) -> datetime | int | str:
    """Read a time from text: Unix milliseconds or ISO 8601. Other text is returned unchanged, and refused later."""
    if text.isascii() and text.removeprefix("-").isdigit():
        return int(text[:30])
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def parsed_birthday(text: str) -> date | datetime | int | str:
    """Read a birthday from text: a date, or a time as in `parsed_time`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return parsed_time(text)


def _separate_user(record: Mapping[str, Any], known: type) -> tuple[str | MetrixUser, dict[str, Any]]:
    if not isinstance(record, Mapping):
        raise EventInvalid(f"the record is {kind_of(record)}, not an object", code="record_invalid")
    keys = (*_USERS, *known.__annotations__)
    if unknown := [key for key in record if key not in keys]:
        there = ", ".join(keys)
        raise EventInvalid(f"there is no key {unknown[0]!r:.80}; the keys are {there}", code="record_invalid")
    users = [key for key in _USERS if key in record]
    if len(users) != 1:
        raise EventInvalid("a record needs exactly one of user and metrix_user", code="record_invalid")
    user = record[users[0]]
    fields = {key: value for key, value in record.items() if key not in _USERS}
    return MetrixUser(user) if users == ["metrix_user"] else user, fields


def _with_dates(fields: dict[str, Any]) -> dict[str, Any]:
    # Digits in quotes are text, not a Long, and are refused. Only dates may be text, because JSON has no date type.
    for name, read in (("time", parsed_time), ("birthday", parsed_birthday)):
        value = fields.get(name)
        if isinstance(value, str) and "-" in value[1:]:
            fields[name] = read(value)
    return fields
