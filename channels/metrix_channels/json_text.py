"""Writes JSON for requests and the ledger in its shortest form, in UTF-8. With the extra `fast`, orjson writes it."""

from __future__ import annotations

from json import JSONEncoder
from typing import Any, Final

_ENCODE: Final = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

try:
    import orjson
except ModuleNotFoundError:

    def dumped(value: Any) -> str:
        """Write plain data."""
        return _ENCODE(value)

    def dumped_bytes(value: Any) -> bytes:
        """Write plain data in UTF-8."""
        return _ENCODE(value).encode()
else:

    def dumped(value: Any) -> str:
        """Write plain data."""
        return dumped_bytes(value).decode()

    def dumped_bytes(value: Any) -> bytes:
        """Write plain data in UTF-8; for whole numbers beyond 64 bits, which orjson refuses, use Python's encoder."""
        try:
            return orjson.dumps(value)
        except TypeError:
            return _ENCODE(value).encode()
