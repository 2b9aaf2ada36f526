"""Reads the cells of a sheet as text, one fragment of XML at a time.

Regular expressions read the cells that Excel and most libraries write, a whole column at a time. An XML parser reads
fragments with anything else (formulas, other prefixes, attributes in another order), cell by cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from attrs import frozen

from .formats import GENERAL, Format, shown
from .fragments import Fragment, has_escapes, text_of, unescape
from .strings import SharedStrings

_ROW: Final = re.compile(rb'<row r="(\d+)"')
_HIDDEN: Final = re.compile(rb'<row r="(\d+)"[^>]* hidden="(?:1|true)"')
_CELL: Final = b'<c r="'
_LETTERS: Final = re.compile(rb"[A-Z]+")
_AFTER_DIGITS: Final = ord(":")
_FIRST: Final = re.compile(rb'([A-Z]+\d+)("[^<>]*><v>|"[^<>]*><is><t>)([^<]*)(</v></c>|</t></is></c>)')
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})(\d+)")
_TYPE: Final = re.compile(rb'\bt="(\w+)"')
_STYLE: Final = re.compile(rb'\bs="(\d+)"')
_TRUTH: Final = {"1": "TRUE", "0": "FALSE"}
_STRANGE: Final = (b"<!", b"<c>")
"""XML that the regular expressions cannot read."""
_UNCALCULATED: Final = "\0"
"""Replaces the result of a formula that was never calculated; no cell contains it."""

Found = list[tuple[bytes, bytes, bytes, bytes]]


@frozen
class Piece:
    """Some rows of a sheet.

    Attributes:
        numbers: of the rows, as in the sheet; empty rows are left out.
        columns: the cells of the wanted columns, parallel to `numbers`; an empty cell is an empty text.
        hidden: how many of the rows are hidden.
    """

    numbers: list[int]
    columns: list[list[str]]
    hidden: int


class Uncalculated(Exception):
    """A formula has no result. The argument is its cell, such as B2."""


class Cells:
    """Converts cells to text.

    Args:
        strings: the texts that cells share.
        formats: by style number.
        is_1904: days count from 1904.
    """

    def __init__(self, strings: SharedStrings, formats: Sequence[Format], *, is_1904: bool) -> None:
        self._strings = strings
        self._formats = formats
        self._is_1904 = is_1904
        self._kinds: dict[bytes, tuple[str, Format]] = {}

    def piece(self, fragment: Fragment, wanted: Sequence[int], after: int) -> Piece:
        """Return the rows of a fragment after a given row.

        Args:
            fragment: of the sheet's data.
            wanted: columns, from 1.
            after: the number of that row.

        Raises:
            Uncalculated: a wanted cell has a formula without a result.
        """
        try:
            return self._found(fragment.body, wanted, after)
        except _Strange:
            return self._parsed(fragment, wanted, after)

    def rows(self, fragment: Fragment) -> Iterator[tuple[int, bool, Mapping[int, str]]]:
        """Yield, for each row of a fragment, its number, whether it is hidden, and its non-empty cells."""
        number = 0
        for row in ET.fromstring(fragment.document):  # noqa: S314 - entities are not declared
            number = int(row.get("r") or number + 1)
            at, cells = 0, dict[int, str]()
            for cell in row:
                reference = _REFERENCE.fullmatch(cell.get("r") or "")
                at = column_number(reference[1]) if reference else at + 1
                if text := self._text_of(cell):
                    cells[at] = text
            yield number, row.get("hidden") in ("1", "true"), cells

    # -- common XML

    def _found(self, body: bytes, wanted: Sequence[int], after: int) -> Piece:
        rows = _ROW.findall(body)
        cells = body.split(_CELL)[1:]
        if not cells or not rows:
            raise _Strange
        sheet = _Sheet(body, rows, cells)
        columns = [self._column(sheet, each) for each in wanted]
        numbers = list(map(int, rows))
        kept = [at for at, number in enumerate(numbers) if number > after] if numbers[0] <= after else None
        if "" in columns[0]:
            kept = _with_content(body, kept or range(len(rows)), rows, columns)
        hidden = 0
        if b"hidden=" in body:
            found = {*_HIDDEN.findall(body)}
            hidden = sum(rows[at] in found for at in kept or range(len(rows)))
        if kept is None:
            return Piece(numbers, columns, hidden)
        return Piece([numbers[at] for at in kept], [[column[at] for at in kept] for column in columns], hidden)

    def _column(self, sheet: _Sheet, column: int) -> list[str]:
        letters = _letters(column)
        expected = [letters + number for number in sheet.rows]
        if likely := sheet.likely_column(letters):
            references, texts = self._read(sheet, letters, likely)
            if references == expected:
                return texts
        cells = sheet.column(letters)
        if not cells:
            return [""] * len(sheet.rows)
        references, texts = self._read(sheet, letters, cells)
        by_place = dict(zip(references, texts, strict=True))
        if len(by_place) != len(texts) or not by_place.keys() <= {*expected}:
            raise _Strange
        return [by_place.get(each, "") for each in expected]

    def _read(self, sheet: _Sheet, letters: bytes, cells: Sequence[bytes]) -> tuple[list[bytes], list[str]]:
        """Return the places of cells, and their texts."""
        references, values, kind = _alike(cells)
        if kind and b"<" not in b"".join(values):
            return references, self._texts(*self._kind(kind), values)
        if not sheet.is_plain:
            raise _Strange
        found: Found = _pattern(letters).findall(_CELL + _CELL.join(cells))
        if any(not (each[2] or each[3] or each[1].endswith(b"/")) for each in found):
            raise _Strange
        texts = [self._text(*self._kind(each[1]), (each[2] or each[3]).decode()) for each in found]
        return [each[0] for each in found], texts

    def _texts(self, kind: str, style: Format, values: Sequence[bytes]) -> list[str]:
        different = {*values}
        if len(different) * 2 < len(values):
            known = dict(zip(different, self._texts(kind, style, list(different)), strict=True))
            return list(map(known.__getitem__, values))
        if kind == "s" and b"" not in different:
            return self._strings.take(list(map(int, values)))
        if kind == "inlineStr":
            joined = b"\0".join(values)  # no XML contains it
            texts = joined.decode().split("\0")
            return list(map(unescape, texts)) if has_escapes(joined) else texts
        return [self._text(kind, style, each.decode()) for each in values]

    def _kind(self, attributes: bytes) -> tuple[str, Format]:
        if attributes not in self._kinds:
            kind, style = _TYPE.search(attributes), _STYLE.search(attributes)
            self._kinds[attributes] = (kind[1].decode() if kind else "n", self._format(style and style[1].decode()))
        return self._kinds[attributes]

    # -- any XML

    def _parsed(self, fragment: Fragment, wanted: Sequence[int], after: int) -> Piece:
        rows = [row for row in self.rows(fragment) if row[0] > after and row[2]]
        columns = [[cells.get(column, "") for _, _, cells in rows] for column in wanted]
        for column, texts in zip(wanted, columns, strict=True):
            if _UNCALCULATED in texts:
                raise Uncalculated(f"{_letters(column).decode()}{rows[texts.index(_UNCALCULATED)][0]}")
        return Piece([number for number, _, _ in rows], columns, sum(hidden for _, hidden, _ in rows))

    def _text_of(self, cell: Element) -> str:
        kind = cell.get("t") or "n"
        otherwise = ""
        for child in cell:
            name = child.tag.rpartition("}")[2]
            if name == "f" and kind == "n":  # a result of another kind may be an empty text
                otherwise = _UNCALCULATED
            if name == "is":
                return text_of(child)
            if name == "v":
                return self._text(kind, self._format(cell.get("s")), child.text or "") or otherwise
        return otherwise

    def _text(self, kind: str, style: Format, value: str) -> str:
        if not value:
            return ""
        if kind == "s":
            return self._strings.take([int(value)])[0]
        if kind == "n":
            return shown(value, style, is_1904=self._is_1904)
        return _TRUTH.get(value, value) if kind == "b" else unescape(value)

    def _format(self, style: str | None) -> Format:
        number = int(style or 0)
        return self._formats[number] if number < len(self._formats) else GENERAL


def column_number(letters: str) -> int:
    """Return the number of a column, from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


