"""The structure of a workbook: a zip of XML parts, one of which lists the others."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import IO, Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from ....printable import quoted
from ..source import FileSource
from .formats import Format, format_of

_MOST_XML: Final = 64_000_000
"""Maximum bytes of a part that is read whole: all parts except sheets and shared texts."""
_OLE: Final = b"\xd0\xcf\x11\xe0"
_PROTECTED: Final = (
    "In Excel, save it as “Excel Workbook (.xlsx)” without a password (File > Info > Protect Workbook > Encrypt)."
)
_RENAME: Final = "Rename a CSV file so that its name ends in .csv. In Excel, save it as “Excel Workbook (.xlsx)”."
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION: Final = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ET.ParseError, KeyError, ValueError)
_VISIBLE: Final = (None, "visible")


class Workbook:
    """An open workbook, for reading one sheet.

    Args:
        source: the file.
        sheet: the name of the sheet; None for the first visible one.

    Attributes:
        sheet_name: of the sheet.
        formats: by style number.
        is_1904: days count from 1904.

    Raises:
        CampaignError: audience_invalid.
    """

    def __init__(self, source: FileSource, sheet: str | None) -> None:
        self._source = source
        with self.guarded():
            begin = source.stream.read(len(_OLE))
            source.stream.seek(0)
            if begin == _OLE:
                raise source.refusal(
                    "it is protected with a password, or has Excel's older format (.xls)", remedy=_PROTECTED
                )
            if begin[:2] != b"PK":
                raise source.refusal(
                    "it is not a valid Excel workbook (.xlsx) but another kind of file", remedy=_RENAME
                )
            self._zip = zipfile.ZipFile(source.stream)
            book_part = self._related("", "officeDocument") or "xl/workbook.xml"
            book = self._xml(book_part)
            self.is_1904: bool = any(
                _name(each) == "workbookPr" and each.get("date1904") in ("1", "true") for each in book
            )
            self.sheet_name: str
            self.sheet_name, number = self._sheet(book, sheet)
            self._sheet_part = self._targets(book_part).get(number, "")
            self._strings_part = self._related(book_part, "sharedStrings")
            styles = self._related(book_part, "styles")
            self.formats: list[Format] = _formats(self._xml(styles)) if styles else []

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Convert exceptions of a damaged file to an error of ours."""
        try:
            yield
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            ET.ParseError,
            KeyError,
        ) as error:
            said = str(error).strip("'\"").rstrip(".")
            message = f"it is not a valid Excel workbook (.xlsx): {said}"
            raise self._source.refusal(message, remedy="Save or copy the file again.") from error

    def open_sheet(self) -> tuple[IO[bytes], int]:
        """Open the sheet's XML and return it with its size."""
        return self._open(self._sheet_part)

    def open_strings(self) -> IO[bytes] | None:
        """Open the XML of the shared texts; None if there are none."""
        return self._open(self._strings_part)[0] if self._strings_part else None

    def _open(self, part: str) -> tuple[IO[bytes], int]:
        info = self._zip.getinfo(part)
        return self._zip.open(info), info.file_size

    def _xml(self, part: str) -> Element:
        stream, _ = self._open(part)
        with stream:
            data = stream.read(_MOST_XML + 1)
        if len(data) > _MOST_XML or b"<!DOCTYPE" in data:
            raise zipfile.BadZipFile(f"its part {part} is not valid")
        return ET.fromstring(data)  # noqa: S314 - without a DOCTYPE there are no entities

    def _relations(self, part: str) -> list[Element]:
        folder, _, name = part.rpartition("/")
        path = f"{folder}/_rels/{name}.rels".removeprefix("/")
        return list(self._xml(path)) if path in self._zip.namelist() else []

    def _targets(self, part: str) -> dict[str, str]:
        return {each.get("Id", ""): _resolved(part, each.get("Target", "")) for each in self._relations(part)}

    def _related(self, part: str, kind: str) -> str | None:
        for each in self._relations(part):
            if each.get("Type", "").endswith(f"/{kind}"):
                return _resolved(part, each.get("Target", ""))
        return None

    def _sheet(self, book: Element, wanted: str | None) -> tuple[str, str]:
        sheets = [each for part in book if _name(part) == "sheets" for each in part]
        for sheet in sheets:
            name = sheet.get("name", "")
            if name == wanted or (wanted is None and sheet.get("state") in _VISIBLE):
                return name, sheet.get(_RELATION) or sheet.get(_STRICT_RELATION) or ""
        names = [sheet.get("name", "") for sheet in sheets]
        near = get_close_matches(wanted or "", names, n=1)
        hint = f"did you mean {quoted(near[0])}?" if near else f"its sheets are {', '.join(map(quoted, names))}"
        raise self._source.refusal(
            f"there is no sheet {quoted(wanted or '')}; {hint}",
            remedy="Correct `sheet` under `audience` in the campaign file, or remove it for the first visible sheet.",
        )


def _resolved(part: str, target: str) -> str:
    """Return the full name of a part, from a target relative to the folder of another part."""
    if target.startswith("/"):
        return target[1:]
    steps = part.split("/")[:-1]
    for step in target.split("/"):
        if step == "..":
            steps = steps[:-1]
        elif step != ".":
            steps.append(step)
    return "/".join(steps)


def _formats(styles: Element) -> list[Format]:
    parts = {_name(each): each for each in styles}
    codes = {each.get("numFmtId", ""): each.get("formatCode", "") for each in parts.get("numFmts", ())}
    return [
        format_of(int(each.get("numFmtId", "0")), codes.get(each.get("numFmtId", "")))
        for each in parts.get("cellXfs", ())
    ]


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
