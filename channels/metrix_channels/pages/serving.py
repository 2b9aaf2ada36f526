"""Where pages are served: a listening socket, and its address for people."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import uvicorn
from starlette.types import ASGIApp

from ..errors import UsageError


def server_config(app: ASGIApp) -> uvicorn.Config:
    """Return how an application is served: quietly, by whom it was asked to, and ended within a second."""
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def url_of(host: str, port: int) -> str:
    """Return the address of what listens there, as it is reached from this machine."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to be compared with
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def listen(host: str, port: int, what: str) -> socket.socket:
    """Listen on an address.

    Args:
        host: a name or an address.
        port: 0 takes a free one.
        what: is served there, for the error.

    Raises:
        UsageError: port_unavailable.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # With the protocol named, asyncio sets TCP_NODELAY; without it each answer waits 40 ms for an ACK.
        with ExitStack() as until_it_listens:
            listener = until_it_listens.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address[0], port, *address[2:]))
            listener.listen(2048)
            until_it_listens.pop_all()
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(
            f"The {what} cannot listen on {host!r}, port {port}: {error}.", code="port_unavailable"
        ) from error
    return listener
