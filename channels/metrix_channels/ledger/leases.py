"""Which processes are alive, where they share no machine: each renews a lease on the database's clock."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

import psycopg

LEASE_SECONDS: Final = 30.0
_SHARE: Final = 0.2
_LEASES: WeakSet[Lease] = WeakSet()


class Lease:
    """This process, as others see it in the ledger.

    Args:
        connect: opens a connection.
        seconds: after which, without a renewal, others take this process for dead.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], seconds: float) -> None:
        self.name = uuid.uuid4().hex
        self._connect = connect
        self._seconds = seconds
        self._process = os.getpid()
        self._gone = False
        self._left = threading.Event()
        self._connection = connect()
        self._renewed = time.monotonic()
        self._connection.execute(
            "INSERT INTO owners (name, host, process, lease_until)"
            " VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s))",
            (self.name, socket.gethostname(), os.getpid(), seconds),
        )
        self._thread = threading.Thread(target=self._renew, name="metrix-channels-lease", daemon=True)
        self._thread.start()
        _LEASES.add(self)

    @property
    def is_lost(self) -> bool:
        """Others took this process for dead, or may have."""
        return self._gone or self._process != os.getpid()

    @property
    def holds(self) -> bool:
        """Nobody may have taken this process for dead yet."""
        return not self.is_lost and time.monotonic() - self._renewed < self._seconds

    def leave(self) -> None:
        """Give the name up."""
        if self._process != os.getpid() or self._left.is_set():
            return
        self._left.set()
        self._thread.join(timeout=self._seconds)
        with contextlib.suppress(psycopg.Error, OSError):
            self._connection.execute("DELETE FROM owners WHERE name = %s", (self.name,))
        self._connection.close()

    def expire(self) -> None:
        """Renew no more: whatever is under this name is others' to settle, as if this process had died."""
        self._gone = True
        self._left.set()

    def _renew(self) -> None:
        self._keep_renewing()
        if self._gone:
            self._connection.close()

    def _keep_renewing(self) -> None:
        while not self._left.wait(self._seconds * _SHARE):
            began = time.monotonic()
            try:
                if self._connection.closed:
                    self._connection = self._connect()
                renewed = self._connection.execute(
                    "UPDATE owners SET lease_until = clock_timestamp() + make_interval(secs => %s) WHERE name = %s",
                    (self._seconds, self.name),
                )
            except Exception:  # noqa: BLE001, S112 - whatever keeps it from renewing, it tries again until others act
                continue
            if not renewed.rowcount:
                self._gone = True
                return
            self._renewed = began


def _leave_all() -> None:
    for lease in list(_LEASES):
        lease.leave()


atexit.register(_leave_all)
