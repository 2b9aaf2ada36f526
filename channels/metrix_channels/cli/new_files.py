"""Writes new files that only their owner can read; incomplete files are removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..errors import UsageError
from ..printable import quoted


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """Open a new text file; remove it after an error.

    Raises:
        UsageError: file_exists, file_unwritable.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{quoted(str(path))} already exists.", code="file_exists") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not valid"
        raise UsageError(f"{quoted(str(path))} cannot be written: {why}.", code="file_unwritable") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"{quoted(str(path))} cannot be written: {error.strerror}.", code="file_unwritable") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
