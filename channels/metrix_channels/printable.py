"""Makes text from outside safe to show.

Text that is shown must not control a terminal or reverse a line of a log. All characters that Persian needs count as
text, even if Python's `isprintable` says otherwise.
"""

from __future__ import annotations

import re
from typing import Final

JOINERS: Final = "\u200c\u200d"
"""Invisible characters that Persian and emoji need."""
BLANKS: Final = "".join(
    [
        *(char for char in map(chr, range(0x3001)) if char.isspace()),
        "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\ufeff\uffa0",
        *map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10))),
    ]
)
"""Characters that show nothing: spaces, line ends, joiners, marks of direction, fillers and variation selectors."""

# The joiners, the Arabic signs that enclose a number, and emoji that are newer than Python's tables.
_TEXT_TOO: Final = re.compile(rf"[{JOINERS}\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U0001f000-\U0001faff]")


def is_text(text: str) -> bool:
    """Tell whether `text` has no control, direction or other invisible characters, except the joiners."""
    return text.isprintable() or _TEXT_TOO.sub("", text).isprintable()


def printable(text: str, keep: str = "") -> str:
    """Return `text` with an escape for every character that is not text (control, bidi).

    Args:
        text: text from outside.
        keep: characters to keep as they are anyway.
    """
    if is_text(text):
        return text
    return "".join(char if is_text(char) or char in keep else ascii(char)[1:-1] for char in text)


def quoted(text: str, most: int | None = None) -> str:
    """Return `text` in quotes, safe to show, and at most `most` characters of it."""
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return f"'{printable(text)}'"
