"""Rows of an audience in JSON Lines: an object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...json_records import kind_of, read_record
from ...models import JsonValue
from ...recipients import recipient_fault
from .rows import ABSENT, CHUNK_CHARACTERS, CHUNK_ROWS, Chunk, Invalid
from .source import ByteSource
from .text_blocks import text_blocks


class JsonlRows:
    """Reads records whose keys may differ.

    Args:
        byte_source: read once.
        id_key: the key of the customUserId.
    """

    columns = None

    def __init__(self, byte_source: ByteSource, id_key: str) -> None:
        self._byte_source = byte_source
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
        for _, text in text_blocks(self._byte_source):
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
                record = read_record(line)
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
            fault = f"is {kind_of(recipient)}, not text"
        return f"its {self._id!r} {fault}" if fault else None
