"""Converts a line of a template's text to `file:line:column`."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

_LONGEST_WORD: Final = 100
_CODE: Final = re.compile(r"\{[{%](?!#).*?(?:[%}]\}|$)")


@frozen
class Lines:
    """The position of a template's text in its file.

    Attributes:
        source: the name of the file in errors.
        text: the text of the whole file.
        first: the line of the file where the template's text starts.
        own: whether the lines of the text are lines of the file; if not, only the first line is known.
    """

    source: str
    text: str
    first: int = 1
    own: bool = True

    def number(self, line: int) -> int:
        """Convert a line of the text to a line of the file."""
        return self.first + line - 1 if self.own else self.first

    def location(self, line: int, word: str | None = None) -> str:
        """Return `file:line:column` for a line of the text, with the column of `word` if the line contains it."""
        return self.of_file(self.number(line), word)

    def of_file(self, line: int, word: str | None = None) -> str:
        """Return `file:line:column` for a line of the file, with the column of `word` if the line contains it."""
        lines = self.text.split("\n")
        column = _column(lines[line - 1], word) if 0 < line <= len(lines) else 1
        return f"{self.source}:{line}:{column}"


def _column(line: str, word: str | None) -> int:
    """Return the column of `word` in the line's code, or of the first code, or 1."""
    codes = list(_CODE.finditer(line))
    if word and len(word) <= _LONGEST_WORD:
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        for code in codes:
            if found := pattern.search(line, *code.span()):
                return found.start() + 1
    return codes[0].start() + 1 if codes else 1


def code_of(text: str, line: int) -> str:
    """Return the Jinja code in a line of a file."""
    lines = text.split("\n")
    return " ".join(_CODE.findall(lines[line - 1])) if 0 < line <= len(lines) else ""
