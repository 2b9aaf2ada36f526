"""Checks the body of `POST /`, and finds the messages that Metrix drops although it answers 200."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from attrs import frozen

from ..pages.words import phrase
from .bodies import BodyRefused, check_long, check_objects, check_text, required

TYPES: Final = ("user", "action", "revenue", "businessEvent")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SLUG: Final = re.compile(r"[A-Za-z]{5}")
_YEAR_2000_MS: Final = 946_684_800_000
_DAY_MS: Final = 86_400_000
_USER_TEXTS: Final = (
    "firstName",
    "lastName",
    "phoneNumber",
    "hashedPhoneNumber",
    "email",
    "hashedEmail",
    "country",
    "city",
    "region",
    "locality",
)


@frozen
class Batch:
    """A body that Metrix would accept.

    Attributes:
        user: the field with the user's id, `customUserId` or `metrixUserId`, and its value.
        messages: as received.
    """

    user: tuple[str, str]
    messages: list[dict[str, Any]]


def check_batch(body: dict[str, Any]) -> Batch:
    """Check a body against Metrix's documentation; undocumented fields pass.

    Raises:
        BodyRefused: Metrix would answer 400.
    """
    user = _check_user_id(body)
    messages = check_objects(required(body, "messages"), "messages")
    if not messages:
        raise BodyRefused("It must hold at least one message.", "messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}].")
    return Batch(user, messages)


def reason_to_drop(user_id: str, message: dict[str, Any], now_ms: int, taxonomy: Collection[str] | None) -> str | None:
    """Return why Metrix drops this message although it answers 200, or None (API Troubleshooting, section 2).

    Args:
        user_id: the user's id of the batch.
        message: a message that passed `check_batch`.
        now_ms: Unix time in milliseconds.
        taxonomy: the names that the application knows; None for all.
    """
    if not user_id.strip():
        return phrase("the user id is empty")
    time = message["time"]
    if 0 <= time < _YEAR_2000_MS // 10:
        return phrase("the time must be in milliseconds, but looks like seconds")
    if not _YEAR_2000_MS <= time <= now_ms + _DAY_MS:
        return phrase("the time is before the year 2000 or in the future")
    return _reason_of_name(message, taxonomy) if message["type"] == "action" else None


def _reason_of_name(action: dict[str, Any], taxonomy: Collection[str] | None) -> str | None:
    if "name" in action:
        return None if _SLUG.fullmatch(action["name"]) else phrase("name is not a slug of 5 letters")
    if not action["customName"].strip():
        return phrase("customName is empty")
    if taxonomy is not None and action["customName"] not in taxonomy:
        return phrase("customName is not in the application's taxonomy")
    return None


def _check_user_id(body: dict[str, Any]) -> tuple[str, str]:
    given = [name for name in ("customUserId", "metrixUserId") if name in body]
    if not given:
        raise BodyRefused("customUserId or metrixUserId is mandatory.", "customUserId")
    for name in given:
        check_text(body[name], name, empty=True)
    return given[0], body[given[0]]


def _check_message(message: dict[str, Any], where: str) -> None:
    kind = required(message, "type", where)
    if kind not in TYPES:
        raise BodyRefused(f"It must be one of {', '.join(TYPES)}.", where + "type")
    identity = check_text(required(message, "id", where), where + "id")
    if not _UUID.fullmatch(identity):
        raise BodyRefused("It must be a UUID.", where + "id")
    check_long(required(message, "time", where), where + "time")
    if kind == "user":
        _check_profile(message, where)
    elif kind == "action":
        _check_action(message, where)
    elif kind == "revenue":
        _check_revenue(required(message, "revenue", where), where + "revenue")


def _check_profile(message: dict[str, Any], where: str) -> None:
    for name in _USER_TEXTS:
        if name in message:
            check_text(message[name], where + name)
    if "gender" in message and message["gender"] not in ("Male", "Female", "Other"):
        raise BodyRefused("It must be Male, Female or Other.", where + "gender")
    if "birthday" in message:
        check_long(message["birthday"], where + "birthday")
    _check_attributes(message, "customAttributes", where, booleans=False)


def _check_action(message: dict[str, Any], where: str) -> None:
    given = [name for name in ("name", "customName") if name in message]
    if len(given) != 1:
        raise BodyRefused("Exactly one of name and customName is mandatory.", where + "name")
    check_text(message[given[0]], where + given[0], empty=True)
    _check_attributes(message, "attributes", where, booleans=True)


def _check_revenue(value: object, field: str) -> None:
    # JSON has one kind of number, a typed server two. Metrix does not document whether it accepts 12 as a Double.
    if not isinstance(value, float):
        raise BodyRefused("It must be a Double: a number with a fraction, such as 12.0.", field)


def _check_attributes(message: dict[str, Any], name: str, where: str, *, booleans: bool) -> None:
    if name not in message:
        return
    field = where + name
    if not isinstance(message[name], dict):
        raise BodyRefused("It must be an object.", field)
    for key, value in message[name].items():
        if value is None or (isinstance(value, bool) and not booleans):
            kinds = "text, a number, an object or a list" + (" or a boolean" if booleans else "")
            raise BodyRefused(f"It must be {kinds}.", f"{field}.{key}")
