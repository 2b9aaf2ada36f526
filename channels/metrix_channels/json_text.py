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
else:

    def dumped(value: Any) -> str:
        """Write plain data; for whole numbers beyond 64 bits, which orjson refuses, use Python's encoder."""
        try:
            return orjson.dumps(value).decode()
        except TypeError:
            return _ENCODE(value)
