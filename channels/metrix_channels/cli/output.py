"""Where results and errors go: tables for people, one JSON document for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from rich.console import Console
from rich.text import Text

from ..errors import MetrixChannelsError

Document = dict[str, Any]


def _console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, highlight=False, soft_wrap=not (sys.stderr if stderr else sys.stdout).isatty())


@define
class Output:
    """What the options before and after the verb chose.

    Attributes:
        as_json: print one JSON document and nothing else to stdout.
        out: for results.
        err: for everything else.
    """

    as_json: bool = False
    out: Console = field(factory=_console)
    err: Console = field(factory=lambda: _console(stderr=True))

    def document(self, document: Mapping[str, Any]) -> None:
        """Print a verb's own document."""
        sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()

    def error(self, error: MetrixChannelsError, document: Mapping[str, Any] | None = None) -> None:
        """Print an error: beside the verb's own document with --json, else as text to stderr."""
        if self.as_json:
            self.document({**(document or {}), "error": error.problem.as_dict()})
            return
        text = Text()
        if error.location:
            text.append(f"{error.location}: ", style="bold")
        text.append(visible(error.message), style="red")
        text.append(f" [{error.code}]\n", style="dim")
        text.append(error.remedy)
        self.err.print(text)


def visible(text: str) -> str:
    """Escape control and bidi characters, so that what was read from outside cannot draw on the terminal."""
    return "".join(
        character if character in "\n\u200c\u200d" or character.isprintable() else f"\\u{ord(character):04x}"
        for character in text
    )


def discard_stdout() -> None:
    """After stdout was closed or is full: let the interpreter's last flush go nowhere, quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
