"""From the bytes of an answer to a `Reply`, the same for every transport."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from ..redact import Redactor
from .exchange import Reply

READ_AT_MOST: Final = 64 * 1024
"""Bytes of an answer's body, before and after a compression is undone."""

_WBITS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
"""What zlib is to expect. Some servers send `deflate` without the header that RFC 9110, 8.4.1.2 asks for."""


def reply_of(
    status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes, redactor: Redactor, *, whole: bool
) -> Reply:
    """Describe an answer.

    Args:
        status: of its first line.
        fields: names, in any case, and values of its headers, in order.
        body: what was read of it, READ_AT_MOST at most.
        redactor: cleans what it says, once somebody reads it.
        whole: it arrived to its end, or to READ_AT_MOST.
    """
    read: dict[bytes, list[str]] = {b"content-encoding": [], b"content-type": [], b"retry-after": [], b"date": []}
    for name, value in fields:
        if (values := read.get(name.lower())) is not None:
            values.append(value.decode("latin-1").strip(" \t"))
    encodings, types, waits, dates = read.values()
    body = _decoded(body, ",".join(encodings))
    return Reply(
        status=status,
        body=body.decode("utf-8", "replace"),
        whole=whole,
        content_type=", ".join(types).lower(),
        # These have one value. Should a server or something on the way add another, the last one counts.
        retry_after=waits[-1] if waits else None,
        date=dates[-1] if dates else None,
        is_cut=not whole or len(body) >= READ_AT_MOST,
        redactor=redactor,
    )


def _decoded(body: bytes, encoding: str) -> bytes:
    """Undo a compression that was not asked for, up to the limit: a small bomb never becomes a large text."""
    choices = _WBITS.get(encoding.strip().lower())
    if choices is None:
        return body
    for bits in choices:
        try:
            return zlib.decompressobj(bits).decompress(body, READ_AT_MOST)
        except zlib.error:
            continue
    return b""
