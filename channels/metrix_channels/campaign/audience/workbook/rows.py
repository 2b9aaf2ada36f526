"""Rows of an audience in a sheet of an Excel workbook (.xlsx) with a header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO, Final, cast

from ....models import JsonValue
from ..header import id_column
from ..rows import HIDDEN_ROWS, RawRows
from ..source import FileSource
from ..typed_rows import rows_of_columns
from .cells import Cells, Piece, Uncalculated
from .fragments import Fragment, Fragments
from .package import Workbook
from .strings import SharedStrings

_CALCULATE: Final = "Open the file in Excel or LibreOffice, which calculates the formulas, and save it."


class WorkbookRows:
    """Reads rows; the constructor reads the header.

    Args:
        source: the file.
        id_names: possible columns of the customUserId; the first that exists is used.
        sheet: the name of the sheet; None for the first visible one.

    Attributes:
        cautions: the number of hidden rows among those read so far.

    Raises:
        CampaignError: audience_invalid, file_unreadable.
    """

    is_plain = True

    def __init__(self, source: FileSource, id_names: Sequence[str], sheet: str | None) -> None:
        self.source: FileSource = source
        self.cautions: dict[str, int] = {}
        self._book = Workbook(source, sheet)
        with self._book.guarded():
            self._strings = SharedStrings(self._book.open_strings())
        try:
            self._begin(id_names)
        except BaseException:
            self._strings.close()
            raise

    def _begin(self, id_names: Sequence[str]) -> None:
        with self._book.guarded():
            self._cells = Cells(self._strings, self._book.formats, is_1904=self._book.is_1904)
            stream, self._size = self._book.open_sheet()
            self._fragments = self._counted(stream)
            self._header_row, names = self._header()
        self.columns: tuple[str, ...] = names
        self.id_name: str = id_column(self.source, self.columns, id_names, self._header_row)

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        """Read the rows, once.

        Args:
            wanted: some of `columns`.

        Raises:
            CampaignError: audience_invalid, file_unreadable.
        """
        places = [self.columns.index(name) + 1 for name in (self.id_name, *wanted)]
        fragments = iter(self._fragments)
        while True:
            with self._book.guarded():
                fragment = next(fragments, None)
                if fragment is None:
                    return
                piece = self._piece(fragment, places)
            if piece.hidden:
                self.cautions[HIDDEN_ROWS] = self.cautions.get(HIDDEN_ROWS, 0) + piece.hidden
            if piece.numbers:
                ids, *columns = piece.columns
                values = rows_of_columns(columns, len(ids))
                yield RawRows(piece.numbers, cast(list[JsonValue], ids), values, [])

    def _piece(self, fragment: Fragment, places: Sequence[int]) -> Piece:
        try:
            return self._cells.piece(fragment, places, self._header_row)
        except Uncalculated as error:
            message = f"the formula in the cell {error} of the sheet {self._book.sheet_name!r} has no result"
            raise self.source.refusal(message, remedy=_CALCULATE) from error

    def close(self) -> None:
        """Close the file and delete temporary files."""
        self._strings.close()
        self.source.close()

    def _counted(self, stream: IO[bytes]) -> Iterator[Fragment]:
        with stream:
            for fragment in Fragments(stream, "sheetData", "row"):
                self.source.share_read = min(stream.tell() / self._size, 1.0)
                yield fragment

    def _header(self) -> tuple[int, tuple[str, ...]]:
        for fragment in self._fragments:
            for number, _, cells in self._cells.rows(fragment):
                if cells:
                    self._fragments = chain([fragment], self._fragments)
                    return number, tuple(cells.get(at, "") for at in range(1, max(cells) + 1))
        name = self._book.sheet_name
        raise self.source.refusal(
            f"its sheet {name!r} is empty; there are no recipients", remedy=self.source.when_empty
        )
