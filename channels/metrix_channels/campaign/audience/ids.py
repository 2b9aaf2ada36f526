"""Finds ids that look alike or that a spreadsheet damaged, for many rows at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Final
from unicodedata import normalize

# NFKC and case folding keep these apart: digits of two scripts, letters that differ between two keyboards, and the
# dashes that word processors write instead of a hyphen.
_PERSIAN_DIGITS: Final = "".join(map(chr, range(0x6F0, 0x6FA)))
_ARABIC_DIGITS: Final = "".join(map(chr, range(0x660, 0x66A)))
_ALIKE: Final = (
    *zip(_PERSIAN_DIGITS, "0123456789", strict=True),
    *zip(_ARABIC_DIGITS, "0123456789", strict=True),
    ("\u064a", "\u06cc"),  # yeh
    ("\u0649", "\u06cc"),
    ("\u0643", "\u06a9"),  # kaf
    ("\u200c", ""),
    ("\u200d", ""),
    ("\u0640", ""),  # tatweel, which only stretches a word
    *((dash, "-") for dash in "\u2010\u2012\u2013\u2014\u2212"),  # NFKC replaces U+2011
)

_SEPARATOR: Final = r"[.,\u066b]"
_THOUSANDS: Final = r"[,\u066c]"
_DAMAGED: Final = re.compile(
    rf"""[+-]?\d+{_SEPARATOR}\d+[eE][+-]?\d+  # 9.12346E+09, 1.0E5
    |[+-]?\d+[eE]\+\d+                        # 9E+09
    |[+-]?\d+{_SEPARATOR}[0\u06f0\u0660]+      # 101.0
    |[+-]?\d{{1,3}}(?:{_THOUSANDS}\d{{3}})+   # 9,123,456
    |\#+                                      # ######
    |\#N/?[ADV](?:\ N/A)?                     # #N/A, in German #NV
    |\#[^\W\d_][\w/.]*[!?]                    # #REF!, #NAME?, #DIV/0!
    |="[^"]*"                                 # ="0912"
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARKS: Final = ".,\u066b\u066c#+="
"""`_DAMAGED` matches only text that contains one of these characters."""
_HEADS: Final = "0123456789+-#="
"""Folded text that `_DAMAGED` matches starts with one of these characters."""
_LOST: Final = "\ufffd"
"""A letter that was lost through a wrong encoding."""
_EMPTY: Final = (
    "null", "none", "nil", "nan", "nat", "na", "n/a", "<na>", "(null)", "[null]", "\\n", "undefined", "-nan",
    "inf", "-inf", "infinity", "-infinity", "[object object]",
)  # fmt: skip
"""How databases, pandas, R and JavaScript write a missing value."""
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def fold(joined: str) -> str:
    """Return the text in a form in which ids that look alike are equal; line feeds are kept."""
    if joined.isascii():
        return joined.lower()
    text = normalize("NFKC", normalize("NFKC", joined).casefold())
    for old, new in _ALIKE:
        text = text.replace(old, new)
    return text


def damaged(recipients: Sequence[str], folds: Sequence[str], joined: str) -> list[int]:
    """Return the positions of ids that a spreadsheet or an export damaged.

    Args:
        recipients: the ids.
        folds: the same, folded.
        joined: the folded ids, joined with line feeds.
    """
    words = _words()
    found: set[int] = set()
    if not words.isdisjoint(folds):
        found.update(at for at, each in enumerate(folds) if each in words)
    if any(mark in joined for mark in _MARKS):
        found.update(at for at, each in enumerate(folds) if each[:1] in _HEADS and _DAMAGED.fullmatch(recipients[at]))
    if _LOST in joined:
        found.update(at for at, each in enumerate(recipients) if _LOST in each)
    return sorted(found)


@cache
def _words() -> frozenset[str]:
    """Return folded words that replace an id: a missing value, the date that a spreadsheet made of 1-3, an error."""
    days = [f"{day}-{month}" for day, month in product(range(1, 32), _MONTHS)]
    days += [f"{day:02}-{month}" for day, month in product(range(1, 10), _MONTHS)]
    years = [f"{month}-{year:02}" for month, year in product(_MONTHS, range(100))]
    errors = [f"err:{number}" for number in range(500, 600)]
    return frozenset([*_EMPTY, *days, *years, *errors])
