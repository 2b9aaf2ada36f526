"""Turns the bytes of an answer into a `Reply`, the same way for all transports."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from ..redact import Redactor
from .exchange import Reply

READ_AT_MOST: Final = 64 * 1024
"""The maximum bytes of an answer's body that are read, before and after decompression."""

_WBITS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
"""zlib's parameters for each encoding. Some servers send `deflate` without the header of RFC 9110, section 8.4.1.2."""


def reply_of(
    status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes, redactor: Redactor, *, whole: bool
) -> Reply:
    """Make a `Reply` from an answer.

    Args:
        status: the HTTP status.
        fields: the names, in any case, and values of the headers, in order.
        body: the bytes read of the body, at most READ_AT_MOST.
        redactor: removes secrets from the body when it is read.
        whole: the answer arrived completely, or up to READ_AT_MOST.
    """
    read: dict[bytes, list[str]] = {b"content-encoding": [], b"content-type": [], b"retry-after": [], b"date": []}
    for name, value in fields:
        if (values := read.get(name.lower())) is not None:
            values.append(value.decode("latin-1").strip(" \t"))
    encodings, types, waits, dates = read.values()
    body = _decompress(body, ",".join(encodings))
    return Reply(
        status=status,
        body=body.decode("utf-8", "replace"),
        whole=whole,
        content_type=", ".join(types).lower(),
        # These headers have one value. If a server or a proxy adds another one, the last one counts.
        retry_after=waits[-1] if waits else None,
        date=dates[-1] if dates else None,
        is_cut=not whole or len(body) >= READ_AT_MOST,
        redactor=redactor,
    )


def _decompress(body: bytes, encoding: str) -> bytes:
    """Decompress a body, although no compression was requested; the limit stops decompression bombs."""
    choices = _WBITS.get(encoding.strip().lower())
    if choices is None:
        return body
    for bits in choices:
        try:
            return zlib.decompressobj(bits).decompress(body, READ_AT_MOST)
        except zlib.error:
            continue
    return b""
