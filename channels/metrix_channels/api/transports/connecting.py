"""Connects to a host that may have several addresses, some of them unreachable (RFC 8305, "Happy Eyeballs")."""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any, Final

_HEAD_START_SECONDS: Final = 0.25
"""How long to wait for one address before the next one is tried in parallel."""

_Address = tuple[int, Any]
"""An address family, and the argument of `connect` for its sockets."""


async def connect(host: str, port: int) -> socket.socket:
    """Return a connection to the first address that accepts one. The caller enforces the timeout.

    It does not use `happy_eyeballs_delay` of `create_connection`, because uvloop does not support it.

    Raises:
        OSError: the host has no address, or no address accepts a connection.
        ValueError: the host's name is not valid.
    """
    waiting = await _resolve(host, port)
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[BaseException] = []
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_connect_to(waiting.pop(0))))
            delay = _HEAD_START_SECONDS if waiting else None
            for attempt in (await asyncio.wait(attempts, timeout=delay, return_when=asyncio.FIRST_COMPLETED))[0]:
                error = attempt.exception()
                attempts.discard(attempt)
                if error is None:
                    return attempt.result()
                errors.append(error)
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_unused)
    raise errors[0] if len(errors) == 1 else OSError("; ".join(map(str, errors)))


async def _resolve(host: str, port: int) -> list[_Address]:
    """Return the addresses in the order of this machine's policy, alternating between address families."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [(int(family), address) for family, _, _, _, address in found]
    first = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    return [each for each in chain.from_iterable(zip_longest(first, others)) if each is not None]


async def _connect_to(address: _Address) -> socket.socket:
    connection = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address[1])
    except BaseException:
        connection.close()
        raise
    return connection


def _close_unused(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
