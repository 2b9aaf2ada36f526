"""Rows of an audience in JSON Lines: one object per line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...json_records import read_record
from .rows import ABSENT, CHUNK_CHARACTERS, CHUNK_ROWS, Invalid, RawRows
from .source import ByteSource
from .text_blocks import text_blocks


class JsonlRows:
    """Reads objects whose keys may differ.

    Args:
        byte_source: read once.
        id_names: possible keys of the customUserId; the first that the first row has is used for all rows.
        encoding: of the text; None: UTF-8.
    """

    columns = None
    is_plain = False

    def __init__(self, byte_source: ByteSource, id_names: Sequence[str], encoding: str | None = None) -> None:
        self.source = byte_source
        self._encoding = encoding
        self._id_names = id_names
        self._found: str | None = None

    @property
    def id_name(self) -> str:
        """The key of the customUserId; known after the first row was read."""
        return self._found or self._id_names[0]

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        """Read the rows, once.

        Args:
            wanted: keys; a row may lack some of them.

        Raises:
            CampaignError: audience_invalid, file_unreadable.
        """
        for lines in self._gathered():
            yield self._chunk(lines, wanted)

    def close(self) -> None:
        """Close the source."""
        self.source.close()

    def _gathered(self) -> Iterator[list[tuple[int, str]]]:
        lines: list[tuple[int, str]] = []
        size = 0
        for first, text in text_blocks(self.source, self._encoding):
            lines += [(at, line) for at, line in enumerate(text.split("\n"), first) if line and not line.isspace()]
            size += len(text)
            if len(lines) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield lines
                lines, size = [], 0
        if lines:
            yield lines

    def _chunk(self, lines: list[tuple[int, str]], wanted: Sequence[str]) -> RawRows:
        numbers: list[int] = []
        raw = RawRows(numbers, [], [], [])
        for at, line in lines:
            try:
                record = read_record(line)
            except ValueError as error:
                raw.unread.append(Invalid(at, "", str(error)))
                continue
            if self._found is None:
                self._found = next((name for name in self._id_names if name in record), None)
            if self._found is None or self._found not in record:
                names = self._id_names if self._found is None else [self._found]
                raw.unread.append(Invalid(at, "", f"has no key {' or '.join(map(repr, names))}"))
                continue
            numbers.append(at)
            raw.ids.append(record[self._found])
            raw.values.append(tuple([record.get(key, ABSENT) for key in wanted]))
        return raw
