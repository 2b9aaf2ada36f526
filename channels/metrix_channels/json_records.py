"""Reads JSON Lines strictly: one object per line; refuses what other parsers silently accept."""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

from .models import JsonValue
from .printable import printable

Record = dict[str, JsonValue]

_MOST_NESTED: Final = 32
_TOO_NESTED: Final = f"is nested more than {_MOST_NESTED} levels deep"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_KINDS: Final = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "an array"}
_MOST_SHOWN: Final = 80


def kind_of(value: JsonValue) -> str:
    """Name the kind of a JSON value in words."""
    return "null" if value is None else _KINDS.get(type(value), "an object")


def read_record(line: str) -> Record:
    """Read one line.

    Raises:
        ValueError: it is not a JSON object that can be sent on; the message continues a sentence that starts with
            "the row".
    """
    try:
        record = _DECODE(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError:
        raise ValueError(_TOO_NESTED) from None
    if not isinstance(record, dict):
        raise ValueError(f"is {kind_of(record)}, not an object")  # noqa: TRY004 - the line's fault
    if line.count("[") + line.count("{") > _MOST_NESTED and _depth(record) > _MOST_NESTED:
        raise ValueError(_TOO_NESTED)
    if _SURROGATE.search(line) and not _is_encodable(record):
        raise ValueError("contains half a character (a lone surrogate)")
    return record


def _unique(pairs: list[tuple[str, JsonValue]]) -> Record:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise ValueError(f"has the key {_shorten(twice)!r} twice")
    return record


def _constant(name: str) -> NoReturn:
    raise ValueError(f"contains {name}, which is not JSON")


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("contains a number that is too large")
    return number


def _int(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise ValueError("contains a number that is too large") from None


_DECODE: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_int
).decode


def _depth(value: JsonValue) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        nested = [each for each in level if isinstance(each, (dict, list))]
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return depth - 1


def _is_encodable(record: Record) -> bool:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shorten(key: str) -> str:
    shown = printable(key[:_MOST_SHOWN])
    return shown if len(key) <= _MOST_SHOWN else f"{shown}…"
