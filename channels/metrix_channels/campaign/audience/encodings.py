"""The encoding of an audience's text: from a byte order mark, from the campaign file, or guessed for an error."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Final, Protocol

from .source import ByteSource

UTF_8: Final = "utf-8"

_MARKS: Final = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),  # starts with the same bytes as the next one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PERSIAN: Final = "windows-1256"
_WESTERN: Final = "windows-1252"
_MOST_BROKEN: Final = 0.25
"""If a larger share of a text's letters is not UTF-8, the text has another encoding."""


class Reader(Protocol):
    """Reads text as UTF-8."""

    def read(self, size: int) -> bytes:
        """Return about `size` more bytes at most; nothing at the end."""


def utf_8_of(source: ByteSource, encoding: str | None) -> Reader:
    """Return a reader that converts `source` to UTF-8.

    Args:
        source: a source that was not read yet.
        encoding: of its text; None: UTF-8. A byte order mark takes precedence.
    """
    begin = source.peek()
    found = next((name for mark, name in _MARKS if begin.startswith(mark)), encoding or UTF_8)
    return source if codecs.lookup(found).name == UTF_8 else _Recoded(source, found)


class _Recoded:
    def __init__(self, source: ByteSource, encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._line = 1

    def read(self, size: int) -> bytes:
        """Return the next bytes in UTF-8; nothing at the end."""
        text = ""
        while not text:
            data = self._source.read(size)
            try:
                text = self._decoder.decode(data, final=not data)
                self._line += text.count("\n")
                result = text.encode()
            except UnicodeError as error:
                message = f"the text is not valid {self._encoding}: {getattr(error, 'reason', error)}"
                raise self._source.refusal(message, self._line + self._lines_before(error)) from error
            if not data:
                break
        return result

    def _lines_before(self, error: UnicodeError) -> int:
        if not isinstance(error, UnicodeDecodeError):
            return 0
        return error.object[: error.start].decode(self._encoding, "replace").count("\n")


def probable_encoding(block: bytes) -> str | None:
    """Guess the encoding of bytes that are not valid UTF-8; None for damaged UTF-8."""
    if b"\0" in block[:4]:
        return "utf-16-be" if block[0] == 0 else "utf-16-le"
    text = block.decode(errors="replace")
    broken = text.count("\ufffd")
    if broken < _MOST_BROKEN * sum(not char.isascii() for char in text):
        return None
    as_persian = [char for char in block.decode(_PERSIAN, errors="replace") if not char.isascii()]
    arabic = sum(unicodedata.name(char, "").startswith("ARABIC") for char in as_persian)
    return _PERSIAN if arabic * 2 > len(as_persian) else _WESTERN
