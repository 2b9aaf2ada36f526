"""What reading an audience yields, whatever it is written in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, cast

from attrs import frozen

from ...models import JsonValue
from ...printable import printable

CHUNK_ROWS: Final = 1_000
CHUNK_CHARACTERS: Final = 1 << 20
"""A chunk is full when it reaches one of the two: rows may be long."""

_MOST_SHOWN: Final = 80


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = cast(JsonValue, _Absent())
"""Stands for the value of a key that a row has not; compare by `is`."""


@frozen
class Invalid:
    """A row that nothing can be sent to.

    Attributes:
        row: its number, from 1, the header and blank lines not counted.
        recipient: its customUserId as far as it can be read, made printable, at most 80 characters.
        why: in a few words, the row being the subject.
        is_exact: `recipient` is what stands in the file, nothing escaped or cut off.
    """

    row: int
    recipient: str
    why: str
    is_exact: bool

    @classmethod
    def of(cls, row: int, text: str, why: str) -> Invalid:
        """Describe a row whose recipient reads as `text`."""
        shown = shortened(text)
        return cls(row, shown, why, shown == text)


@frozen
class Chunk:
    """Some rows that follow each other.

    Attributes:
        rows: how many were read, invalid ones included.
        numbers: of the valid ones, from 1, ascending.
        recipients: their customUserIds, parallel to `numbers`.
        values: what the wanted columns hold, in their order, parallel to `numbers`; `ABSENT` where a row has no such
            key.
        invalid: the rows that nothing can be sent to.
    """

    rows: int
    numbers: Sequence[int]
    recipients: list[str]
    values: list[tuple[JsonValue, ...]]
    invalid: list[Invalid]


class Rows(Protocol):
    """A reader of one format."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The header; None where each row has its own keys."""

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """Read the rows, once."""


def shortened(text: str) -> str:
    """Return a text from outside so that it can be shown: what does not print escaped, not too much of it."""
    shown = printable(text[: _MOST_SHOWN + 1])
    return shown if len(shown) <= _MOST_SHOWN else shown[: _MOST_SHOWN - 1] + "…"
