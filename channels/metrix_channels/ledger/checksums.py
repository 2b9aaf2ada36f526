"""What guards the rows of the ledger: a checksum of each that matters, and fingerprints that mean nothing elsewhere."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from ..errors import LedgerError
from .database import Connection


def checksum(values: Iterable[object]) -> int:
    """Return the checksum of a row: SQLite itself notices only some of the bits that a disk may change."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "backslashreplace"))


def require_checksum(expected: int, values: Iterable[object], what: str) -> None:
    """Refuse a row that is not as it was written.

    Raises:
        LedgerError: ledger_corrupt.
    """
    if checksum(values) != expected:
        raise LedgerError(f"The ledger's record of {what} is damaged.", code="ledger_corrupt")


def fingerprint(connection: Connection, content: bytes, size: int = 32) -> bytes:
    """Return a digest that means nothing outside this ledger.

    Args:
        connection: to the ledger, which holds the salt.
        content: of any length.
        size: of the digest, in bytes.
    """
    return digest(salt_of(connection), content, size)


def salt_of(connection: Connection) -> bytes:
    """Return the ledger's salt."""
    return bytes(connection.execute("SELECT value FROM salt").fetchone()[0])


def digest(salt: bytes, content: bytes, size: int = 32) -> bytes:
    """Return the digest of a content in the ledger with that salt."""
    return hashlib.blake2b(content, key=salt, digest_size=size).digest()
