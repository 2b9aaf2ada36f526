"""What can happen to a ledger: damage, locks, a full disk."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

prlimit = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Another process's limits: Linux alone.")


def fill_disk(process: int) -> None:
    """Let a process write no further byte to any file."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, hard))


def make_garbage(ledger: Path) -> None:
    """Write something else over it."""
    ledger.write_bytes(b"this was a ledger once, and is none any more. " * 400)


def make_directory(ledger: Path) -> None:
    """Put a folder in its place."""
    ledger.unlink()
    ledger.mkdir()


def make_newer(ledger: Path) -> None:
    """Let it come from a version that is not written yet."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA user_version = 99")


def cut_short(ledger: Path) -> None:
    """Cut it off in the middle of a page."""
    with ledger.open("r+b") as file:
        file.truncate(5000)


def hold_lock(ledger: Path) -> closing[sqlite3.Connection]:
    """Hold it as another process that writes does, until what is returned is closed."""
    connection = sqlite3.connect(ledger, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return closing(connection)
