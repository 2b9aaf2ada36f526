"""Reads the body of a request as strictly as Metrix may: valid JSON, valid Unicode, an object."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_BODY = 1_048_576
"""In bytes. Metrix documents no limit; this one limits the sandbox's memory."""

CHANNELS = ("SMS", "WEB_PUSH", "APP_PUSH", "EMAIL", "WEB_HOOK", "IN_APP", "ON_SITE")
"""The channels of `POST /push` (Metrix documentation)."""


class BodyRefused(Exception):
    """The body is refused with 400.

    Attributes:
        message: what is wrong, for the developer who reads the answer.
        field: the field at fault, such as `messages[1].time`; empty for the whole body.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`. As in RFC 8259, NaN and half a surrogate pair are refused.

    Raises:
        BodyRefused: it is not JSON, not UTF-8, or not an object.
    """
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise BodyRefused("The body is not valid UTF-8, or escapes half a surrogate pair.") from None
    except json.JSONDecodeError as error:
        raise BodyRefused(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except (ValueError, RecursionError):
        raise BodyRefused("The body is not valid JSON: a number is too large, or the nesting too deep.") from None
    if not isinstance(value, dict):
        raise BodyRefused("The body must be a JSON object.")
    return value


def required(owner: dict[str, Any], name: str, where: str = "") -> Any:
    """Return a mandatory field.

    Raises:
        BodyRefused: it is missing.
    """
    if name not in owner:
        raise BodyRefused(f"{name} is mandatory.", where + name)
    return owner[name]


def check_text(value: object, field: str, *, empty: bool = False) -> str:
    """Return `value` if it is text, and not blank unless `empty`.

    Raises:
        BodyRefused: it is not.
    """
    if not isinstance(value, str):
        raise BodyRefused("It must be text.", field)
    if not empty and not value.strip():
        raise BodyRefused("It must not be empty.", field)
    return value


def check_long(value: object, field: str) -> int:
    """Return `value` if it is a Long: a whole number of 64 bits, written without a fraction.

    Raises:
        BodyRefused: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise BodyRefused("It must be a Long: a whole number.", field)
    return value


def check_objects(value: object, field: str) -> list[dict[str, Any]]:
    """Return `value` if it is a list of objects.

    Raises:
        BodyRefused: it is not.
    """
    if not isinstance(value, list):
        raise BodyRefused("It must be a list.", field)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise BodyRefused("It must be an object.", f"{field}[{index}]")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
