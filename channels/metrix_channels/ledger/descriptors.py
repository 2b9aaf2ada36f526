"""File descriptors: how many connections fit into what is left of them, and some kept for the ledger's own writing.

A ledger that cannot open its journal for want of one could not write down what Metrix has just taken.
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
"""The remedy where none is left."""
_SPARES: Final = 4


def fitting_connections(wanted: int) -> int:
    """Return how many connections may be open at one time, at least 1; a warning tells of fewer than wanted."""
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
    """Tell whether this process can open no further file."""
    try:
        os.close(_opened())
    except OSError as error:
        return is_shortage(error)
    return False


def is_shortage(error: BaseException) -> bool:
    """Tell whether no descriptor was left; SQLite only says that it could not open a file."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None) or 0
        return code & 0xFF == sqlite3.SQLITE_CANTOPEN and none_is_left()
    return isinstance(error, OSError) and error.errno in SHORTAGES


class Spares:
    """Descriptors that are held so that they can be let go of when one is needed. Not thread-safe."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def take(self) -> None:
        """Hold as many as are wanted, or fewer when there are no more."""
        with suppress(OSError):
            while len(self._held) < _SPARES:
                self._held.append(_opened())

    def release(self) -> bool:
        """Let go of all; False when none was held."""
        held, self._held = self._held, []
        for descriptor in held:
            os.close(descriptor)
        return bool(held)


def _opened() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
