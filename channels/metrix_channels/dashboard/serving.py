"""Runs the dashboard in this process until a signal stops it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from ..config import ConfigFile
from ..notifier import AsyncNotifier
from ..notifier.services import ServicesOfProcess
from ..pages.serving import Server, listen, url_of
from ..process.signals import ending_signals
from .access import Access, Token
from .pages import Pages


def serve(file: ConfigFile, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM, SIGHUP or SIGQUIT. Call it from the main thread.

    Args:
        file: the configuration.
        host: the name or address to listen on.
        port: 0 for any free port.
        on_ready: called once with the link, which contains the token.

    Raises:
        UsageError: port_unavailable.
        ConfigError: the configuration is wrong.
    """
    file.current()
    listener = listen(host, port, "dashboard")
    asyncio.run(_serve(file, host, listener, on_ready))


async def _serve(file: ConfigFile, host: str, listener: socket.socket, on_ready: Callable[[str], None]) -> None:
    port = listener.getsockname()[1]
    async with AsyncNotifier(ServicesOfProcess(file)) as notifier:
        token = Token()
        pages = Pages(file, notifier, token)
        server = Server(Access(token, pages.routes(), host, port))
        for number in ending_signals():
            asyncio.get_running_loop().add_signal_handler(number, server.end)
        on_ready(f"{url_of(host, port)}/?token={token.value}")
        try:
            await server.serve(sockets=[listener])
        finally:
            await pages.close()
