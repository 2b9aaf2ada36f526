"""Text in a form in which two writings of the same characters are equal."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

HOLE: Final = "\ue000"
"""Stands where something was masked, or where two pieces meet: a private character, which no folding removes."""

_ALIKE: Final = {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه"}
"""Arabic letters that Persian keyboards and databases write for the Persian ones."""
_INVISIBLE: Final = "\u0640\u115f\u1160\u2800"
"""Tatweel, and fillers that Unicode counts as letters or symbols."""
_DROPPED: Final = ("Cc", "Cf", "Cs", "Mn", "Me", "Zs", "Zl", "Zp")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_PUNCTUATION: Final = re.compile(rf"[^\w{HOLE}]|_")


class _Folding(dict[int, str | None]):
    """The table for `str.translate`, which grows by each character that is met."""

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
    """Return `text` in lower case, its digits ASCII, without white space, accents and what does not print."""
    if not text.isascii():
        if _HALVES.search(text):  # of escapes that were UTF-16
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = unicodedata.normalize("NFKD", text)
    return text.casefold().translate(_FOLDING)


def spaced(text: str) -> str:
    """Return the same with one space where white space was."""
    return " ".join(map(compact, text.split()))


def skeleton(compacted: str) -> str:
    """Return the letters and digits of a compact text: what is left however its punctuation was changed."""
    return _PUNCTUATION.sub("", compacted)


def with_ascii_digits(text: str) -> str:
    """Return `text` with every decimal digit as an ASCII one, and nothing else changed."""
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
