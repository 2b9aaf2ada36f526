"""Rows of an audience in CSV or TSV, with a header.

The csv module does the parsing, a block of lines at a time, and everything else is done for a whole chunk at once:
row by row only where a chunk holds a row at fault.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from io import StringIO
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from ...errors import CampaignError
from ...models import JsonValue
from ...recipients import all_valid, recipient_fault
from .rows import CHUNK_CHARACTERS, CHUNK_ROWS, Chunk, Invalid
from .source import ByteSource
from .text_blocks import LONGEST_LINE, text_blocks

LONGEST_FIELD: Final = 65_536
"""Characters. The csv module's own limit belongs to the whole process, so it is left alone."""

_NAME_IT: Final = "Name the column of the customUserId in the campaign file: `audience: {file: …, id: COLUMN}`."

Row = list[str]
Values = list[tuple[JsonValue, ...]]


class CsvRows:
    """Reads the header when it is made.

    Args:
        byte_source: read once.
        id_column: the column of the customUserId.
        delimiter: between the fields.

    Raises:
        CampaignError: audience_invalid, file_unreadable.
    """

    def __init__(self, byte_source: ByteSource, id_column: str, delimiter: str) -> None:
        self._byte_source = byte_source
        self._delimiter = delimiter
        parsed = self._parsed()
        first, size = next(parsed, ([], 0))
        if not first:
            raise byte_source.refusal("it is empty; there are no recipients", 1, remedy="Export the audience again.")
        self.columns = tuple(first[0])
        self._parsed_rows = chain([(first[1:], size)], parsed)
        self._check_header(id_column)
        self._id = self.columns.index(id_column)

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """Read the rows, once.

        Args:
            wanted: some of `columns`.

        Raises:
            CampaignError: audience_invalid, file_unreadable.
        """
        values_of = _extractor([self.columns.index(name) for name in wanted])
        number = 1
        for rows in self._gathered():
            yield self._chunk(rows, number, values_of)
            number += len(rows)

    def _chunk(self, rows: list[Row], number: int, values_of: Callable[[list[Row]], Values]) -> Chunk:
        if set(map(len, rows)) == {len(self.columns)}:
            recipients = list(map(itemgetter(self._id), rows))
            if all_valid(recipients):
                return Chunk(len(rows), range(number, number + len(rows)), recipients, values_of(rows), [])
        faults = [self._fault(row) for row in rows]
        valid = [row for row, fault in zip(rows, faults, strict=True) if not fault]
        numbers = [at for at, fault in enumerate(faults, start=number) if not fault]
        invalid = [
            Invalid.of(at, row[self._id] if self._id < len(row) else "", fault)
            for at, (row, fault) in enumerate(zip(rows, faults, strict=True), start=number)
            if fault
        ]
        return Chunk(len(rows), numbers, [row[self._id] for row in valid], values_of(valid), invalid)

    def _fault(self, row: Row) -> str | None:
        if len(row) != len(self.columns):
            return f"has {len(row)} fields, the header {len(self.columns)}"
        fault = recipient_fault(row[self._id])
        return f"its {self.columns[self._id]!r} {fault}" if fault else None

    def _gathered(self) -> Iterator[list[Row]]:
        gathered: list[Row] = []
        size = 0
        for rows, characters in self._parsed_rows:
            gathered += rows
            size += characters
            if len(gathered) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield gathered
                gathered, size = [], 0
        if gathered:
            yield gathered

    # -- the text

    def _parsed(self) -> Iterator[tuple[list[Row], int]]:
        """Yield rows, without blank lines, and how many characters they took."""
        rest, begun = "", 1
        trouble: csv.Error | None = None
        for first, text in text_blocks(self._byte_source, cr_ends_lines=True):
            line = begun if rest else first
            whole = rest + text
            if '"' in whole:
                rows, rest, lines, trouble = self._parse(whole, line)
                begun = line + lines
            else:
                rows, rest, trouble = self._parse_plain(whole, line), "", None
            if len(whole) > LONGEST_FIELD:
                self._refuse_long_fields(whole, line, len(rows))
            if len(rest) > LONGEST_LINE:
                break
            if any(rows):
                yield rows if all(rows) else list(filter(None, rows)), len(whole)
        if trouble:
            raise self._refusal(trouble, begun)

    def _parse_plain(self, text: str, line: int) -> list[Row]:
        """Parse a text without quotes, in which every line is a row."""
        reader = csv.reader(StringIO(text, newline=""), delimiter=self._delimiter, strict=True)
        try:
            return list(reader)
        except csv.Error as error:
            raise self._refusal(error, line + reader.line_num - 1) from error

    def _parse(self, text: str, line: int) -> tuple[list[Row], str, int, csv.Error | None]:
        """Parse what is complete; return the rest, before which line it begins, and why it is no row."""
        source = StringIO(text, newline="")
        reader = csv.reader(source, delimiter=self._delimiter, strict=True)
        rows: list[Row] = []
        lines, trouble = 0, None
        try:
            for row in reader:
                rows.append(row)
                lines = reader.line_num
        except csv.Error as error:
            trouble = error
            if source.read(1):  # there is more, so it is not the end of the block that is missed
                raise self._refusal(error, line + lines) from error
        if not trouble:
            return rows, "", lines, None
        return rows, "".join(islice(StringIO(text, newline=""), lines, None)), lines, trouble

    def _refuse_long_fields(self, text: str, line: int, count: int) -> None:
        reader = csv.reader(StringIO(text, newline=""), delimiter=self._delimiter, strict=True)
        lines = 0
        for row in islice(reader, count):
            if max(map(len, row), default=0) > LONGEST_FIELD:
                raise self._long_field(line + lines)
            lines = reader.line_num

    def _refusal(self, error: csv.Error, line: int) -> CampaignError:
        what = str(error)
        if what.startswith("field larger"):
            return self._long_field(line)
        if what.startswith("unexpected end"):
            what = "a quote is opened in the row that begins here, and never closed"
        return self._byte_source.refusal(what, line, remedy='Double each quote in a quoted field: "a ""b"" c".')

    def _long_field(self, line: int) -> CampaignError:
        message = (
            f"a field of the row that begins here is longer than {LONGEST_FIELD:,} characters; is a quote left open?"
        )
        return self._byte_source.refusal(message, line)

    # -- the header

    def _check_header(self, id_column: str) -> None:
        for at, name in enumerate(self.columns, start=1):
            if not name.strip():
                raise self._byte_source.refusal(f"column {at} has no name", 1)
            if (before := self.columns.index(name) + 1) < at:
                raise self._byte_source.refusal(f"columns {before} and {at} are both called {name!r}", 1)
        if id_column not in self.columns:
            raise self._byte_source.refusal(
                f"there is no column {id_column!r}{self._hint(id_column)}", 1, remedy=_NAME_IT
            )

    def _hint(self, id_column: str) -> str:
        if len(self.columns) == 1 and (other := next((c for c in ";\t|," if c in self.columns[0]), None)):
            return f"; the fields are separated by {other!r}, not by {self._delimiter!r}"
        by_folded = {name.strip().casefold(): name for name in self.columns}
        near = get_close_matches(id_column.casefold(), by_folded, n=1)
        if near:
            return f"; did you mean {by_folded[near[0]]!r}?"
        return f"; the columns are {', '.join(map(repr, islice(self.columns, 20)))}"


def _extractor(wanted: list[int]) -> Callable[[list[Row]], Values]:
    if not wanted:
        return lambda rows: [()] * len(rows)
    get = itemgetter(*wanted)
    if len(wanted) == 1:
        return lambda rows: list(zip(map(get, rows)))
    return lambda rows: list(map(get, rows))
