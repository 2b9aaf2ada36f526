"""Text from outside, made fit to be shown: nothing in it may draw on a terminal or turn a line of a log around."""

from __future__ import annotations

from typing import Final

JOINERS: Final = "\u200c\u200d"
"""They do not print, and neither Persian nor emoji are written without them."""


def printable(text: str, keep: str = "") -> str:
    """Return `text` with every character that does not print (control, bidi) as an escape.

    Args:
        text: from outside.
        keep: characters to leave as they are all the same.
    """
    return "".join(char if char.isprintable() or char in keep else ascii(char)[1:-1] for char in text)
