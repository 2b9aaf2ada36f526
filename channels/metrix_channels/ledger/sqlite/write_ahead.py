"""Decides whether to use a write-ahead log, and copies it back into the file of the ledger.

A commit to a log waits for the disk once; a commit with a rollback journal waits four times.

SQLite before 3.51.3 may lose commits if one connection copies the log back while another commits and thereby resets the
log (https://www.sqlite.org/wal.html, "The WAL-Reset Bug"). Therefore our connections do not copy the log back after a
commit, as SQLite does by default. Only `checkpoint` does, while it holds the lock that every commit needs.

Processes share a log through memory, so they must run on one machine. On network and unknown file systems, the ledger
uses a rollback journal.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

COMMITS_BETWEEN_CHECKPOINTS: Final = 200
"""A commit of a send takes up to five pages of 4 KiB: with one process the log stays below 4 MiB."""
LOG_BYTES: Final = 4 * 1024 * 1024
"""The log is truncated to this size when it is reset, because the plan of a campaign may have made it larger."""

_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")
_LOCAL: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay", "tmpfs"})
"""Types of file systems that only one machine can mount."""


def durable_settings(ledger: Path) -> tuple[str, str]:
    """Return the journal_mode and synchronous that make commits durable.

    Args:
        ledger: the path of the file, absolute and without links.
    """
    return ("WAL", "FULL") if _is_local(ledger) else ("TRUNCATE", "EXTRA")


def checkpoint(connection: sqlite3.Connection, ledger: Path) -> bool:
    """Copy the log back into the file, unless another connection is writing.

    Args:
        connection: between two transactions.
        ledger: its file.

    Returns:
        False if the lock was not available; the log is unchanged.
    """
    uri = f"{ledger.as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)) as guard:
            guard.execute("PRAGMA wal_autocheckpoint = 0")
            guard.execute("BEGIN IMMEDIATE")
            # With page 1, SQLite writes its change counter, which reveals an older state of the file.
            [(version,)] = guard.execute("PRAGMA user_version").fetchall()
            guard.execute(f"PRAGMA user_version = {version}")
            guard.execute("COMMIT")
            guard.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error:
        return False
    return True


def files_of(ledger: Path) -> tuple[str, str, str]:
    """Return the paths of the ledger's file and of the two files of its log."""
    return str(ledger), f"{ledger}-wal", f"{ledger}-shm"


def place_of(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file; None if it does not exist."""
    try:
        found = os.stat(path)  # noqa: PTH116 - called four times per commit, and a Path is slower
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_local(ledger: Path) -> bool:
    try:
        mounts = _MOUNTS.read_bytes()
    except OSError:
        return False
    # 36 35 98:0 / /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw (proc_pid_mountinfo(5)); a later mount hides an earlier
    longest, found = 0, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(b" - ")
        point = Path(os.fsdecode(_ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), before.split(b" ")[4])))
        if ledger.is_relative_to(point) and len(point.parts) >= longest:
            longest, found = len(point.parts), after.split(b" ")[0].decode()
    return found in _LOCAL
