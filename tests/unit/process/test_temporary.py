"""Temporary files that cannot be written."""

import errno
import sqlite3

import pytest

from metrix_channels.errors import UsageError
from metrix_channels.process.temporary import temporary_files


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")]
)
def test_a_failure_says_where_to_put_them(error):
    """Whether the system or SQLite reports it."""
    with pytest.raises(UsageError) as caught, temporary_files():
        raise error
    assert caught.value.code == "temporary_unwritable"
    assert "TMPDIR" in caught.value.remedy
