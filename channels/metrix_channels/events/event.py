"""Makes the documented messages of `POST /`: a user's profile, and a user's events."""

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
    """A user with an id that Metrix assigned, a `metrixUserId`. For a customUserId, use plain text instead.

    Attributes:
        id: the metrixUserId.
    """

    id: str


class ProfileFields(TypedDict, total=False):
    """The fields of a user's profile. Only the given fields are sent.

    Attributes:
        email: the email address.
        phone: the telephone number, as text.
        first_name: the first name.
        last_name: the last name.
        hashed_email: a hash of the email address, instead of `email`.
        hashed_phone: a hash of the telephone number, instead of `phone`.
        country: the country.
        city: the city.
        region: the region.
        locality: the locality.
        gender: Male, Female or Other.
        birthday: a date; an aware datetime; or Unix milliseconds.
        attributes: your own attributes: text, whole numbers, doubles, dates, lists and mappings of these.
        time: the time of the profile; now by default.
        extra: other fields of the message, passed on unchanged.
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
    """The fields of an event: a name or a slug, and optional fields.

    Attributes:
        name: your own name from the application's taxonomy (in Metrix: customName).
        slug: five letters from the dashboard (in Metrix: name).
        attributes: text, whole numbers, doubles, true and false, dates, lists and mappings of these. Metrix does not
            document attributes of a revenue; they are passed on.
        revenue: makes the event a revenue. Metrix does not document its currency; see `extra`.
        time: the time of the event, an aware datetime or Unix milliseconds; now by default.
        extra: other fields of the message, passed on unchanged.
    """

    name: str
    slug: str
    attributes: Attributes
    revenue: float | Decimal
    time: datetime | int
    extra: Mapping[str, JsonValue]


@frozen
class Event:
    """One message of `POST /`, before it gets an id and, unless it was given, a time.

    Attributes:
        user: the field with the user's id, `customUserId` or `metrixUserId`, and its value.
        type: `user`, `action` or `revenue`.
        fields: the other fields, with the API's names.
        time: Unix milliseconds; None for the time of sending.
    """

    user: tuple[str, str]
    type: str
    fields: Mapping[str, JsonValue]
    time: int | None

    def message(self, name: str, time: int) -> dict[str, JsonValue]:
        """Return the message in Metrix's form.

        Args:
            name: the id of the message, a random UUID.
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
"""Text fields of a profile, and their names in Metrix."""

_GENDERS: Final = ("Male", "Female", "Other")


def body_of(user: tuple[str, str], messages: list[dict[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return the body of `POST /` with messages of one user."""
    return {user[0]: user[1], "messages": messages}


def profile(user: str | MetrixUser, fields: ProfileFields, now_ms: int) -> Event:
    """Check the profile of a user, and return it as a message.

    Args:
        user: the user of the profile.
        fields: see `ProfileFields`.
        now_ms: this machine's time in Unix milliseconds.

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
    """Check an event, and return it as a message.

    A revenue is a message of its own type; the troubleshooting page (section 2) requires a name for it too.

    Args:
        user: the user of the event.
        fields: see `EventFields`.
        now_ms: this machine's time in Unix milliseconds.
        taxonomy: the known names; None to skip this check.

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
    """Raise TypeError for an unknown argument, as Python does."""
    for name in fields:
        if name not in known.__annotations__:
            raise TypeError(f"there is no argument {name!r}; the arguments are {', '.join(known.__annotations__)}")