class _Strange(Exception):
    """The regular expressions cannot read a fragment."""


class _Sheet:
    """A fragment, split at its cells."""

    def __init__(self, body: bytes, rows: list[bytes], cells: list[bytes]) -> None:
        self._body = body
        self.rows = rows
        self._cells = cells
        each, rest = divmod(len(cells), len(rows))
        first = [_LETTERS.match(cell) for cell in cells[:each]]
        self._first = [found[0] for found in first if found] if not rest else []

    @cached_property
    def is_plain(self) -> bool:
        """Whether the regular expressions can read the whole fragment."""
        count = self._body.count
        return (
            count(b"<row") == len(self.rows)
            and count(b"<c ") == len(self._cells)
            and not any(each in self._body for each in _STRANGE)
        )

    def likely_column(self, letters: bytes) -> list[bytes]:
        """Return the cells of a column if all rows have the same columns, else other cells or none."""
        return self._cells[self._first.index(letters) :: len(self._first)] if letters in self._first else []

    def column(self, letters: bytes) -> list[bytes]:
        """Return the cells of a column, each from its reference onwards."""
        size = len(letters)
        return [each for each in self._cells if each[:size] == letters and each[size] < _AFTER_DIGITS]


def _alike(cells: Sequence[bytes]) -> tuple[list[bytes], list[bytes], bytes]:
    """Split cells that differ only in place and value; return places and values, and the text between them."""
    first = _FIRST.match(cells[0])
    if first is None:
        return [], [], b""
    before, after = first[2], first[4]
    parts = b"".join(cells).replace(before, after).split(after)
    if len(parts) != 2 * len(cells) + 1 or parts[-1]:
        return [], [], b""
    return parts[:-1:2], parts[1::2], before


def _letters(column: int) -> bytes:
    letters = ""
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return letters.encode()


@cache
def _pattern(letters: bytes) -> re.Pattern[bytes]:
    return re.compile(_CELL + rb"(" + letters + rb'\d+)"([^>]*)>(?:<v>([^<]*)</v>|<is><t(?: [^>]*)?>([^<]*)</t></is>)?')


def _with_content(
    body: bytes, kept: Sequence[int], rows: Sequence[bytes], columns: Sequence[Sequence[str]]
) -> list[int]:
    """Return the rows that have content in any column."""
    found: list[int] = []
    place = 0
    for at in kept:
        if not any(column[at] for column in columns):
            begin = body.index(b'<row r="%b"' % rows[at], place)
            place = body.find(b"<row", begin + 4)
            row = body[begin : place if place > 0 else len(body)]
            if b"<v>" not in row and b"<t" not in row:
                continue
            place = begin
        found.append(at)
    return found
