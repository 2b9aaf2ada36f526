"""A web server ends soon and without a word, whoever asks something of it at that moment."""

import asyncio
import socket

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router

from helpers.command_line import eventually
from metrix_channels.pages import serving
from metrix_channels.pages.serving import Server, listen
from metrix_channels.pages.web import changes


async def _hang(request: Request) -> PlainTextResponse:
    """Answer when the whole request was read, which may be never."""
    return PlainTextResponse(await request.body())


async def _work(_request: Request) -> PlainTextResponse:
    """Answer after more time than a server has that ends."""
    await asyncio.sleep(3_600)
    return PlainTextResponse("late")


async def _changes(request: Request):
    """Tell of changes until the end."""
    return changes(request, lambda: "1")


class Running:
    """A server in this event loop, and clients that it may leave waiting."""

    def __init__(self) -> None:
        routes = [Route("/hang", _hang, methods=["POST"]), Route("/changes", _changes), Route("/work", _work)]
        self.server = Server(Router(routes))
        self.listener = listen("127.0.0.1", 0, "page")
        self._clients: list[asyncio.StreamWriter] = []
        self._faults: list[str] = []

    async def __aenter__(self):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self._faults.append(str(context)))
        self._serving = asyncio.create_task(self.server.serve(sockets=[self.listener]))
        await eventually(lambda: self.server.started)
        for _ in range(3):  # until it waits for clients
            await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    async def ask(self, head: str) -> asyncio.StreamReader:
        """Send the beginning of a request."""
        answer, client = await asyncio.open_connection(*self.listener.getsockname())
        client.write(f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode())
        self._clients.append(client)
        return answer

    async def end(self) -> None:
        """Ask it to end, and wait until it has."""
        self.server.end()
        await asyncio.wait_for(self._serving, 60)
        assert self._faults == []


def test_a_client_that_comes_as_it_ends_is_no_fault():
    """Python's own `sock_accept` leaves a traceback when it is cancelled in the very moment in which a client comes."""

    async def main() -> None:
        async with Running() as running:
            with socket.create_connection(running.listener.getsockname()):
                await asyncio.sleep(0)  # the event loop learns of the client in its next turn
                running.server.end()
                await running.server.shutdown([running.listener])
                await running.end()

    asyncio.run(main())


def test_a_stream_of_changes_ends_with_the_server():
    """The page's browser is told that nothing more comes."""

    async def main() -> None:
        async with Running() as running:
            stream = await running.ask("GET /changes")
            assert await stream.readuntil(b"data: 1")
            await running.end()
            assert (await stream.read()).endswith(b"0\r\n\r\n")

    asyncio.run(main())


def test_a_client_that_never_finishes_its_request_is_cut_off(caplog):
    """As when it leaves: nothing is logged."""

    async def main() -> None:
        async with Running() as running:
            await running.ask("POST /hang")
            await eventually(lambda: running.server.server_state.tasks)
            await running.end()

    asyncio.run(main())
    assert caplog.messages == []


def test_an_answer_that_takes_too_long_is_cancelled(caplog):
    """One line says so, and no traceback."""

    async def main() -> None:
        async with Running() as running:
            await running.ask("GET /work")
            await eventually(lambda: running.server.server_state.tasks)
            await running.end()

    asyncio.run(main())
    assert [record.exc_info for record in caplog.records] == [None]


def test_a_server_that_is_full_ends_when_an_answer_ends_at_that_moment(monkeypatch):
    """The cancellation arrives together with the end of an answer, and must not be lost."""
    monkeypatch.setattr(serving, "limit_of_descriptors", lambda: 24)
    monkeypatch.setattr(serving, "connections_left", lambda limit: 0)

    async def main():
        server = Server(None)
        server.server_state.connections.add(object())
        accepting = asyncio.create_task(server._wait_for_a_place())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        server._answered.set()
        await asyncio.sleep(0)
        accepting.cancel()
        done, _ = await asyncio.wait([accepting], timeout=10)
        server.server_state.connections.clear()
        assert done
        assert accepting.cancelled()

    asyncio.run(main())
