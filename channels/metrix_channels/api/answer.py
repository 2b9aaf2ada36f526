"""From the bytes of an answer to a `Reply`, the same for every transport."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from ..redact import Redactor
from .exchange import Reply

READ_AT_MOST: Final = 64 * 1024
"""Bytes of an answer, before and after a compression is undone."""


def reply_of(
    status: int, header: Callable[[str], str | None], body: bytes, redactor: Redactor, *, whole: bool
) -> Reply:
    """Describe an answer.

    Args:
        status: of its first line.
        header: returns a header's value, whatever the case of its name.
        body: what was read of it, READ_AT_MOST at most.
        redactor: cleans what it says, once somebody reads it.
        whole: it arrived to its end, or to READ_AT_MOST.
    """
    body = _decoded(body, header("content-encoding") or "")
    return Reply(
        status=status,
        body=body.decode("utf-8", "replace"),
        whole=whole,
        content_type=(header("content-type") or "").lower(),
        retry_after=header("retry-after"),
        date=header("date"),
        is_cut=not whole or len(body) >= READ_AT_MOST,
        redactor=redactor,
    )


def _decoded(body: bytes, encoding: str) -> bytes:
    """Undo a compression that was not asked for, up to the limit: a small bomb never becomes a large text."""
    bits = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(encoding.strip().lower())
    if bits is None:
        return body
    try:
        return zlib.decompressobj(bits).decompress(body, READ_AT_MOST)
    except zlib.error:
        return b""
