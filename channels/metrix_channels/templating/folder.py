"""The folder of templates: names that stay inside it, and files as text."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from attrs import frozen

from ..errors import TemplateError
from ..files import read_regular, remedy_for, stored_path
from ..printable import JOINERS, is_text, printable

MAX_BYTES: Final = 1_000_000

_LONGEST_WORD: Final = 100
_IN_WORDS: Final = "_-" + JOINERS

Stamp = tuple[int, int, int] | None
"""Tells one state of a file from another; None when there is none."""


@frozen
class Folder:
    """The root that no name leads out of."""

    root: Path

    def path(self, name: str) -> Path:
        """Return the path of `name`, which is relative to the root and written with `/`.

        Raises:
            TemplateError: `template_path_refused` when the name, or a link behind it, leads out of the root.
        """
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or not is_text(name) or "\\" in name:
            raise _refused(f"{shown(name)} is not a plain relative path")
        if re.match(r"[A-Za-z]:", name):
            raise _refused(f"{shown(name)} starts with a drive letter")
        path = stored_path(self.root, name)
        if self._has_link(path) and not self._is_inside(path):
            raise _refused(f"{shown(name)} is a link to a place outside the templates folder")
        return path

    def _has_link(self, path: Path) -> bool:
        """Tell whether a link stands below the root on the way to a file: without one, no name leads out of it."""
        place = os.fspath(self.root)
        for part in path.parts[len(self.root.parts) :]:
            place = f"{place}/{part}"
            if os.path.islink(place):  # noqa: PTH114 - for each template of each message
                return True
        return False

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError):  # a link to itself
            return False

    def has(self, name: str) -> bool:
        """Tell whether a regular file stands at `name`; refuses what `path` refuses."""
        path = stored_path(self.root, name)
        # A broken link is asked about too: where it leads is refused, not overlooked.
        return (path.is_symlink() or path.is_file()) and self.path(name).is_file()

    def entries(self, name: str) -> list[str]:
        """Return the names of what stands in the folder at `name`, in order; nothing of no folder.

        Raises:
            TemplateError: `template_path_refused`; `file_unreadable` when the system does not list it.
        """
        folder = self.path(name)
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - for each template of each message
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(folder, error.strerror or "the system refused") from error

    def folders(self) -> list[str]:
        """Return the names of the folders in the root, in order; see `entries`."""
        try:
            with os.scandir(self.root) as entries:  # it knows which are folders without a look at each
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(self.root, error.strerror or "the system refused") from error

    def stamp(self, name: str) -> Stamp:
        """Return what changes when the file at `name` changes."""
        try:
            found = stored_path(self.root, name).stat()
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def read(self, name: str) -> str:
        """Return the text of a file: UTF-8 without a byte order mark, lines ended by a line feed.

        Raises:
            TemplateError: `template_path_refused`; `file_unreadable` when it is no regular file, larger than 1 MB or
                not UTF-8.
            FileNotFoundError: there is none.
        """
        path = self.path(name)
        try:
            raw = read_regular(path, MAX_BYTES)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _unreadable(path, error.strerror or "the system refused", remedy=remedy_for(error)) from error
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise _unreadable(path, "it is not UTF-8; save it as UTF-8", f"{path}:{line}:1") from None
        return text.replace("\r\n", "\n").replace("\r", "\n")


def is_word(name: str) -> bool:
    """Say whether a name is one plain word in any writing: letters, digits, `-`, `_`, marks and joiners."""
    return (
        0 < len(name) <= _LONGEST_WORD
        and (name[0].isalnum() or name[0] == "_")
        and all(char.isalnum() or char in _IN_WORDS or unicodedata.category(char) in ("Mn", "Mc") for char in name)
    )


def check_word(what: str, name: str) -> None:
    """Refuse a name of a template or channel that is not one plain word."""
    if not is_word(name):
        raise _refused(f"{shown(name)} is not a valid {what} name: use only letters, digits, `-` and `_`")


def shown(text: str) -> str:
    """Write text from outside into a message: quoted, what does not print escaped, not too much of it."""
    text = text if len(text) <= 80 else text[:79] + "…"
    return f"`{printable(text)}`"


def _refused(message: str) -> TemplateError:
    return TemplateError(message, code="template_path_refused")


def _unreadable(path: Path, why: str, location: str | None = None, remedy: str | None = None) -> TemplateError:
    return TemplateError(
        f"the file {shown(path.name)} cannot be read: {why}",
        code="file_unreadable",
        remedy=remedy,
        location=location or f"{path}:1:1",
    )
