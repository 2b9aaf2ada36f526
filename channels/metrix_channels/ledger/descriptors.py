"""Limits connections to the available file descriptors, and reserves some for the ledger.

Without a descriptor for its journal, the ledger could not record what Metrix has just accepted.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from typing import Final

from ..logs import say
from ..process.descriptors import SHORTAGES, connections_left, limit_of_descriptors

MORE_DESCRIPTORS: Final = "Raise the limit of open files (`ulimit -n`), or close files that the process does not need."
"""The remedy if no descriptor is left."""
_SPARES: Final = 4


def fitting_connections(wanted: int) -> int:
    """Return how many connections may be open at the same time, at least 1; warn if there are fewer than wanted."""
    limit = limit_of_descriptors()
    if limit is None:
        return wanted
    fitting = max(1, connections_left(limit))
    if fitting >= wanted:
        return wanted
    say(
        logging.WARNING,
        f"The limit of {limit} open files (`ulimit -n`) allows only {fitting} of {wanted} connections.",
    )
    return fitting


def none_is_left() -> bool:
    """Tell whether this process cannot open more files."""
    try:
        os.close(_opened())
    except OSError as error:
        return is_shortage(error)
    return False


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error is due to missing descriptors; SQLite only reports that it cannot open a file."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None) or 0
        return code & 0xFF == sqlite3.SQLITE_CANTOPEN and none_is_left()
    return isinstance(error, OSError) and error.errno in SHORTAGES


class Spares:
    """Reserved descriptors that can be released when the ledger needs one. Not thread-safe."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def take(self) -> None:
        """Reserve the wanted number of descriptors, or as many as are available."""
        if len(self._held) < _SPARES:
            with suppress(OSError):
                while len(self._held) < _SPARES:
                    self._held.append(_opened())

    def release(self) -> bool:
        """Release all descriptors; return False if none was reserved."""
        held, self._held = self._held, []
        for descriptor in held:
            os.close(descriptor)
        return bool(held)


def _opened() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
