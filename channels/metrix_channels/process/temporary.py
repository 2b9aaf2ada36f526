"""Temporary files, and what to say where none can be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UsageError


@contextmanager
def temporary_files() -> Iterator[None]:
    """Explain the failures of a block that writes temporary files alone, also those of SQLite.

    Raises:
        UsageError: temporary_unwritable.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"A temporary file cannot be written: {why}.", code="temporary_unwritable") from error
