"""Tracks live processes: each owner holds an OS lock on the file of the ledger.

The lock ends with the process, however it ends. It needs no timeout, no renewal and no lock file that could be deleted.
Each owner locks one byte far beyond the end of the file, at an offset derived from its name. The lock belongs to the
open file description (`F_OFD_SETLK`), so it does not interfere with SQLite's locks.

Closing any descriptor of a file releases all locks that SQLite holds on it in this process. Therefore all owners of a
file share one descriptor, which is closed only while SQLite holds no lock.
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

if sys.platform == "darwin":  # Python does not define these on macOS
    _SETLK, _GETLK = 90, 92
    _FLOCK: Final = Struct("qqihh")  # start, length, process, type, whence
else:
    _SETLK, _GETLK = fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK
    _FLOCK = Struct("hhqqi0q")  # type, whence, start, length, process

_FIRST_BYTE: Final = 1 << 61
"""The offset of the first owner byte, far beyond SQLite's own locks and any ledger's size."""
_SQLITE_BYTES: Final = (0x40000000, 512)
_GENERATION: Final = 0x80087601
"""FS_IOC_GETVERSION of Linux."""


@define
class LedgerFile:
    """A ledger's file in this process, even if it was renamed.

    Attributes:
        descriptor: for locking names; -1 in a forked child.
        place: device and inode.
        identity: unique in its file system; it survives renames and restarts of the machine.
        names: of the owners in this process, because the system does not report own locks.
    """

    descriptor: int
    place: tuple[int, int]
    identity: str
    names: set[str] = field(factory=set)

    def version(self) -> tuple[bytes, int]:
        """Return what shows that another program or a checkpoint wrote to the file.

        Returns:
            What SQLite itself compares, which starts with its change counter, so that it is lower in an older state of
            the file; and the time of the last change, because two new ledgers may have the same counter.
        """
        return os.pread(self.descriptor, 16, 24), os.fstat(self.descriptor).st_ctime_ns


_FILES: dict[tuple[int, int], LedgerFile] = {}
"""Open files by place."""


class Owner:
    """The name and lock of this process in the ledger. Not thread-safe, not even for different owners.

    Attributes:
        name: unique.
        file: of the ledger.
    """

    def __init__(self, file: LedgerFile, name: str) -> None:
        self.name = name
        self.file = file

    @classmethod
    def register(cls, ledger: Path) -> Owner:
        """Take a new name and lock it.

        Args:
            ledger: an existing file.

        Raises:
            LedgerError: ledger_unavailable, if the file cannot be opened or its file system has no such locks.
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
        """Tell whether the owner with that name is alive."""
        if name in self.file.names:
            return True
        return _locked_by_others(self.file.descriptor, _byte_of(name), 1)

    def leave(self) -> None:
        """Release the name."""
        if self.name in self.file.names:
            _lock(self.file.descriptor, fcntl.F_UNLCK, self.name)
            self.file.names.remove(self.name)
        _close_unused()


def is_same_file(recorded: str, found: str) -> bool:
    """Compare two identities; without generations in the file system, compare only the inodes."""
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
    """Return the generation, which distinguishes a file from a deleted one with the same inode; 0 if not known."""
    if sys.platform != "linux":
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, _GENERATION, bytes(8))[:4], sys.byteorder)
    except OSError:
        return 0


def _close_unused() -> None:
    """Close descriptors that no owner needs, unless SQLite holds a lock on their file."""
    for place, file in list(_FILES.items()):
        if not file.names and not _locked_by_others(file.descriptor, *_SQLITE_BYTES):
            del _FILES[place]
            os.close(file.descriptor)


def _forget_all() -> None:
    """In a forked child, release the parent's locks; otherwise a dead parent would appear alive."""
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
    """Tell whether anything except `descriptor` locks these bytes, including SQLite in this process."""
    answer = fcntl.fcntl(descriptor, _GETLK, _request(fcntl.F_WRLCK, start, length))
    return _kind_of(answer) != fcntl.F_UNLCK


def _request(kind: int, start: int, length: int) -> bytes:
    if sys.platform == "darwin":
        return _FLOCK.pack(start, length, 0, kind, os.SEEK_SET)
    return _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)


def _kind_of(answer: bytes) -> int:
    return int(_FLOCK.unpack(answer)[3 if sys.platform == "darwin" else 0])
