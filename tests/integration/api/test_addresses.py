"""A name with several addresses, some of them dead: the first that takes a connection is used, by both transports."""

import asyncio
import socket
from contextlib import ExitStack, closing

import pytest

from helpers.fault_server import FaultServer
from helpers.project import takes
from metrix_channels.api import Endpoint, Stage
from metrix_channels.redact import Redactor

GOOD = "127.0.0.1"
SILENT, SILENT_TOO = "127.0.0.2", "127.0.0.3"
REFUSING, REFUSING_TOO = "127.0.0.4", "::1"
NAME = "metrix.test"


@pytest.fixture
def server():
    """A server at GOOD; at its port of SILENT and SILENT_TOO connecting never ends, elsewhere it is refused."""
    with FaultServer() as server, ExitStack() as stack:
        for address in (SILENT, SILENT_TOO):
            try:
                listener = stack.enter_context(socket.create_server((address, server.port), backlog=0))
            except OSError:
                pytest.skip(f"this machine has no address {address}")
            for _ in range(2):  # the listener's queue is full then
                waiting = stack.enter_context(closing(socket.socket()))
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        yield server


@pytest.fixture
def resolve(monkeypatch):
    """Say what NAME resolves to."""
    real = socket.getaddrinfo

    def use(*addresses):
        def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002 - as Python calls it
            if host not in (NAME, NAME.encode()):
                return real(host, port, family, type, proto, flags)
            if flags & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [found for address in addresses for found in real(address, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return use


@pytest.mark.parametrize(
    "addresses",
    [
        (GOOD, SILENT),
        (SILENT, GOOD),
        (REFUSING, GOOD),
        (REFUSING_TOO, GOOD),
        (SILENT, SILENT_TOO, GOOD),
        (REFUSING, SILENT, REFUSING_TOO, GOOD),
        (SILENT, REFUSING_TOO, GOOD),
        ("2001:db8::1", GOOD),
        (*(f"127.0.1.{number}" for number in range(20)), GOOD),
    ],
    ids=" ".join,
)
def test_dead_addresses_cost_no_more_than_a_moment(post, server, resolve, addresses):
    """Each is tried alone for a quarter of a second at most."""
    resolve(*addresses)
    with takes(0, 5):
        assert post(f"http://{NAME}:{server.port}", seconds=30).status == 200
    assert [request.headers["host"] for request in server.requests] == [f"{NAME}:{server.port}"]


@pytest.mark.parametrize(
    "addresses", [(REFUSING,), (REFUSING, REFUSING_TOO), (SILENT, SILENT_TOO), (SILENT, REFUSING), (REFUSING, SILENT)]
)
def test_dead_addresses_alone_had_not_begun(post, server, resolve, addresses):
    """Certain that nothing left."""
    resolve(*addresses)
    with takes(0, 10):
        assert post(f"http://{NAME}:{server.port}", seconds=0.6).stage is Stage.NOT_BEGUN
    assert server.connections_accepted == 0


def test_many_requests_at_once_find_the_living_address(wire, server, resolve):
    """As a campaign makes them; what was opened beside the winner is closed again."""

    async def run():
        transport = wire(Endpoint(f"http://{NAME}:{server.port}"), Redactor())
        found = await asyncio.gather(*(transport.post("/push", {}, b"{}", 30) for _ in range(16)))
        await transport.close()
        return {reply.status for reply in found}

    resolve(SILENT, GOOD)
    assert asyncio.run(run()) == {200}
