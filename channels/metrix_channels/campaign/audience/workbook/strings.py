"""The shared texts of a workbook, kept on disk: there can be one for each id."""

from __future__ import annotations

import mmap
import re
from array import array
from itertools import accumulate
from tempfile import TemporaryFile
from typing import IO, Final
from xml.etree import ElementTree as ET

from ....process.temporary import temporary_files
from .fragments import Fragments, has_escapes, text_of, unescape

_PLAIN: Final = re.compile(rb"<si><t(?: [^>]*)?>([^<]*)</t></si>")
_DROPPED_AFTER: Final = 2_000_000


class SharedStrings:
    """Shared texts; the constructor reads all of them.

    Args:
        stream: the XML of the part; None if there is none.
    """

    def __init__(self, stream: IO[bytes] | None) -> None:
        with temporary_files():
            self._file = TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._ends = array("Q", [0])
        self._asked = 0
        if stream is not None:
            with stream:
                self._fill(stream)
        self._file.flush()
        size = self._ends[-1]
        self._texts = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ) if size else b""

    def take(self, numbers: list[int]) -> list[str]:
        """Return texts by their numbers.

        Raises:
            KeyError: there is no such number.
        """
        texts, ends = self._texts, self._ends
        try:
            found = [texts[ends[each] : ends[each + 1]].decode() for each in numbers]
        except IndexError:
            raise KeyError("a cell refers to a text that does not exist") from None
        self._asked += len(numbers)
        if self._asked > _DROPPED_AFTER and isinstance(texts, mmap.mmap):
            self._asked = 0
            _drop(texts)
        return found

    def close(self) -> None:
        """Delete the texts from the disk."""
        if isinstance(self._texts, mmap.mmap):
            self._texts.close()
        self._file.close()

    @temporary_files()
    def _fill(self, stream: IO[bytes]) -> None:
        end = 0
        for block in Fragments(stream, "sst", "si"):
            texts = _texts_of(block.body, block.document)
            ends = array("Q", accumulate(map(len, texts), initial=end))
            end = ends[-1]
            self._ends.extend(ends[1:])
            self._file.write(b"".join(texts))


def _texts_of(body: bytes, document: bytes) -> list[bytes]:
    plain: list[bytes] = _PLAIN.findall(body)
    if not plain or len(plain) != body.count(b"<si"):
        return [text_of(each).encode() for each in ET.fromstring(document)]  # noqa: S314 - entities are not declared
    if has_escapes(body):
        return [unescape(each.decode()).encode() for each in plain]
    return plain


def _drop(texts: mmap.mmap) -> None:
    """Release the memory of the pages that were read; the texts stay on disk."""
    if hasattr(mmap, "MADV_DONTNEED"):
        texts.madvise(mmap.MADV_DONTNEED)
