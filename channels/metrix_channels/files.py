"""Reads files that a user names: only regular ones, up to a size limit, so that reading cannot hang."""

from __future__ import annotations

import errno
import io
import os
import stat
import unicodedata
from pathlib import Path
from typing import Final

_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_NAME_A_FILE: Final = "Name a regular file, or a link to one. Save the output of a pipe to a file first."
SAVE_AS_UTF8: Final = "In your editor, save it as UTF-8, or convert it: `iconv -f ENCODING -t UTF-8 OLD > NEW`."
_NO_WAITING: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class UnreadableFile(OSError):
    """A file that the system can open but this library cannot use; `strerror` says why, as for other OSErrors."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EINVAL, why)


class NotRegular(UnreadableFile):
    """The path names a pipe, a socket, a device or a folder instead of a file."""


class FileTooLarge(UnreadableFile):
    """The file is larger than the limit."""


def remedy_for(error: OSError) -> str | None:
    """Return what to do about a file that cannot be read; None if the remedy of the error catalogue fits."""
    return _NAME_A_FILE if isinstance(error, NotRegular) else None


def stored_path(root: Path, name: str) -> Path:
    """Return `root / name` with each part in its stored spelling: a letter such as آ may be one character or two.

    macOS stores one form, keyboards write the other. A part that is stored in neither form stays as it is.

    Args:
        root: a folder.
        name: a path relative to it, with `/`, or an absolute path.
    """
    if name.isascii():
        return root / name
    path = Path(name)
    found = Path(path.anchor) if path.is_absolute() else root
    for part in path.relative_to(path.anchor).parts:
        spellings = (found / unicodedata.normalize(form, part) for form in ("NFC", "NFD"))
        found = next((each for each in (found / part, *spellings) if os.path.lexists(each)), found / part)
    return found


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file, or a link to one, for reading.

    The file is opened without blocking and checked afterwards. Opening a named pipe would wait for a writer, and a
    file that is checked first could be replaced before it is opened.

    Args:
        path: as a user wrote it.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be opened, is not a regular file, or the path is not valid; `strerror` says why.
    """
    try:
        descriptor = os.open(path, _NO_WAITING)
    except ValueError:
        raise UnreadableFile("the path is not valid") from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device without a driver
            raise NotRegular("it is not a regular file") from error
        raise
    try:
        require_regular(os.fstat(descriptor))
        return io.FileIO(descriptor, closefd=True)
    except BaseException:
        os.close(descriptor)
        raise


def require_regular(found: os.stat_result) -> None:
    """Refuse what is not a regular file.

    Raises:
        NotRegular: its `strerror` says what it is instead.
    """
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise NotRegular(f"it is {_KINDS.get(kind, 'something else')}, not a regular file")


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: as a user wrote it.
        most: the largest size, in bytes.

    Raises:
        FileTooLarge: the file is larger.
        OSError: those of `open_regular`, or the file cannot be read.
    """
    with open_regular(path) as file:
        content = bytearray()
        while piece := file.read(most + 1 - len(content)):
            content += piece
    if len(content) > most:
        raise FileTooLarge(f"it is larger than {most:,} bytes")
    return bytes(content)
