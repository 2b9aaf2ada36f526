"""Tracks live processes on several machines: each renews a lease on the clock of the database."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final
from weakref import WeakSet

import psycopg

from ...errors import LedgerError
from ..threads import start_thread

LEASE_SECONDS: Final = 30.0
_SHARE: Final = 0.2
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LEASES: WeakSet[Lease] = WeakSet()


class Lease:
    """The lease of this process in the ledger.

    Args:
        run: runs a statement outside any transaction, and returns how many rows it changed.
        seconds: without a renewal, after which others consider this process dead.
    """

    def __init__(self, run: Callable[[str, Sequence[object]], int], seconds: float) -> None:
        self.name: str = uuid.uuid4().hex
        self._run = run
        self._seconds = seconds
        self._process = os.getpid()
        self._gone = False
        self._left = threading.Event()
        self._renewed = _clock()
        run(
            "INSERT INTO owners (name, host, process, lease, lease_until)"
            " SELECT %s, %s, %s, lease, clock_timestamp() + lease FROM make_interval(secs => %s) lease",
            (self.name, socket.gethostname(), os.getpid(), seconds),
        )
        self._thread = threading.Thread(target=self._renew, name="metrix-channels-lease", daemon=True)
        start_thread(self._thread)
        _LEASES.add(self)

    @property
    def is_lost(self) -> bool:
        """Whether other processes consider this one dead, or may do so."""
        return self._gone or self._process != os.getpid()

    @property
    def holds(self) -> bool:
        """Whether the lease is still valid, so that no other process considers this one dead."""
        return not self.is_lost and _clock() - self._renewed < self._seconds

    def leave(self) -> None:
        """Release the name."""
        if self._process != os.getpid() or self._left.is_set():
            return
        self._left.set()
        self._thread.join(timeout=self._seconds)
        with contextlib.suppress(psycopg.Error, OSError, LedgerError):
            self._run("DELETE FROM owners WHERE name = %s", (self.name,))

    def expire(self) -> None:
        """Stop renewing: other processes settle the work under this name, as if this process had died."""
        self._gone = True
        self._left.set()

    def _renew(self) -> None:
        while not self._left.wait(self._seconds * _SHARE):
            began = _clock()
            try:
                renewed = self._run(
                    "UPDATE owners SET lease_until = clock_timestamp() + make_interval(secs => %s) WHERE name = %s",
                    (self._seconds, self.name),
                )
            except Exception:  # noqa: BLE001, S112 - after any error, try again until the lease expires
                continue
            if not renewed:
                self._gone = True
                return
            self._renewed = began


def _clock() -> float:
    """Return seconds of a clock that, if possible, also runs while the machine sleeps, as the lease does."""
    return time.clock_gettime(_CLOCK)


def _leave_all() -> None:
    for lease in list(_LEASES):
        lease.leave()


atexit.register(_leave_all)
