"""File descriptors: how many more connections this process can open."""

from __future__ import annotations

import errno
import os
import resource
from typing import Final

RESERVED: Final = 16
"""Descriptors that connections must not use: they are for the ledger, its journal and its spares, the audience, DNS
lookups, the files of pages, and a child process that renders."""
SHORTAGES: Final = (errno.EMFILE, errno.ENFILE)
"""The error numbers that mean that no descriptor is left."""


def limit_of_descriptors() -> int | None:
    """Return the limit of open files (`ulimit -n`); None if there is no limit."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def connections_left(limit: int) -> int:
    """Return how many more connections a limit of open files allows; 0 or less if none."""
    return limit - _open_descriptors(limit) - RESERVED


def _open_descriptors(limit: int) -> int:
    try:
        return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208 - names are enough; reading the folder opens one itself
    except OSError as error:  # some containers have no /dev/fd
        return limit if error.errno in SHORTAGES else 3
