"""Tells whether the paths of a ledger in use still lead to its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MARGIN_NANOSECONDS: Final = 2_000_000_000
"""Longer than any step in which a local file system counts time."""


class FilesInUse:
    """The files of an open ledger: its own and the two of its write-ahead log.

    A file that is moved, replaced or deleted changes the time of its folder (`ctime`), which nobody can set. So it is
    enough to look at the folder after each commit, as soon as a file was written clearly later than the folder changed.

    Args:
        ledger: its path, without links.

    Attributes:
        has_log: whether there is a write-ahead log.
    """

    def __init__(self, ledger: Path) -> None:
        self._folder = str(ledger.parent)
        self._paths = str(ledger), f"{ledger}-wal", f"{ledger}-shm"
        self._places: list[tuple[int, int] | None] = []
        self._folder_with_all: tuple[int, int, int] | None = None
        self.has_log: bool = False

    def remember(self, opened: tuple[int, int]) -> None:
        """Remember the files that are in use now.

        Args:
            opened: device and inode of the ledger's own file.
        """
        self._places = [opened, *map(place_of, self._paths[1:])]
        self._folder_with_all = None
        self.has_log = self._places[1] is not None

    def leads_to_ledger(self) -> bool:
        """Tell whether the path of the ledger leads to the file that is in use."""
        return place_of(self._paths[0]) == self._places[0]

    def are_in_place(self) -> bool:
        """Tell whether each path leads to the file that is in use."""
        folder = _look(self._folder)
        if folder is None:
            return False
        state = folder.st_dev, folder.st_ino, folder.st_ctime_ns
        if state != self._folder_with_all:
            found = [_look(path) for path in self._paths]
            if [_place(each) for each in found] != self._places:
                return False
            written = found[self.has_log]
            is_later = written is not None and written.st_mtime_ns - folder.st_ctime_ns > _MARGIN_NANOSECONDS
            self._folder_with_all = state if is_later else None
        return True


def place_of(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file; None if it does not exist."""
    return _place(_look(path))


def _look(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - twice per commit, and a Path is slower
    except OSError:
        return None


def _place(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)
