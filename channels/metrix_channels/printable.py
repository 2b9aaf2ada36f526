"""Which characters are text; and text from outside, made fit to be shown.

Nothing that is shown may draw on a terminal or turn a line of a log around. What Persian is written with prints, also
where Python says that it does not.
"""

from __future__ import annotations

import re
from typing import Final

JOINERS: Final = "\u200c\u200d"
"""They do not print, and neither Persian nor emoji are written without them."""

# Beside the joiners: the Arabic signs that stand around a number, and pictures that are newer than Python's tables.
_TEXT_TOO: Final = re.compile(rf"[{JOINERS}\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U0001f000-\U0001faff]")


def is_text(text: str) -> bool:
    """Say whether all of `text` can be seen or shapes what can: no control, direction or other invisible character."""
    return text.isprintable() or _TEXT_TOO.sub("", text).isprintable()


def printable(text: str, keep: str = "") -> str:
    """Return `text` with every character that is no text (control, bidi) as an escape.

    Args:
        text: from outside.
        keep: characters to leave as they are all the same.
    """
    if is_text(text):
        return text
    return "".join(char if is_text(char) or char in keep else ascii(char)[1:-1] for char in text)


def quoted(text: str, most: int | None = None) -> str:
    """Return `text` in quotes, fit to be shown, and not more than `most` characters of it."""
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return f"'{printable(text)}'"
