"""The write-ahead log, and when it is copied back into the ledger's file.

A commit to a log waits for the disk once; a commit with a rollback journal waits four times.

SQLite before 3.51.3 may lose commits when one connection copies the log back while another one commits and thereby
resets the log (https://www.sqlite.org/wal.html, "The WAL-Reset Bug"). So no connection of ours copies the log back
after a commit, as SQLite would by default. `checkpoint` does it, while it holds the lock that every commit needs.

Processes share a log through memory, so they have to run on one machine. On a file system that machines may share,
and on one that is not known here, the ledger keeps a rollback journal.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

COMMITS_BETWEEN_CHECKPOINTS: Final = 200
"""A commit of a send takes up to five pages of 4 KiB: the log stays below 4 MiB."""
LOG_BYTES: Final = 4 * 1024 * 1024
"""To which the log is cut when it is reset: a campaign's plan may have made it larger."""

_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")
_LOCAL: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay", "tmpfs"})
"""Types of file systems that one machine alone has mounted."""


def durable_settings(ledger: Path) -> tuple[str, str]:
    """Return journal_mode and synchronous, with which a commit is on disk when it returns.

    Args:
        ledger: the file, absolute and without links.
    """
    return ("WAL", "FULL") if _is_local(ledger) else ("TRUNCATE", "EXTRA")


def checkpoint(connection: sqlite3.Connection, ledger: Path) -> bool:
    """Copy the log back into the file, unless another connection is writing now.

    Args:
        connection: between two transactions.
        ledger: its file.

    Returns:
        False when the lock could not be had: the log stays as it is.
    """
    uri = f"{ledger.as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)) as guard:
            guard.execute("PRAGMA wal_autocheckpoint = 0")
            guard.execute("BEGIN IMMEDIATE")
            # With page 1 SQLite writes its count of changes, by which an older state of the file is noticed.
            [(version,)] = guard.execute("PRAGMA user_version").fetchall()
            guard.execute(f"PRAGMA user_version = {version}")
            guard.execute("COMMIT")
            guard.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error:
        return False
    return True


def places_of_log(ledger: Path) -> dict[str, tuple[int, int] | None]:
    """Return device and inode of the log's two files, by the ends of their names; None for one that is not there."""
    return {end: place_of(f"{ledger}{end}") for end in ("-wal", "-shm")}


def place_of(path: Path | str) -> tuple[int, int] | None:
    """Return device and inode of a file; None when it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - three at each commit, and a Path costs more
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
