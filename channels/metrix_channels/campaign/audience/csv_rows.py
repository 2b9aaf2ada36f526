"""Rows of an audience in CSV or TSV, with a header.

A block of lines is split at once if its rows are plain; else the csv module parses it, which takes three times as long.
Everything else is done for a whole chunk at once; only chunks with a faulty row are processed row by row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import chain, islice
from operator import itemgetter
from typing import Final, NamedTuple, cast

from ...errors import CampaignError
from ...models import JsonValue
from .header import id_column
from .report_rows import INVALID_IN_REPORT, is_invalid, outcome_places, unguarded
from .rows import CHUNK_CHARACTERS, CHUNK_ROWS, Invalid, RawRows, shortened
from .source import ByteSource
from .text_blocks import LONGEST_LINE, text_blocks

LONGEST_FIELD: Final = 65_536
"""Characters. The limit of the csv module is not changed, because it applies to the whole process."""

DELIMITERS: Final = ",;\t|"
"""Separators that exports use, in order of preference."""
_FOR_EXCEL: Final = re.compile(r"""(["']?)sep=(.)\1[\r\n]+""", re.IGNORECASE)
"""A first line that tells Excel the delimiter; it is not a row."""

Row = list[str]
Values = list[tuple[JsonValue, ...]]


class _Block(NamedTuple):
    """Consecutive rows of a text.

    Attributes:
        rows: a blank line is an empty row; empty if there are `cells`.
        cells: the fields of plain rows, see `CsvRows._split`.
        size: of the text, in characters.
    """

    rows: list[Row]
    cells: list[str]
    size: int


_NO_BLOCK: Final = _Block([], [], 0)


class CsvRows:
    """Reads rows; the constructor reads the header.

    Args:
        byte_source: read once.
        id_names: possible columns of the customUserId; the first that exists is used.
        delimiters: possible separators of the fields, in order of preference; the header shows which is used.
        encoding: of the text; None: UTF-8.

    Raises:
        CampaignError: audience_invalid, file_unreadable.
    """

    is_plain = True

    def __init__(
        self,
        byte_source: ByteSource,
        id_names: Sequence[str],
        delimiters: str = DELIMITERS,
        encoding: str | None = None,
    ) -> None:
        self.source = byte_source
        self._id_names = id_names
        self._encoding = encoding
        self._delimiters = delimiters
        self._delimiter = delimiters[0]  # until there is a header
        self._is_found = len(delimiters) == 1
        self._split_width = 0
        parsed = self._parse_blocks()
        blank = 0
        rows, _, size = next(parsed, _NO_BLOCK)
        while rows and not any(rows):
            blank += len(rows)
            rows, _, size = next(parsed, _NO_BLOCK)
        if not rows:
            raise byte_source.refusal("it is empty; there are no recipients", 1, remedy=byte_source.when_empty)
        at = next(at for at, row in enumerate(rows) if row)
        self.columns: tuple[str, ...] = tuple(rows[at])
        self._first_line = blank + at + 2
        self._blocks = chain([_Block(rows[at + 1 :], [], size)], parsed)
        self.id_name: str = id_column(byte_source, self.columns, id_names, blank + at + 1)
        self._id = self.columns.index(self.id_name)
        self._outcome = outcome_places(self.columns)
        if self._outcome is None:
            self._split_width = len(self.columns)

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        """Read the rows, once.

        Args:
            wanted: some of `columns`.

        Raises:
            CampaignError: audience_invalid, file_unreadable.
        """
        places = [self.columns.index(name) for name in wanted]
        values_of = _extractor(places)
        for lines, rows, cells in self._gather():
            yield self._chunk_of_cells(lines, cells, places) if cells else self._chunk(lines, rows, values_of)

    def close(self) -> None:
        """Close the source."""
        self.source.close()

    def _chunk(self, lines: Sequence[int], rows: list[Row], values_of: Callable[[list[Row]], Values]) -> RawRows:
        if "" in map(itemgetter(0), rows):  # a spreadsheet exports a blank row as a row of empty fields
            kept = [at for at, row in enumerate(rows) if len(row) == 1 or any(row)]
            lines, rows = [lines[at] for at in kept], [rows[at] for at in kept]
        unread: list[Invalid] = []
        if self._outcome is not None or set(map(len, rows)) != {len(self.columns)}:
            faults = [self._fault(row) for row in rows]
            unread = [
                Invalid(
                    at, shortened(self._id_of(row)), fault, self._id_of(row) if fault == INVALID_IN_REPORT else None
                )
                for at, row, fault in zip(lines, rows, faults, strict=True)
                if fault
            ]
            lines = [at for at, fault in zip(lines, faults, strict=True) if not fault]
            rows = [row for row, fault in zip(rows, faults, strict=True) if not fault]
        return RawRows(lines, _without_guards(list(map(itemgetter(self._id), rows))), values_of(rows), unread)

    def _chunk_of_cells(self, lines: Sequence[int], cells: list[str], places: list[int]) -> RawRows:
        step = self._split_width + 1
        columns = [cells[place::step] for place in places]
        values = list(zip(*columns, strict=True)) if columns else [()] * len(lines)
        return RawRows(lines, _without_guards(cells[self._id :: step]), cast(Values, values), [])

    def _fault(self, row: Row) -> str | None:
        if len(row) != len(self.columns):
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            return f"has {fields}, but the header has {len(self.columns)}"
        return INVALID_IN_REPORT if self._outcome and is_invalid(row, self._outcome) else None

    def _id_of(self, row: Row) -> str:
        return unguarded(row[self._id]) if self._id < len(row) else ""

    def _gather(self) -> Iterator[tuple[Sequence[int], list[Row], list[str]]]:
        """Yield lines and their rows, or the cells of their rows, in chunks.

        Lines are counted as in a spreadsheet: a blank line and a multi-line field are one row each.
        """
        lines: Sequence[int] = range(0)
        gathered, cells = list[Row](), list[str]()
        size, line = 0, self._first_line
        for block in self._blocks:
            if lines and bool(cells) != bool(block.cells):
                yield lines, gathered, cells
                lines, gathered, cells, size = range(0), [], [], 0
            rows = block.rows
            if block.cells:
                count = len(block.cells) // (self._split_width + 1)
                cells += block.cells
            else:
                count = len(rows)
                gathered += rows if all(rows) else filter(None, rows)
            more = range(line, line + count) if all(rows) else [at for at, row in enumerate(rows, line) if row]
            lines = _joined(lines, more)
            line += count
            size += block.size
            if len(lines) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield lines, gathered, cells
                lines, gathered, cells, size = range(0), [], [], 0
        if lines:
            yield lines, gathered, cells

    # -- the text

    def _parse_blocks(self) -> Iterator[_Block]:
        """Yield blocks of whole rows."""
        rest, begun = "", 1
        trouble: csv.Error | None = None
        for first, text in text_blocks(self.source, self._encoding, cr_ends_lines=True):
            line = begun if rest else first
            whole = rest + (self._after_line_for_excel(text) if first == 1 else text)
            if not self._is_found and not whole.isspace():
                self._delimiter, self._is_found = _delimiter_of(whole, self._delimiters, self._id_names), True
            rows, cells = list[Row](), list[str]()
            if '"' in whole:
                rows, rest, lines, trouble = self._parse(whole, line)
                begun = line + lines
            else:
                rest, trouble, cells = "", None, self._split(whole)
                rows = [] if cells else self._parse_plain(whole, line)
            if len(whole) > LONGEST_FIELD:
                self._refuse_long_fields(whole, line, len(rows))
            if len(rest) > LONGEST_LINE:
                break
            if rows or cells:
                yield _Block(rows, cells, len(whole))
        if trouble:
            raise self._refusal(trouble, begun)

    def _after_line_for_excel(self, text: str) -> str:
        """Read the delimiter from a first line such as `sep=;`, and replace that line with a blank one."""
        found = _FOR_EXCEL.match(text)
        if found is None:
            return text
        if not self._is_found:
            self._delimiter, self._is_found = found[2], True
        return text[found.end(2) + len(found[1]) :]

    def _split(self, text: str) -> list[str]:
        """Return the cells of a text without quotes, with a line feed after those of each row.

        Returns:
            Nothing unless every row has as many fields as the header, and none is blank.
        """
        width, delimiter = self._split_width, self._delimiter
        if not width or len(text) > LONGEST_FIELD:
            return []
        end = "\r\n" if "\r" in text else "\n"
        if not text.endswith("\n"):
            text += end
        apart = text.replace(end, f"{delimiter}\n{delimiter}")
        count, step = (len(apart) - len(text)) // (3 - len(end)), width + 1
        cells = apart.split(delimiter)
        cells.pop()
        if len(cells) != count * step or cells[width::step].count("\n") != count:
            return []
        # A carriage return or a line feed alone ends a line too.
        if len(end) == 2 and (text.count("\r") != count or text.count("\n") != count):
            return []
        is_blank = "" in cells[::step] and any(not any(cells[at : at + width]) for at in range(0, len(cells), step))
        return [] if is_blank else cells

    def _parse_plain(self, text: str, line: int) -> list[Row]:
        """Parse a text without quotes, in which every line is a row."""
        reader = csv.reader(StringIO(text, newline=""), delimiter=self._delimiter, strict=True)
        try:
            return list(reader)
        except csv.Error as error:
            raise self._refusal(error, line + reader.line_num - 1) from error

    def _parse(self, text: str, line: int) -> tuple[list[Row], str, int, csv.Error | None]:
        """Return complete rows, the incomplete rest, how many lines precede the rest, and its error."""
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
            if source.read(1):  # the text goes on, so the error is not caused by the end of the block
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
            what = "a quote that opens in this row is never closed"
        return self.source.refusal(what, line, remedy='Double each quote in a quoted field: "a ""b"" c".')

    def _long_field(self, line: int) -> CampaignError:
        message = f"a field in this row is longer than {LONGEST_FIELD:,} characters; a closing quote may be missing"
        return self.source.refusal(message, line)


def _delimiter_of(text: str, delimiters: str, id_names: Sequence[str]) -> str:
    """Return the delimiter that makes the id column appear in the header, else the one that gives most fields."""
    headers = {delimiter: _header(text, delimiter) for delimiter in delimiters}
    return max(headers, key=lambda each: (any(name in headers[each] for name in id_names), len(headers[each])))


def _header(text: str, delimiter: str) -> Row:
    try:
        rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return next(filter(None, rows), [])
    except csv.Error:  # reading the rows raises it again
        return []


def _joined(lines: Sequence[int], more: Sequence[int]) -> Sequence[int]:
    """Return the lines of consecutive blocks."""
    if isinstance(lines, range) and isinstance(more, range) and (not lines or lines.stop == more.start):
        return range(lines.start if lines else more.start, more.stop)
    return [*lines, *more]


def _without_guards(ids: list[str]) -> list[JsonValue]:
    return cast(list[JsonValue], list(map(unguarded, ids)) if "'" in "".join(ids) else ids)


def _extractor(wanted: list[int]) -> Callable[[list[Row]], Values]:
    if not wanted:
        return lambda rows: [()] * len(rows)
    get = itemgetter(*wanted)
    if len(wanted) == 1:
        return lambda rows: list(zip(map(get, rows)))
    return lambda rows: list(map(get, rows))
