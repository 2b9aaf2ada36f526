"""A user's profile and a user's events, as the messages of `POST /` that Metrix documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, TypedDict

from attrs import frozen

from ..errors import EventInvalid
from ..models import JsonValue
from ..recipients import recipient_fault
from .values import (
    Attributes,
    birthday_ms,
    checked_attributes,
    checked_extra,
    checked_text,
    event_name,
    event_time,
    revenue_double,
)


@frozen
class MetrixUser:
    """A user known by the id that Metrix gave, a `metrixUserId`; any other is a customUserId, plain text.

    Attributes:
        id: the metrixUserId.
    """

    id: str


class ProfileFields(TypedDict, total=False):
    """What may be told of a user. Each field is sent only when it is given.

    Attributes:
        email, phone, first_name, last_name, country, city, region, locality: text.
        hashed_email, hashed_phone: text, in place of the address and the number themselves.
        gender: Male, Female or Other.
        birthday: a date; an aware datetime; or Unix milliseconds.
        attributes: of your own: text, whole numbers, doubles, dates, lists and mappings of these.
        time: when it became true; now, when it is not given.
        extra: further fields of the message, passed on as they are.
    """

    email: str
    phone: str
    first_name: str
    last_name: str
    hashed_email: str
    hashed_phone: str
    country: str
    city: str
    region: str
    locality: str
    gender: Literal["Male", "Female", "Other"]
    birthday: date | datetime | int
    attributes: Attributes
    time: datetime | int
    extra: Mapping[str, JsonValue]


class EventFields(TypedDict, total=False):
    """What is told of an event: a name or a slug, and whatever else is known.

    Attributes:
        name: of your own, from the application's taxonomy (Metrix: customName).
        slug: five letters that the dashboard gave (Metrix: name).
        attributes: text, whole numbers, doubles, true and false, dates, lists and mappings of these. Beside a revenue
            Metrix does not document them; they are passed on.
        revenue: makes it an event of revenue. Its currency is documented nowhere; see `extra`.
        time: when it happened: an aware datetime or Unix milliseconds; now, when it is not given.
        extra: further fields of the message, passed on as they are.
    """

    name: str
    slug: str
    attributes: Attributes
    revenue: float | Decimal
    time: datetime | int
    extra: Mapping[str, JsonValue]


@frozen
class Event:
    """One message of `POST /` before it has an id and, unless it was given, a time.

    Attributes:
        user: the field that names the user, `customUserId` or `metrixUserId`, and its value.
        type: `user`, `action` or `revenue`.
        fields: the others, as the API calls them.
        time: Unix milliseconds; None for the moment at which it is sent.
    """

    user: tuple[str, str]
    type: str
    fields: Mapping[str, JsonValue]
    time: int | None

    def message(self, name: str, time: int) -> dict[str, JsonValue]:
        """Return it as Metrix takes it.

        Args:
            name: its id, a random UUID.
            time: in Unix milliseconds.
        """
        return {"type": self.type, "id": name, "time": time, **self.fields}


_TEXTS: Final = {
    "email": "email",
    "phone": "phoneNumber",
    "first_name": "firstName",
    "last_name": "lastName",
    "hashed_email": "hashedEmail",
    "hashed_phone": "hashedPhoneNumber",
    "country": "country",
    "city": "city",
    "region": "region",
    "locality": "locality",
}
"""Texts of a profile, and what Metrix calls them."""

_GENDERS: Final = ("Male", "Female", "Other")


def body_of(user: tuple[str, str], messages: list[dict[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return the body of `POST /` that carries messages of one user."""
    return {user[0]: user[1], "messages": messages}


def profile(user: str | MetrixUser, fields: ProfileFields, now_ms: int) -> Event:
    """Check what is told of a user, and return it as Metrix takes it.

    Args:
        user: whose profile it is.
        fields: see there.
        now_ms: this machine's time.

    Raises:
        EventInvalid: user_invalid, profile_invalid, birthday_invalid, attribute_invalid or event_time_invalid.
    """
    whose = _user(user)
    _require_known(fields, ProfileFields)
    known: dict[str, JsonValue] = {
        metrix: checked_text(ours, fields[ours])  # type: ignore[literal-required]  # all keys of _TEXTS are keys of it
        for ours, metrix in _TEXTS.items()
        if ours in fields
    }
    if "gender" in fields:
        if fields["gender"] not in _GENDERS:
            raise EventInvalid(
                f"`gender` {fields['gender']!r:.80} is not Male, Female or Other", code="profile_invalid"
            )
        known["gender"] = fields["gender"]
    if "birthday" in fields:
        known["birthday"] = birthday_ms(fields["birthday"], now_ms)
    if "attributes" in fields:
        known["customAttributes"] = checked_attributes(fields["attributes"], booleans=False)
    known |= checked_extra(fields.get("extra", {}), known)
    return Event(whose, "user", known, event_time(fields.get("time"), now_ms))


def occurrence(user: str | MetrixUser, fields: EventFields, now_ms: int, taxonomy: tuple[str, ...] | None) -> Event:
    """Check what is told of an event, and return it as Metrix takes it.

    A revenue is a message of its own type; the troubleshooting page (section 2) demands a name of it too.

    Args:
        user: whom it happened to.
        fields: see there.
        now_ms: this machine's time.
        taxonomy: the names that are known; None: not checked.

    Raises:
        EventInvalid: user_invalid, event_name_invalid, event_name_unknown, revenue_invalid, attribute_invalid or
            event_time_invalid.
    """
    whose = _user(user)
    _require_known(fields, EventFields)
    known = event_name(fields.get("name"), fields.get("slug"), taxonomy)
    kind = "action"
    if "revenue" in fields:
        kind = "revenue"
        known["revenue"] = revenue_double(fields["revenue"])
    if "attributes" in fields:
        known["attributes"] = checked_attributes(fields["attributes"], booleans=True)
    known |= checked_extra(fields.get("extra", {}), known)
    return Event(whose, kind, known, event_time(fields.get("time"), now_ms))


def _user(user: object) -> tuple[str, str]:
    field, given = ("metrixUserId", user.id) if isinstance(user, MetrixUser) else ("customUserId", user)
    if fault := recipient_fault(given):
        raise EventInvalid(f"the user's {field}, {given!r:.80}, {fault}", code="user_invalid")
    return field, str(given)


def _require_known(fields: Mapping[str, object], known: type) -> None:
    """Raise TypeError for an argument that there is none of, as Python does."""
    for name in fields:
        if name not in known.__annotations__:
            raise TypeError(f"there is no argument {name!r}; there are {', '.join(known.__annotations__)}")
