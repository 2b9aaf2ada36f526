"""Which processes are alive: each owner holds an OS lock on a file of its own, and a dead one holds none.

The lock goes with the process, however it ends, so nothing has to be timed or renewed.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import uuid
from pathlib import Path
from weakref import WeakSet

from ..errors import LedgerError

_OWNERS: WeakSet[Owner] = WeakSet()


class Owner:
    """This process, as others see it in the ledger."""

    def __init__(self, name: str, file: Path, descriptor: int) -> None:
        self.name = name
        self._file = file
        self._descriptor = descriptor
        _OWNERS.add(self)

    @classmethod
    def register(cls, ledger: Path) -> Owner:
        """Take a new name and lock it.

        Raises:
            LedgerError: ledger_unavailable, when no file can be made beside the ledger.
        """
        name = uuid.uuid4().hex
        folder = _folder(ledger)
        file = folder / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600)
        except OSError as error:
            raise LedgerError(f"{str(file)!r} cannot be made: {error.strerror}.", code="ledger_unavailable") from error
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return cls(name, file, descriptor)

    def leave(self) -> None:
        """Give the name up."""
        if self._descriptor >= 0:
            self._file.unlink(missing_ok=True)
            self.forget()

    def forget(self) -> None:
        """Let go of the lock without giving the name up: in a forked child, which shares it with its parent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _forget_all() -> None:
    for owner in list(_OWNERS):
        owner.forget()


def _leave_all() -> None:
    for owner in list(_OWNERS):
        owner.leave()


atexit.register(_leave_all)
# A child that kept the lock would keep its dead parent alive.
os.register_at_fork(after_in_child=_forget_all)


def is_alive(ledger: Path, name: str) -> bool:
    """Tell whether the owner of that name still runs; a dead one's file is removed."""
    file = _folder(ledger) / name
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        file.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def _folder(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + "-owners")
