"""File descriptors: how many more this process may open, and how many of them connections leave to the rest."""

from __future__ import annotations

import errno
import os
import resource
from typing import Final

RESERVED: Final = 16
"""Left free by connections: for the ledger, its journal and its spares, the audience, look-ups of names, the files of
pages, and a child process that renders."""
SHORTAGES: Final = (errno.EMFILE, errno.ENFILE)
"""The numbers of the errors that say that no descriptor is left."""


def limit_of_descriptors() -> int | None:
    """Return the limit of open files (`ulimit -n`); None when there is none."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def connections_left(limit: int) -> int:
    """Return how many more connections fit into a limit of open files; 0 or less when none does."""
    return limit - _open_descriptors(limit) - RESERVED


def _open_descriptors(limit: int) -> int:
    try:
        return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208 - names are enough; the list is a descriptor itself
    except OSError as error:  # some containers have no /dev/fd
        return limit if error.errno in SHORTAGES else 3
