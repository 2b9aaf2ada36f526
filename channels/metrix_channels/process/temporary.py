"""Reports errors of temporary files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UsageError


@contextmanager
def temporary_files() -> Iterator[None]:
    """Turn errors of a block that only writes temporary files, with or without SQLite, into a `UsageError`.

    Raises:
        UsageError: temporary_unwritable.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"A temporary file cannot be written: {why}.", code="temporary_unwritable") from error
