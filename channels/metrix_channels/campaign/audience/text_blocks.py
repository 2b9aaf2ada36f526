"""An audience's text, in blocks of whole lines: no line, and so no block, takes more than a bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from ...errors import CampaignError
from .source import ByteSource

LONGEST_LINE: Final = 1_000_000
"""Bytes."""

_READ: Final = 1 << 15
_TO_UTF_8: Final = "Save it as “CSV UTF-8”, or convert it: `iconv -f {0} -t UTF-8 OLD > NEW`."


def text_blocks(byte_source: ByteSource, *, cr_ends_lines: bool = False) -> Iterator[tuple[int, str]]:
    """Read UTF-8, with or without a byte order mark.

    Args:
        byte_source: read to its end.
        cr_ends_lines: so it does where there is no line feed.

    Yields:
        The number of the block's first line, from 1, and the block; only the last may end without a line end.

    Raises:
        CampaignError: audience_invalid, for another encoding, a NUL or a line longer than `LONGEST_LINE`;
            file_unreadable.
    """
    line, rest = 1, b""
    while data := byte_source.read(_READ):
        end = b"\r" if cr_ends_lines and b"\n" not in data else b"\n"
        first, last = data.find(end), data.rfind(end)
        if len(rest) + (len(data) if first < 0 else first) > LONGEST_LINE:
            raise byte_source.refusal(f"the line is longer than {LONGEST_LINE:,} bytes", line)
        if first < 0:
            rest += data
            continue
        block = rest + data[: last + 1]
        yield line, _decoded(byte_source, line, block)
        line += block.count(end)
        rest = data[last + 1 :]
    if rest:
        yield line, _decoded(byte_source, line, rest)


def _decoded(byte_source: ByteSource, line: int, block: bytes) -> str:
    if line == 1:
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise byte_source.refusal("it is UTF-16, not UTF-8", line, remedy=_TO_UTF_8.format("UTF-16"))
        block = block.removeprefix(codecs.BOM_UTF8)
    if b"\0" in block:
        raise _holds_nul(byte_source, line, block)
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        raise _no_utf_8(byte_source, line, block, error) from error


def _holds_nul(byte_source: ByteSource, line: int, block: bytes) -> CampaignError:
    if line == 1 and b"\0" in block[:4]:
        return byte_source.refusal("it seems to be UTF-16, not UTF-8", line, remedy=_TO_UTF_8.format("UTF-16"))
    at = block.index(b"\0")
    return byte_source.refusal("it holds a NUL byte, as no text does", *_place(line, block, at))


def _no_utf_8(byte_source: ByteSource, line: int, block: bytes, error: UnicodeDecodeError) -> CampaignError:
    message = (
        f"it is not UTF-8: the byte 0x{block[error.start]:02X} here cannot be; Persian Windows writes Windows-1256"
    )
    return byte_source.refusal(message, *_place(line, block, error.start), remedy=_TO_UTF_8.format("WINDOWS-1256"))


def _place(line: int, block: bytes, at: int) -> tuple[int, int]:
    before = block[:at]
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    return line + before.count(b"\n"), column
