"""Reads requests from a connection and writes answers to it, with simulated faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import Receive, Scope, Send

from .bodies import MAX_BODY
from .endpoint import Reply
from .faults import Fault

Cut = Callable[[Scope, bool], None]
"""Closes a request's connection; if the flag is set, only after everything written was sent."""

_JSON: Final = b"application/json"
_HTML: Final = b"text/html; charset=utf-8"


async def read_body(receive: Receive) -> bytes | None:
    """Return the body, or None if it is longer than `MAX_BODY`; the rest is then read and discarded.

    Raises:
        ConnectionError: the client left before it had sent everything.
    """
    body = bytearray()
    too_long = False
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionError
        chunk = event.get("body", b"")
        too_long = too_long or len(body) + len(chunk) > MAX_BODY
        if not too_long:
            body += chunk
        if not event.get("more_body"):
            return None if too_long else bytes(body)


async def answer(reply: Reply, scope: Scope, receive: Receive, send: Send, cut: Cut) -> None:
    """Send `reply`, or simulate its fault."""
    kind = reply.fault.kind if reply.fault else None
    if kind == "slow" and await _client_left(receive, _seconds(reply.fault)):
        return
    if kind == "hang":
        await _client_left(receive)
        return
    if kind == "drop":
        cut(scope, False)
        await _client_left(receive)
        return
    content_type, body = _encode(reply)
    await _send_head(reply.status, content_type, len(body), reply.headers, send)
    if kind == "truncate":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        cut(scope, True)
        await _client_left(receive)
        return
    await send({"type": "http.response.body", "body": body})


async def refuse(message: str, send: Send) -> None:
    """Answer 403."""
    reply = Reply(403, {"error": {"code": "origin_refused", "message": message}}, {})
    content_type, body = _encode(reply)
    await _send_head(reply.status, content_type, len(body), {"connection": "close"}, send)
    await send({"type": "http.response.body", "body": body})


def _encode(reply: Reply) -> tuple[bytes, bytes]:
    if isinstance(reply.content, str):
        return _HTML, reply.content.encode()
    return _JSON, json.dumps(reply.content, ensure_ascii=False).encode()


async def _send_head(status: int, content_type: bytes, length: int, headers: Mapping[str, str], send: Send) -> None:
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % length)]
    fields += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def _client_left(receive: Receive, seconds: float | None = None) -> bool:
    """Wait until the client leaves or the sandbox stops and cuts all connections; return False after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


def _seconds(fault: Fault | None) -> float:
    return fault.seconds if fault else 0.0
