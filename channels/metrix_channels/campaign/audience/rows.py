"""What the readers of all audience formats return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Final, Protocol, cast

from attrs import frozen

from ...json_records import kind_of
from ...models import JsonValue
from ...printable import printable
from ...recipients import all_valid, recipient_fault
from .ids import SPREADSHEET_ERRORS, damaged, fold
from .source import Source

CHUNK_ROWS: Final = 1_000
CHUNK_CHARACTERS: Final = 1 << 20
"""A chunk is full when it reaches one of these limits, because rows may be long."""

HIDDEN_ROWS: Final = "rows_hidden"
"""The caution about rows that a sheet hides."""

_MOST_SHOWN: Final = 80


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = cast(JsonValue, _Absent())
"""Marks a key that a row does not have; compare with `is`."""


@frozen
class Invalid:
    """A row that cannot be sent to.

    Attributes:
        line: of the file, as a spreadsheet numbers it: the header is line 1.
        recipient: the readable part of its customUserId, escaped, at most 80 characters.
        why: completes the sentence "The row …"; contains no value of the row.
        id: the text in the id column of the file; None if it is not clear.
    """

    line: int
    recipient: str
    why: str
    id: str | None = None


@frozen
class RawRows:
    """Consecutive rows as a format reads them; their ids are not checked yet.

    Attributes:
        lines: of the file, as a spreadsheet numbers them, ascending.
        ids: the values of the id column, parallel to `lines`.
        values: of the wanted columns, in their order, parallel to `lines`; `ABSENT` for a key that a row does not have.
        unread: the rows that the format cannot read.
    """

    lines: Sequence[int]
    ids: list[JsonValue]
    values: list[tuple[JsonValue, ...]]
    unread: list[Invalid]


@frozen
class Chunk:
    """Consecutive rows with checked ids.

    Attributes:
        lines: of the valid rows, as a spreadsheet numbers them, ascending.
        recipients: their customUserIds, parallel to `lines`.
        folds: the recipients, folded so that ids that look alike are equal.
        values: of the wanted columns, in their order, parallel to `lines`; `ABSENT` for a key that a row does not have,
            empty for an error of a spreadsheet, such as #N/A.
        invalid: the rows that cannot be sent to, ascending.
        damaged: positions in `recipients` of ids that a spreadsheet or an export damaged.
    """

    lines: Sequence[int]
    recipients: list[str]
    folds: list[str]
    values: list[tuple[JsonValue, ...]]
    invalid: list[Invalid]
    damaged: list[int]

    @property
    def rows(self) -> int:
        """The number of rows, including invalid ones."""
        return len(self.lines) + len(self.invalid)


class Rows(Protocol):
    """A reader of one format. `checked` then checks the ids, for all formats alike."""

    @property
    def source(self) -> Source:
        """Where the rows come from."""

    @property
    def is_plain(self) -> bool:
        """Whether every value is text."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The header; None if each row has its own keys."""

    @property
    def id_name(self) -> str:
        """The column or key of the customUserId."""

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        """Read the rows, once."""

    def close(self) -> None:
        """Close what is open; standard input stays open."""


def checked(raw: RawRows, id_name: str) -> Chunk:
    """Check the ids of some rows. All formats use this function.

    Args:
        raw: the rows.
        id_name: the column or key of the customUserId.
    """
    lines, values, invalid = raw.lines, raw.values, raw.unread
    ids = cast(list[str], raw.ids)  # `join` fails if one of them is not text
    try:
        joined = "\n".join(ids)
        valid = all_valid(ids, joined)
    except TypeError:
        valid = False
    if not valid:
        faults = [_fault(each) for each in raw.ids]
        invalid = sorted(
            [
                *raw.unread,
                *(
                    _invalid(line, each, f"its {id_name!r} {fault}")
                    for line, each, fault in zip(lines, raw.ids, faults, strict=True)
                    if fault
                ),
            ],
            key=lambda each: each.line,
        )
        kept = [at for at, fault in enumerate(faults) if not fault]
        lines, ids, values = [lines[at] for at in kept], [ids[at] for at in kept], [values[at] for at in kept]
        joined = "\n".join(ids)
    folded = fold(joined)
    folds = ids if folded == joined else folded.split("\n")
    return Chunk(lines, ids, folds, _without_errors(values), invalid, damaged(ids, folds, folded))


def _without_errors(values: list[tuple[JsonValue, ...]]) -> list[tuple[JsonValue, ...]]:
    """Replace errors of a spreadsheet with empty values."""
    if not (values and values[0]):  # no column is wanted
        return values
    with suppress(TypeError):  # lists or mappings are among the values
        if SPREADSHEET_ERRORS.isdisjoint(chain.from_iterable(values)):
            return values
    return [
        tuple(["" if isinstance(each, str) and each in SPREADSHEET_ERRORS else each for each in row]) for row in values
    ]


def _fault(found: JsonValue) -> str | None:
    return recipient_fault(found) if isinstance(found, str) else f"is {kind_of(found)}, not text"


def _invalid(line: int, found: JsonValue, why: str) -> Invalid:
    shown = shortened(str(found)) if isinstance(found, (str, int, float)) else ""
    return Invalid(line, shown, why, found if isinstance(found, str) else None)


def shortened(text: str) -> str:
    """Return an external text for display: escaped and shortened."""
    shown = printable(text[: _MOST_SHOWN + 1])
    return shown if len(shown) <= _MOST_SHOWN else shown[: _MOST_SHOWN - 1] + "…"
