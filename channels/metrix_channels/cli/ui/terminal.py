"""Prints text with rich: with colours and wrapped lines on a terminal, otherwise plain and unwrapped."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

_UNBROKEN = 10_000
"""Width without a terminal: a table row stays on one line, for grep."""


def _console(*, stderr: bool = False) -> Console:
    watched = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=not watched, width=None if watched else _UNBROKEN)


class Terminal:
    """Prints text. Raises OSError if the stream cannot be written.

    Attributes:
        out: the console for results.
        err: the console for everything else.
    """

    def __init__(self) -> None:
        self.out: Console = _console()
        self.err: Console = _console(stderr=True)

    def say(self, text: str | Text, style: str = "", *, indent: int = 0) -> None:
        """Print text, which must be escaped, as part of the result."""
        shown = Text(text, style=style) if isinstance(text, str) else text
        if indent and not self.out.soft_wrap:
            self.show(Padding(shown, (0, 0, 0, indent)))
        else:
            self.show(Text(" " * indent) + shown)

    def show(self, what: RenderableType) -> None:
        """Print a renderable as part of the result."""
        # Only text may be wrapped by the terminal; other renderables would be cut off.
        self.out.print(what, soft_wrap=self.out.soft_wrap and isinstance(what, Text))

    def tell_error(self, place: str, message: str, code: str, remedy: str) -> None:
        """Print an error to stderr: place, message, code and remedy."""
        text = Text()
        if place:
            text.append(f"{place}: ", style="bold")
        text.append(message, style="red")
        text.append(f" [{code}]\n", style="dim")
        text.append(remedy)
        self.err.print(text)

    def hint(self, text: str | Text) -> None:
        """Print to stderr."""
        self.err.print(Text(text) if isinstance(text, str) else text)
