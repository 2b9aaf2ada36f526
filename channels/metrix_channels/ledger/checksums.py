"""Checksums of the important rows of a ledger, and fingerprints that are meaningless outside it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from ..errors import LedgerError
from .database import Connection


def checksum(values: Iterable[object]) -> int:
    """Return the checksum of a row. SQLite itself does not detect every changed bit."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "backslashreplace"))


def require_checksum(expected: int, values: Iterable[object], what: str) -> None:
    """Refuse a row that has changed since it was written.

    Raises:
        LedgerError: ledger_corrupt.
    """
    if checksum(values) != expected:
        raise LedgerError(f"The ledger's record of {what} is damaged.", code="ledger_corrupt")


def fingerprint(connection: Connection, content: bytes, size: int = 32) -> bytes:
    """Return a digest that is meaningless outside this ledger.

    Args:
        connection: to the ledger, which contains the salt.
        content: of any length.
        size: of the digest, in bytes.
    """
    return digest(salt_of(connection), content, size)


def salt_of(connection: Connection) -> bytes:
    """Return the ledger's salt."""
    return bytes(connection.execute("SELECT value FROM salt").fetchone()[0])


def digest(salt: bytes, content: bytes, size: int = 32) -> bytes:
    """Return the digest of a content, with the salt of the ledger."""
    return hashlib.blake2b(content, key=salt, digest_size=size).digest()
