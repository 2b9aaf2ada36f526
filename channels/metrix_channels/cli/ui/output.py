"""Prints results and errors: text for people, one JSON document for scripts."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from attrs import define

from ...errors import MetrixChannelsError
from ...printable import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from .terminal import Terminal


class ResultLost(Exception):
    """The result could not be printed: stdout was closed, or its disk is full."""


_YES: Final = ("y", "yes", "بله", "بلی", "آری")


def is_yes(answer: str) -> bool:
    """Return whether an answer to a yes-or-no question is yes; everything else is no."""
    return answer.strip().lower() in _YES


@define
class Output:
    """The output of a verb, as text or JSON.

    Attributes:
        as_json: print one JSON document and nothing else to stdout.
    """

    as_json: bool = False

    @cached_property
    def terminal(self) -> Terminal:
        """The terminal, which prints with rich."""
        from .terminal import Terminal  # on demand: JSON and plain text do not need rich

        return Terminal()

    @property
    def out(self) -> Console:
        """The console for results."""
        return self.terminal.out

    @property
    def err(self) -> Console:
        """The console for everything else."""
        return self.terminal.err

    @property
    def has_terminal(self) -> bool:
        """Whether stderr is a terminal, or is to be treated as one."""
        return not _is_plain(sys.stderr) and self.err.is_terminal

    def say(self, text: str | Text, style: str = "", *, indent: int = 0) -> None:
        """Print text as part of the result.

        Raises:
            ResultLost: stdout cannot be written to.
        """
        with _reporting_loss():
            if isinstance(text, str) and _is_plain(sys.stdout):
                _write(sys.stdout, " " * indent + visible(text))
            else:
                self.terminal.say(visible(text) if isinstance(text, str) else text, style, indent=indent)

    def show(self, what: RenderableType) -> None:
        """Print a renderable as part of the result.

        Raises:
            ResultLost: stdout cannot be written to.
        """
        with _reporting_loss():
            self.terminal.show(what)

    def document(self, document: Mapping[str, Any]) -> None:
        """Print the JSON document of a verb.

        Raises:
            ResultLost: stdout cannot be written to.
        """
        with _reporting_loss():
            sys.stdout.buffer.write(
                json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"
            )
            sys.stdout.buffer.flush()

    def document_of_many(self, name: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Print a JSON document with one list of any length, after the list is complete.

        Raises:
            ResultLost: stdout cannot be written to.
        """
        with tempfile.TemporaryFile() as file:
            separator = f'{{\n  "{name}": ['
            for item in items:
                text = json.dumps(item, ensure_ascii=False, indent=2).replace("\n", "\n    ")
                file.write(f"{separator}\n    {text}".encode("utf-8", "backslashreplace"))
                separator = ","
            file.write(b"\n  ]\n}\n" if separator == "," else f"{separator}]\n}}\n".encode())
            file.seek(0)
            with _reporting_loss():
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()

    def error(self, error: MetrixChannelsError, document: Mapping[str, Any] | None = None) -> None:
        """Print an error: in the verb's document with --json, otherwise as text to stderr."""
        if self.as_json:
            self.document({**(document or {}), "error": error.problem.as_dict()})
            return
        place = visible(nearby(error.location)) if error.location else ""
        message, remedy = visible(error.message), visible(error.remedy)
        with _suppressing_loss():
            if _is_plain(sys.stderr):
                where = f"{place}: " if place else ""
                _write(sys.stderr, f"{where}{message} [{error.code}]\n{remedy}")
            else:
                self.terminal.tell_error(place, message, error.code, remedy)

    def hint(self, text: str | Text) -> None:
        """Print to stderr; ignore a closed stderr."""
        with _suppressing_loss():
            if isinstance(text, str) and _is_plain(sys.stderr):
                _write(sys.stderr, visible(text))
            else:
                self.terminal.hint(visible(text) if isinstance(text, str) else text)


def visible(text: str) -> str:
    """Escape control and bidi characters, so that external text cannot manipulate the terminal."""
    return printable(text, keep="\n")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, such as `1 row` and `2,000 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def nearby(text: str) -> str:
    """Shorten a path at the start of `text` if it is below the current folder."""
    try:
        return text.removeprefix(f"{Path.cwd()}{os.sep}")
    except FileNotFoundError:  # the current folder was deleted
        return text


def prepare_streams() -> None:
    """Make stdout and stderr accept any text.

    If one of them was closed before the start, its output is dropped. A closed stdin is empty.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - stays open to the end
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - stays open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def discard(name: str) -> None:
    """Drop further output on `stdout` or `stderr`, including the final flush of the interpreter."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, getattr(sys, name).fileno())
    os.close(nowhere)


def _is_plain(stream: TextIO) -> bool:
    """Tell whether rich would write text unchanged, so that it need not be loaded."""
    return not stream.isatty() and not any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


@contextmanager
def _reporting_loss() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultLost(error.strerror or type(error).__name__) from error


@contextmanager
def _suppressing_loss() -> Iterator[None]:
    try:
        yield
    except OSError:
        discard("stderr")
