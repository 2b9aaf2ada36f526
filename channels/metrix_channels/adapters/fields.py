"""The fields that Metrix documents, and the check of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

from attrs import frozen

from ..errors import MessageInvalid
from ..models import JsonValue
from .links import HTTP, check_no_script, encode_link

Check = Callable[[str, JsonValue], JsonValue]
"""Gets the path of a value, such as `images[0].url`, and the value; returns the value to send, or raises
MessageInvalid."""

_UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAK = re.compile(r"[\r\n\x85\u2028\u2029]")


@frozen
class Field:
    """A documented field of a message."""

    name: str
    check: Check


def check_text(where: str, value: JsonValue) -> str:
    """Check that `value` is text without characters that carriers cannot transport, and return it."""
    if not isinstance(value, str):
        raise _invalid(where, f"must be text, not {_kind(value)}; put it in quotes")
    if found := _UNSENDABLE.search(value):
        raise _invalid(where, f"contains the control character U+{ord(found[0]):04X} at position {found.start()}")
    return value


def check_line(where: str, value: JsonValue) -> str:
    """Check that `value` is one line of text, and return it."""
    line = check_text(where, value)
    if _LINE_BREAK.search(line):
        raise _invalid(where, "must be one line, but contains a line break")
    return line


def link(*schemes: str, any_app: bool = False) -> Check:
    """Make a check for links with one of `schemes`, or with any app's own; links are sent percent-encoded."""

    def check(where: str, value: JsonValue) -> str:
        return encode_link(where, check_line(where, value), schemes, any_app=any_app)

    return check


def items_of(**parts: Check) -> Check:
    """Make a check for lists of objects that have exactly the keys `parts`."""

    def check(where: str, value: JsonValue) -> JsonValue:
        if not isinstance(value, list | tuple):
            raise _invalid(where, f"must be a list, not {_kind(value)}")
        return [_check_item(f"{where}[{number}]", item, parts) for number, item in enumerate(value)]

    return check


def _check_item(where: str, item: JsonValue, parts: Mapping[str, Check]) -> JsonValue:
    if not isinstance(item, Mapping) or set(item) != set(parts):
        raise _invalid(where, f"must have exactly these keys: {', '.join(parts)}")
    return {name: parts[name](f"{where}.{name}", value) for name, value in item.items()}


def check_extra(extra: JsonValue, documented: Container[str]) -> dict[str, JsonValue]:
    """Return the undocumented fields, which are sent unchanged; refuse only what can never be valid."""
    if not isinstance(extra, Mapping):
        raise _invalid("extra", f"must be a mapping, not {_kind(extra)}")
    for name in extra:
        if name in documented:
            raise _invalid(f"extra.{name}", "is a documented field: write it beside `extra`, not in it")
    _check_extra_value("extra", extra)
    return dict(extra)


def _check_extra_value(where: str, value: JsonValue) -> None:
    if isinstance(value, str):
        check_text(where, value)
        check_no_script(where, value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _check_extra_value(f"{where}.{name}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_extra_value(f"{where}[{number}]", item)


def _invalid(where: str, what: str) -> MessageInvalid:
    return MessageInvalid(f"`{where}` {what}.", code="field_invalid")


def _kind(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true/false"
    names: dict[type, str] = {
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)


TITLE = Field("title", check_line)
BODY = Field("body", check_text)
IMAGES = Field("images", items_of(url=link(*HTTP)))
ICON = Field("icon", link(*HTTP))
PUSH_URL = Field("url", link(*HTTP, any_app=True))
BUTTONS = Field("buttons", items_of(label=check_line, link=link(*HTTP, any_app=True)))
