"""Serves pages: a web server, its listening socket, and its URL."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import UsageError
from ..process.descriptors import connections_left, limit_of_descriptors

_LOOK_AGAIN_SECONDS: Final = 0.1
_LAST_ANSWERS_SECONDS: Final = 0.5
_OWN_ADDRESS: Final = "Write an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
"""How long requests are still answered after the server was stopped."""


class Server(uvicorn.Server):
    """Serves an application, without an access log, and stops within a second.

    It accepts as many connections as the limit of open files allows, at least one; the others wait in the listening
    socket's queue. When no more connections fit, it closes each one after its answer, so that the next is served. An
    endless answer must check `request.state.must_end()`, which is also true when the server stops. The caller handles
    signals.
    """

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._app = app
        self._is_full = False
        self._answered = asyncio.Event()
        self._accepting: list[asyncio.Task[None]] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn would raise captured signals again when it stops."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections from listening sockets."""
        await super().startup([])  # asyncio's own servers accept until no descriptor is left
        self._accepting = [asyncio.create_task(self._accept(listener)) for listener in sockets or ()]

    def end(self) -> None:
        """Stop the server; requests that have arrived are still answered."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, and close the open ones."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        asyncio.get_running_loop().call_later(_LAST_ANSWERS_SECONDS, self.abort_connections)
        await super().shutdown(sockets)

    def abort_connections(self) -> None:
        """Close the connections of clients that have not finished their request or do not read the answer."""
        for connection in list(self.server_state.connections):
            transport_of(connection).abort()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            await self._wait_for_a_place()
            try:
                connection = await _accepted(listener)
                transport, protocol = await loop.connect_accepted_socket(self._new_protocol, connection)
                loop.call_later(self.config.timeout_keep_alive, _close_if_silent, transport, protocol)
            except OSError:  # the client has left, or no descriptor is free
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _wait_for_a_place(self) -> None:
        while self.server_state.connections and (limit := limit_of_descriptors()) and connections_left(limit) < 1:
            self._is_full = True
            self._answered.clear()
            with suppress(TimeoutError):  # a connection also ends without an answer
                # Not `wait_for`: before Python 3.12 it loses a cancellation that arrives together with the answer.
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await self._answered.wait()
        self._is_full = False

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last_if_full(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_full:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        scope["state"]["must_end"] = lambda: self._is_full or self.should_exit
        try:
            await self._app(scope, receive, send_last_if_full)
        except ClientDisconnect:
            pass  # the client has left
        except asyncio.CancelledError:
            if not self.should_exit:
                raise
        finally:
            self._answered.set()

    def _new_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def transport_of(connection: Any) -> asyncio.Transport:
    """Return the transport of a connection."""
    transport: asyncio.Transport = connection.transport
    return transport


async def _accepted(listener: socket.socket) -> socket.socket:
    """Wait for a connection. In Python 3.11, `loop.sock_accept` fails if it is cancelled while a client connects."""
    loop, is_readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listener, is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(listener)
    connection, _ = listener.accept()
    connection.setblocking(False)
    return connection


def _close_if_silent(transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
    """Close a connection without a request: browsers open some in advance, and only one connection may fit."""
    if getattr(protocol, "cycle", None) is None:
        transport.close()


def url_of(host: str, port: int) -> str:
    """Return the URL of a server, for programs on this machine."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to be compared with
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def listen(host: str, port: int, what: str) -> socket.socket:
    """Listen on an address.

    Args:
        host: a name or an address.
        port: 0 for any free port.
        what: the name of the server, for the error.

    Raises:
        UsageError: port_unavailable.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # asyncio sets TCP_NODELAY only if the protocol is given; without it, each answer waits 40 ms for an ACK.
        with ExitStack() as until_it_listens:
            listener = until_it_listens.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address[0], port, *address[2:]))
            listener.listen(2048)
            until_it_listens.pop_all()
    except (OSError, OverflowError, UnicodeError) as error:
        is_foreign = isinstance(error, OSError) and (
            isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        )
        message = f"The {what} cannot listen on {host!r}, port {port}: {error}."
        raise UsageError(message, code="port_unavailable", remedy=_OWN_ADDRESS if is_foreign else None) from error
    return listener
