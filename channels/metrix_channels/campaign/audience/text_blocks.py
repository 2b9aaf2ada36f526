"""The text of an audience in blocks of whole lines. Lines, and so blocks, have a maximum size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from ...errors import CampaignError
from .encodings import probable_encoding, utf_8_of
from .source import ByteSource

LONGEST_LINE: Final = 1_000_000
"""Bytes."""

_READ: Final = 1 << 15
_TO_UTF_8: Final = (
    "For an audience, write `audience: {{…, encoding: {0}}}` in the campaign file. Save any other list as “CSV UTF-8”,"
    " or convert it: `iconv -f {0} -t UTF-8 OLD > NEW`."
)
_OTHER_FORMATS: Final = {
    b"PK\x03\x04": ("an Excel workbook", "Rename the file so that its name ends in .xlsx."),
    b"PAR1": ("a Parquet file", "Rename the file so that its name ends in .parquet."),
    b"\xd0\xcf\x11\xe0": ("a workbook in Excel's older format", "In Excel, save it as “Excel Workbook (.xlsx)”."),
}
"""Other file formats by their first bytes, each with a remedy."""


def text_blocks(
    byte_source: ByteSource, encoding: str | None = None, *, cr_ends_lines: bool = False
) -> Iterator[tuple[int, str]]:
    """Read text.

    Args:
        byte_source: read to its end.
        encoding: of the text; None: UTF-8. A byte order mark takes precedence.
        cr_ends_lines: a carriage return ends a line if there is no line feed.

    Yields:
        The number of the block's first line, from 1, and the block; only the last block may lack a final line end.

    Raises:
        CampaignError: audience_invalid, for text of another encoding, a NUL or a line longer than `LONGEST_LINE`;
            file_unreadable.
    """
    line, rest = 1, b""
    reader = utf_8_of(byte_source, encoding)
    while data := reader.read(_READ):
        end = b"\r" if cr_ends_lines and b"\n" not in data else b"\n"
        first, last = data.find(end), data.rfind(end)
        if len(rest) + (len(data) if first < 0 else first) > LONGEST_LINE:
            raise byte_source.refusal(f"the line is longer than {LONGEST_LINE:,} bytes", line)
        if first < 0:
            rest += data
            continue
        block = rest + data[: last + 1]
        yield line, _decode(byte_source, line, block)
        line += block.count(end)
        rest = data[last + 1 :]
    if rest:
        yield line, _decode(byte_source, line, rest)


def _decode(byte_source: ByteSource, line: int, block: bytes) -> str:
    if line == 1:
        block = block.removeprefix(codecs.BOM_UTF8)
    if b"\0" in block:
        raise _nul_error(byte_source, line, block)
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        raise _encoding_error(byte_source, line, block, error.start) from error


def _nul_error(byte_source: ByteSource, line: int, block: bytes) -> CampaignError:
    if line == 1 and b"\0" in block[:4]:
        return _encoding_error(byte_source, line, block, 0)
    if line == 1 and (other := _OTHER_FORMATS.get(block[:4])):
        return byte_source.refusal(f"it is not text but {other[0]}", remedy=other[1])
    at = block.index(b"\0")
    return byte_source.refusal("the text contains a NUL byte", *_place(line, block, at))


def _encoding_error(byte_source: ByteSource, line: int, block: bytes, at: int) -> CampaignError:
    message = f"the text is not UTF-8: the byte 0x{block[at]:02X} is not valid here"
    probable = probable_encoding(block)
    if probable is None:
        remedy = "The rest of the text is UTF-8, so one character is damaged. Correct it, or export the file again."
        return byte_source.refusal(message, *_place(line, block, at), remedy=remedy)
    message = f"the text is not UTF-8 but probably {probable}: the byte 0x{block[at]:02X} is not valid in UTF-8"
    return byte_source.refusal(message, *_place(line, block, at), remedy=_TO_UTF_8.format(probable))


def _place(line: int, block: bytes, at: int) -> tuple[int, int]:
    before = block[:at]
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    return line + before.count(b"\n"), column
