"""Folds text, so that different spellings of the same characters become equal."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

HOLE: Final = "\ue000"
"""A private character in place of masked text, or between two pieces; folding never removes it."""

_ALIKE: Final = {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه"}
"""Arabic letters that keyboards and databases use instead of Persian ones."""
_INVISIBLE: Final = "\u0640\u115f\u1160\u2800"
"""Tatweel, and fillers that Unicode classifies as letters or symbols."""
_DROPPED: Final = ("Cc", "Cf", "Cs", "Mn", "Me", "Zs", "Zl", "Zp")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_PUNCTUATION: Final = re.compile(rf"[^\w{HOLE}]|_")


class _Folding(dict[int, str | None]):
    """A table for `str.translate`, filled with each new character."""

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        if char.isdecimal():
            folded: str | None = str(unicodedata.decimal(char))
        elif char in _INVISIBLE or unicodedata.category(char) in _DROPPED:
            folded = None
        else:
            folded = _ALIKE.get(char, char)
        self[code] = folded
        return folded


_FOLDING: Final = _Folding()


def compact(text: str) -> str:
    """Return `text` in lower case, with ASCII digits, without white space, accents and unprintable characters."""
    if not text.isascii():
        if _HALVES.search(text):  # surrogates from UTF-16 escapes
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = unicodedata.normalize("NFKD", text)
    return text.casefold().translate(_FOLDING)


def spaced(text: str) -> str:
    """Return the same as `compact`, but with one space for each run of white space."""
    return " ".join(map(compact, text.split()))


def skeleton(compacted: str) -> str:
    """Return only the letters and digits of a compact text, so that changes of punctuation do not matter."""
    return _PUNCTUATION.sub("", compacted)


def with_ascii_digits(text: str) -> str:
    """Return `text` with every decimal digit in ASCII and nothing else changed."""
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
