"""Which processes are alive: each owner holds an OS lock on the ledger's file itself, and a dead one holds none.

The lock goes with the process, however it ends, so nothing has to be timed or renewed, and no file can be deleted that
it depends on. Each owner locks one byte far behind the end of the file, at a place that follows from its name. The
lock belongs to the open file description (`F_OFD_SETLK`), so that it does not mix with the locks of SQLite.

Closing any descriptor of a file gives up all locks that SQLite holds on it in this process. So all owners of a file
share one descriptor, which is closed only while nobody holds a lock of SQLite's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import uuid
from pathlib import Path
from struct import Struct
from typing import Final

from attrs import define, field

from ...errors import LedgerError
from ...printable import quoted

if sys.platform == "darwin":  # Python does not name these there
    _SETLK, _GETLK = 90, 92
    _FLOCK: Final = Struct("qqihh")  # start, length, process, type, whence
else:
    _SETLK, _GETLK = fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK
    _FLOCK = Struct("hhqqi0q")  # type, whence, start, length, process

_FIRST_BYTE: Final = 1 << 61
"""Where the owners' bytes begin: SQLite's own locks, and what a ledger may ever hold, lie far below."""
_SQLITE_BYTES: Final = (0x40000000, 512)
_GENERATION: Final = 0x80087601
"""FS_IOC_GETVERSION of Linux."""


@define
class LedgerFile:
    """A ledger's file in this process, whatever its name is by now.

    Attributes:
        descriptor: the one by which names are locked; -1 in a forked child.
        place: device and inode.
        identity: tells it from every other file of its file system; it outlives moves and restarts of the machine.
        names: of the owners of this process: the system does not show them their own locks.
    """

    descriptor: int
    place: tuple[int, int]
    identity: str
    names: set[str] = field(factory=set)

    def change_counter(self) -> int:
        """Return SQLite's count of the changes of the file, which an older state of it has not reached."""
        return int.from_bytes(os.pread(self.descriptor, 4, 24), "big")


_FILES: dict[tuple[int, int], LedgerFile] = {}
"""By their places."""


class Owner:
    """This process, as others see it in the ledger. Not thread-safe: one thread at a time may use any owner.

    Attributes:
        name: unlike that of any other.
        file: the ledger's.
    """

    def __init__(self, file: LedgerFile, name: str) -> None:
        self.name = name
        self.file = file

    @classmethod
    def register(cls, ledger: Path) -> Owner:
        """Take a new name and lock it.

        Args:
            ledger: the file, which is there.

        Raises:
            LedgerError: ledger_unavailable, when the file cannot be opened, or its file system knows no such locks.
        """
        name = uuid.uuid4().hex
        try:
            _close_unused()
            file = _opened(ledger)
            _lock(file.descriptor, fcntl.F_WRLCK, name)
        except OSError as error:
            raise LedgerError(
                f"The ledger {quoted(str(ledger))} cannot be locked: {error.strerror}.", code="ledger_unavailable"
            ) from error
        file.names.add(name)
        return cls(file, name)

    def is_alive(self, name: str) -> bool:
        """Tell whether the owner of that name still runs."""
        if name in self.file.names:
            return True
        return _locked_by_others(self.file.descriptor, _byte_of(name), 1)

    def leave(self) -> None:
        """Give the name up."""
        if self.name in self.file.names:
            _lock(self.file.descriptor, fcntl.F_UNLCK, self.name)
            self.file.names.remove(self.name)
        _close_unused()


def is_same_file(recorded: str, found: str) -> bool:
    """Compare two identities; where the file system does not tell generations, only the inodes."""
    inode, _, generation = recorded.partition(".")
    other_inode, _, other_generation = found.partition(".")
    return inode == other_inode and (generation == other_generation or "0" in (generation, other_generation))


def _opened(ledger: Path) -> LedgerFile:
    found = ledger.stat()
    file = _FILES.get((found.st_dev, found.st_ino))
    if file is None:
        descriptor = os.open(ledger, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        opened = os.fstat(descriptor)
        place = (opened.st_dev, opened.st_ino)
        file = _FILES.setdefault(place, LedgerFile(descriptor, place, f"{opened.st_ino}.{_generation(descriptor)}"))
    return file


def _generation(descriptor: int) -> int:
    """Tell a file from an earlier one, by now deleted, whose inode it was given; 0 where that is not known."""
    if sys.platform != "linux":
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, _GENERATION, bytes(8))[:4], sys.byteorder)
    except OSError:
        return 0


def _close_unused() -> None:
    """Close the descriptors that no owner needs any more, unless somebody holds a lock of SQLite's on their file."""
    for place, file in list(_FILES.items()):
        if not file.names and not _locked_by_others(file.descriptor, *_SQLITE_BYTES):
            del _FILES[place]
            os.close(file.descriptor)


def _forget_all() -> None:
    """In a forked child, let go of its parent's locks: a child that kept them would keep its dead parent alive."""
    for file in _FILES.values():
        os.close(file.descriptor)
        file.descriptor = -1
        file.names.clear()
    _FILES.clear()


os.register_at_fork(after_in_child=_forget_all)


def _byte_of(name: str) -> int:
    return _FIRST_BYTE + int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")


def _lock(descriptor: int, kind: int, name: str) -> None:
    fcntl.fcntl(descriptor, _SETLK, _request(kind, _byte_of(name), 1))


def _locked_by_others(descriptor: int, start: int, length: int) -> bool:
    """Tell whether anything but `descriptor` itself has a lock on these bytes: also SQLite, in this process too."""
    answer = fcntl.fcntl(descriptor, _GETLK, _request(fcntl.F_WRLCK, start, length))
    return _kind_of(answer) != fcntl.F_UNLCK


def _request(kind: int, start: int, length: int) -> bytes:
    if sys.platform == "darwin":
        return _FLOCK.pack(start, length, 0, kind, os.SEEK_SET)
    return _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)


def _kind_of(answer: bytes) -> int:
    return int(_FLOCK.unpack(answer)[3 if sys.platform == "darwin" else 0])
