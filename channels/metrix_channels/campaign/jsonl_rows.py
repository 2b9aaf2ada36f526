"""Rows of an audience in JSON Lines: an object a line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from ..models import JsonValue
from ..recipients import recipient_fault
from .intake import Intake
from .rows import ABSENT, CHUNK_CHARACTERS, CHUNK_ROWS, Chunk, Invalid, shortened
from .text_blocks import text_blocks

_MOST_NESTED: Final = 32
_TOO_NESTED: Final = f"is nested more than {_MOST_NESTED} deep"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_KINDS: Final = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "an array"}

Record = dict[str, JsonValue]


class JsonlRows:
    """Reads records whose keys may differ.

    Args:
        intake: read once.
        id_key: the key of the customUserId.
    """

    columns = None

    def __init__(self, intake: Intake, id_key: str) -> None:
        self._intake = intake
        self._id = id_key

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """Read the rows, once.

        Args:
            wanted: keys; a row may be without them.

        Raises:
            CampaignError: audience_invalid, file_unreadable.
        """
        number = 1
        for lines in self._gathered():
            yield self._chunk(lines, number, wanted)
            number += len(lines)

    def _gathered(self) -> Iterator[list[str]]:
        lines: list[str] = []
        size = 0
        for _, text in text_blocks(self._intake):
            lines += [line for line in text.split("\n") if line and not line.isspace()]
            size += len(text)
            if len(lines) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield lines
                lines, size = [], 0
        if lines:
            yield lines

    def _chunk(self, lines: list[str], number: int, wanted: Sequence[str]) -> Chunk:
        numbers: list[int] = []
        chunk = Chunk(len(lines), numbers, [], [], [])
        for at, line in enumerate(lines, start=number):
            try:
                record = _record(line)
            except ValueError as error:
                chunk.invalid.append(Invalid(at, "", str(error), is_exact=False))
                continue
            recipient = record.get(self._id, ABSENT)
            if fault := self._fault(recipient):
                text = str(recipient) if isinstance(recipient, (str, int, float)) else ""
                chunk.invalid.append(Invalid.of(at, text, fault))
                continue
            numbers.append(at)
            chunk.recipients.append(recipient)  # type: ignore[arg-type]  # text, since it has no fault
            chunk.values.append(tuple([record.get(key, ABSENT) for key in wanted]))
        return chunk

    def _fault(self, recipient: JsonValue) -> str | None:
        if recipient is ABSENT:
            return f"has no key {self._id!r}"
        fault = recipient_fault(recipient)
        if fault and not isinstance(recipient, str):
            fault = f"is {_kind(recipient)}, not text"
        return f"its {self._id!r} {fault}" if fault else None


def _record(line: str) -> Record:
    """Read one line.

    Raises:
        ValueError: it is no JSON object that can be sent on; the message is what follows "the row".
    """
    try:
        record = _DECODE(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg} at column {error.colno}") from error
    except RecursionError:
        raise ValueError(_TOO_NESTED) from None
    if not isinstance(record, dict):
        raise ValueError(f"is {_kind(record)}, not an object")  # noqa: TRY004 - the line's fault
    if line.count("[") + line.count("{") > _MOST_NESTED and _depth(record) > _MOST_NESTED:
        raise ValueError(_TOO_NESTED)
    if _SURROGATE.search(line) and not _encodable(record):
        raise ValueError("holds half a character, a lone surrogate")
    return record


def _unique(pairs: list[tuple[str, JsonValue]]) -> Record:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise ValueError(f"has the key {shortened(twice)!r} twice")
    return record


def _constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is no JSON")


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("holds a number that is too large")
    return number


def _int(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise ValueError("holds a number that is too large") from None


_DECODE: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_int
).decode


def _kind(value: JsonValue) -> str:
    return "null" if value is None else _KINDS.get(type(value), "an object")


def _depth(value: JsonValue) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        nested = [each for each in level if isinstance(each, (dict, list))]
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return depth - 1


def _encodable(record: Record) -> bool:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
