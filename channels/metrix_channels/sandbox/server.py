"""Runs the sandbox: a web server in a thread of this process."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from types import FrameType, TracebackType
from typing import Any, Final, Self

from starlette.types import Scope

from ..errors import MetrixChannelsError, UsageError
from ..pages.serving import Server, listen, transport_of, url_of
from ..process.signals import ending_signals
from .app import App
from .bodies import CHANNELS
from .endpoint import Application
from .faults import parse_fault
from .state import State

APP_ID: Final = "sandbox-app"
API_KEY: Final = "sandbox-key-not-a-secret"
_START_SECONDS: Final = 60.0


class Sandbox:
    """A stand-in for Metrix. `start()` returns when it answers requests; `stop()` closes all connections.

    Args:
        app_id: required in `X-Application-Id`.
        api_key: required in `X-API-Key`.
        port: 0 for any free port.
        allowed_ips: addresses and networks of the IP white list, such as `10.0.0.0/8`; None for no list.
        host: the name or address to listen on.
        allowed_hosts: other accepted host names, such as a service's name in a compose file.
        taxonomy: the event names that the application knows; None for all.

    Raises:
        UsageError: `usage`, an entry of `allowed_ips` is not an address.
    """

    def __init__(
        self,
        *,
        app_id: str = APP_ID,
        api_key: str = API_KEY,
        port: int = 0,
        allowed_ips: Sequence[str] | None = None,
        host: str = "127.0.0.1",
        allowed_hosts: Sequence[str] = (),
        taxonomy: Sequence[str] | None = None,
    ) -> None:
        self.app_id = app_id
        self.api_key = api_key
        self.host = host
        self.port: int = port
        self._names = frozenset(name.lower() for name in (host, *allowed_hosts))
        self._application = Application(app_id, api_key, _networks(allowed_ips), taxonomy)
        self._state = State()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The URL of the sandbox, for the client's `base_url`. Valid after `start()`."""
        return url_of(self.host, self.port)

    def start(self) -> None:
        """Listen, and return when requests are answered. A second call does nothing. A restart uses the same port.

        Raises:
            UsageError: `port_unavailable`, the sandbox cannot listen on the address.
        """
        if self._thread is not None:
            return
        listener = listen(self.host, self.port, "sandbox")
        self.port = listener.getsockname()[1]
        server = _Server(self._application, self._state, self._names)
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener],), name="metrix-sandbox", daemon=True)
        self._thread.start()
        if not server.ready.wait(_START_SECONDS):
            raise MetrixChannelsError("The sandbox's web server did not start.", code="internal")

    def stop(self) -> None:
        """Close all connections and stop listening; does nothing if the sandbox does not run."""
        if self._server is None or self._thread is None:
            return
        self._server.end()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def messages(self, channel: str | None = None, recipient: str | None = None) -> list[dict[str, Any]]:
        """Return the accepted messages, oldest first, each with `delivered` or the `reason` why not.

        Args:
            channel: only messages of this channel, with Metrix's name, such as `SMS`.
            recipient: only messages to this customUserId.

        Raises:
            UsageError: `usage`, Metrix has no such channel.
        """
        if channel is not None:
            _check_channel(channel)
        return self._state.messages(channel, recipient)

    def events(self) -> list[dict[str, Any]]:
        """Return the accepted users and events, oldest first, each with `processed` or the `reason` why not."""
        return self._state.events()

    def requests(self) -> list[dict[str, Any]]:
        """Return every request to Metrix's own paths with its answer, including refused requests."""
        return self._state.requests()

    def test_channel(self, metrix_name: str) -> None:
        """Mark a channel as tested, like a test message from the dashboard: it delivers from now on.

        Raises:
            UsageError: `usage`, Metrix has no such channel.
        """
        _check_channel(metrix_name)
        self._state.test_channel(metrix_name)

    def inject(self, fault: str, times: int = 1) -> None:
        """Simulate a fault for the next `times` requests, after the faults that are already waiting.

        Args:
            fault: `status:503`, `status:429;retry-after=3`, `html` (the message is not taken); `hang`, `drop`,
                `truncate` (it is taken, but the answer does not arrive), `slow:2` (the answer arrives late).
            times: 1 to 1,000,000.

        Raises:
            UsageError: `usage`, there is no such fault.
        """
        try:
            self._state.inject(parse_fault(fault), times)
        except ValueError as error:
            raise UsageError(str(error), code="usage") from None

    def clear(self) -> None:
        """Delete messages, events, requests, faults and channel tests."""
        self._state.clear()


def serve(port: int, host: str, on_ready: Callable[[Sandbox], None], allowed_hosts: Sequence[str] = ()) -> None:
    """Run a sandbox until SIGINT, SIGTERM, SIGHUP or SIGQUIT. Call it from the main thread.

    Args:
        port: 0 for any free port.
        host: the name or address to listen on.
        on_ready: called once, when requests are answered.
        allowed_hosts: other accepted host names.

    Raises:
        UsageError: `port_unavailable`, the sandbox cannot listen on the address.
    """
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in ending_signals()}
    try:
        with Sandbox(port=port, host=host, allowed_hosts=allowed_hosts) as sandbox:
            on_ready(sandbox)
            asked.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(Server):
    """A web server that signals when it is ready, and can close single connections."""

    def __init__(self, application: Application, state: State, names: frozenset[str]) -> None:
        super().__init__(App(application, state, names, self._cut))
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.abort_connections()
        await super().shutdown(sockets)

    def _cut(self, scope: Scope, flush: bool) -> None:
        for connection in list(self.server_state.connections):
            transport = transport_of(connection)
            if (transport.get_extra_info("peername") or ())[:2] == scope["client"]:
                transport.close() if flush else transport.abort()


def _networks(addresses: Sequence[str] | None) -> tuple[Any, ...] | None:
    try:
        return None if addresses is None else tuple(ip_network(entry, strict=False) for entry in addresses)
    except ValueError as error:
        raise UsageError(f"allowed_ips: {error}.", code="usage") from None


def _check_channel(name: str) -> None:
    if name not in CHANNELS:
        raise UsageError(f"Metrix has no channel {name!r}; it has {', '.join(CHANNELS)}.", code="usage")
