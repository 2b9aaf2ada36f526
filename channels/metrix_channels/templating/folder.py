"""Reads files from the templates folder, and refuses names that lead out of it."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from attrs import frozen

from ..errors import TemplateError
from ..files import SAVE_AS_UTF8, read_regular, remedy_for, stored_path
from ..printable import JOINERS, is_text, printable

MAX_BYTES: Final = 1_000_000

SAMPLE: Final = "sample.yaml"
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_LONGEST_WORD: Final = 100
_IN_WORDS: Final = "_-" + JOINERS

Stamp = tuple[int, int, int] | None
"""Identifies the state of a file; None if there is no file."""


@frozen
class Folder:
    """The templates folder; no name leads out of it."""

    root: Path

    def path(self, name: str) -> Path:
        """Return the path of `name`, which is relative to the root and uses `/`.

        Raises:
            TemplateError: `template_path_refused` if the name, or a link on its path, leads out of the root.
        """
        place = self._checked(name)
        return Path(place)

    def _checked(self, name: str) -> str:
        """Return the path of `name` as a string: a `Path` costs five times as much, and this runs for each message."""
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or not is_text(name) or "\\" in name:
            raise _refused(f"{shown(name)} is not a plain relative path")
        if _DRIVE.match(name):
            raise _refused(f"{shown(name)} starts with a drive letter")
        place = self.place(name)
        if self._has_link(place) and not self._is_inside(Path(place)):
            raise _refused(f"{shown(name)} is a link to a place outside the templates folder")
        return place

    def place(self, name: str) -> str:
        """Return the path of `name` as a string, unchecked."""
        return f"{self.root}/{name}" if name.isascii() else str(stored_path(self.root, name))

    def _has_link(self, place: str) -> bool:
        """Tell whether the path below the root contains a link; only a link can lead out of the root."""
        end = len(str(self.root))
        while end >= 0:
            end = place.find("/", end + 1)
            if os.path.islink(place if end < 0 else place[:end]):  # noqa: PTH114
                return True
        return False

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError):  # a link to itself
            return False

    def has(self, name: str) -> bool:
        """Tell whether there is a regular file at `name`; raises the errors of `path`."""
        place = self.place(name)
        # A broken link is checked too, so that it is refused if it leads out of the root.
        return (os.path.islink(place) or os.path.isfile(place)) and os.path.isfile(self._checked(name))  # noqa: PTH113, PTH114

    def entries(self, name: str) -> list[str]:
        """Return the sorted names in the folder at `name`; empty if there is no such folder.

        Raises:
            TemplateError: `template_path_refused`; `file_unreadable` if the system cannot list it.
        """
        folder = self.path(name)
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - faster, and it runs for each message
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(folder, error.strerror or "the system refused") from error

    def folders(self) -> list[str]:
        """Return the sorted names of the folders in the root; see `entries`."""
        try:
            with os.scandir(self.root) as entries:  # it tells which are folders without a `stat` of each
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(self.root, error.strerror or "the system refused") from error

    def stamp(self, name: str) -> Stamp:
        """Return the stamp of the file at `name`, which changes with the file."""
        try:
            found = os.stat(self.place(name))  # noqa: PTH116
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def read(self, name: str) -> str:
        """Return the text of a UTF-8 file, without a byte order mark and with line feeds as line breaks.

        Raises:
            TemplateError: `template_path_refused`; `file_unreadable` if it is not a regular file, larger than 1 MB or
                not UTF-8.
            FileNotFoundError: there is no such file.
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
            raise _unreadable(path, "it is not UTF-8", f"{path}:{line}:1", SAVE_AS_UTF8) from None
        return text.replace("\r\n", "\n").replace("\r", "\n")


def stamp_of(place: str) -> Stamp:
    """Return the stamp of a file or folder; for a link, its own, which `Folder.stamp` never returns."""
    try:
        found = os.lstat(place)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def is_word(name: str) -> bool:
    """Tell whether a name is one plain word in any script: letters, digits, `-`, `_`, marks and joiners."""
    return (
        0 < len(name) <= _LONGEST_WORD
        and (name[0].isalnum() or name[0] == "_")
        and all(char.isalnum() or char in _IN_WORDS or unicodedata.category(char) in ("Mn", "Mc") for char in name)
    )


def check_word(what: str, name: str) -> None:
    """Refuse a template or channel name that is not one plain word."""
    if not is_word(name):
        raise _refused(f"{shown(name)} is not a valid {what} name: use only letters, digits, `-` and `_`")


def shown(text: str) -> str:
    """Return text from outside for a message: quoted, with unprintable characters escaped, and shortened."""
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
