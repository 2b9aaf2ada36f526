"""What is particular to the transport over httptools: where it is used, and what it does with connections."""

import asyncio
import contextlib
import gc
import os
import warnings

import pytest

from helpers.command_line import eventually
from helpers.fault_server import Answer, Drip, FaultServer, Hang
from helpers.project import API_KEY, post
from metrix_channels.api import Endpoint, Reply, open_transport
from metrix_channels.api.transports import httptools_transport
from metrix_channels.api.transports.httptools_transport import HttptoolsTransport
from metrix_channels.api.transports.httpx_transport import HttpxTransport
from metrix_channels.redact import Redactor, Secret

REDACTOR = Redactor(Secret(API_KEY))


@pytest.mark.parametrize("url", ["https://metrix.invalid", "http://127.0.0.1:9", "http://[::1]:9"])
def test_it_is_used_where_no_proxy_stands_between(url):
    """What goes through a proxy takes httpx."""
    assert isinstance(open_transport(Endpoint(url), REDACTOR), HttptoolsTransport)
    assert isinstance(open_transport(Endpoint(url, "http://proxy:3128"), REDACTOR), HttpxTransport)


def test_it_works_in_a_forked_child():
    """As a worker forked from a parent that has used it does."""

    async def attempt(transport):
        reply = await transport.post("/push", {}, b"{}", 2)
        await transport.close()
        return reply.status

    with FaultServer() as server:
        transport = open_transport(Endpoint(server.url), REDACTOR)
        assert asyncio.run(attempt(transport)) == 200
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if asyncio.run(attempt(transport)) == 200 else 1
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0


def test_it_goes_on_in_another_event_loop():
    """Connections end with the loop that opened them: the next one opens its own."""
    with FaultServer() as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of connections that no loop can close any more
        transport = HttptoolsTransport(Endpoint(server.url), REDACTOR)
        found = [asyncio.run(transport.post("/push", {}, b"{}", 2)) for _ in range(2)]
        del transport
        gc.collect()
    assert [reply.status for reply in found] == [200, 200]
    assert [request.connection for request in server.requests] == [1, 2]


def test_many_at_once_share_as_many_connections():
    """And keep them for the next ones."""

    async def run(url):
        transport = HttptoolsTransport(Endpoint(url), REDACTOR)
        headers = {"X-API-Key": API_KEY}
        for _ in range(5):
            found = await asyncio.gather(*(transport.post("/push", headers, b"{}", 5) for _ in range(8)))
            assert {reply.status for reply in found} == {200}
        await transport.close()

    with FaultServer() as server:
        asyncio.run(run(server.url))
    assert len(server.requests) == 40
    assert len({request.connection for request in server.requests}) <= 8


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch):
    """The server may be closing it just now, and then the request would be in doubt."""
    monkeypatch.setattr(httptools_transport, "_KEEP_IDLE_SECONDS", 0.0)

    async def run(url):
        transport = HttptoolsTransport(Endpoint(url), REDACTOR)
        for _ in range(2):
            await transport.post("/push", {}, b"{}", 2)
        await transport.close()

    with FaultServer() as server:
        asyncio.run(run(server.url))
    assert [request.connection for request in server.requests] == [1, 2]


def test_a_protocol_switch_is_named():
    """Nothing else would tell why there is no answer."""
    with FaultServer([Answer(101, b"", {"Upgrade": "websocket", "Connection": "upgrade"})]) as server:
        assert "another protocol (101)" in post(server.url, wire=HttptoolsTransport).reason


def test_an_attempt_that_is_cancelled_keeps_no_connection():
    """The answer that comes later belongs to nobody."""

    async def run(url):
        transport = HttptoolsTransport(Endpoint(url), REDACTOR)
        attempt = asyncio.create_task(transport.post("/push", {}, b"{}", 5))
        await eventually(lambda: server.requests)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        found = await transport.post("/push", {}, b"{}", 5)
        await transport.close()
        return found

    with FaultServer([Hang(), Answer()]) as server:
        assert asyncio.run(run(server.url)).status == 200
    assert [request.connection for request in server.requests] == [1, 2]


def test_a_second_answer_belongs_to_no_request():
    """It changes nothing about the first, and the connection is not used again."""

    async def run():
        heads = (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 500 No\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nno",
        )
        connections = []

        async def serve(reader, writer):
            connections.append(writer)
            while await reader.readline():
                writer.write(b"".join(heads))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = HttptoolsTransport(Endpoint(f"http://127.0.0.1:{port}"), REDACTOR)
        found = [await transport.post("/push", {}, b"{}", 2) for _ in range(2)]
        await transport.close()
        for writer in connections:
            writer.transport.abort()
        server.close()
        return found, len(connections)

    found, connections = asyncio.run(run())
    assert found == [Reply(200, "ok"), Reply(200, "ok")]
    assert connections == 2


def test_what_arrives_while_nothing_is_asked_ends_the_connection():
    """The next request would take a late second answer for its own."""

    async def run():
        answered, closed, connections = asyncio.Event(), asyncio.Event(), []

        async def serve(reader, writer):
            connections.append(writer)
            while (await reader.readline()).strip():
                continue
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await answered.wait()
            writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")
            with contextlib.suppress(ConnectionError):
                await reader.read()
            closed.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        transport = HttptoolsTransport(Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), REDACTOR)
        first = await transport.post("/push", {}, b"{}", 5)
        answered.set()
        async with asyncio.timeout(20):
            await closed.wait()
        second = await transport.post("/push", {}, b"{}", 5)
        await transport.close()
        for writer in connections:
            writer.transport.abort()
        server.close()
        return first, second

    assert asyncio.run(run()) == (Reply(200, "ok"), Reply(200, "ok"))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
SECOND = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nno"

QUOTING = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(SECOND)


@pytest.mark.parametrize(
    ("answers", "expected", "connections"),
    [
        ([[OK], [OK], [OK]], [Reply(200, "ok")] * 3, 1),
        ([[OK], [OK[:9], OK[9:]], [OK]], [Reply(200, "ok")] * 3, 1),
        ([[OK], [OK.replace(b"200", b"202")], [OK]], [Reply(200, "ok"), Reply(202, "ok"), Reply(200, "ok")], 1),
        ([[OK], [SECOND], [OK]], [Reply(200, "ok"), Reply(503, "no", retry_after="7"), Reply(200, "ok")], 1),
        ([[OK], [OK + SECOND], [OK + SECOND]], [Reply(200, "ok")] * 3, 2),
        ([[QUOTING, SECOND], [SECOND]], [Reply(200, SECOND.decode()), Reply(503, "no", retry_after="7")], 1),
        ([[LAST], [LAST]], [Reply(200, "ok")] * 2, 2),
    ],
)
def test_an_answer_of_the_same_bytes_means_the_same(answers, expected, connections):
    """However the answers before it arrived; an answer that differs in one byte is read anew."""
    found, opened = asyncio.run(_converse(answers))
    assert found == expected
    assert opened == connections


def test_secrets_are_hidden_in_repeated_answers_too():
    """The second answer of the same bytes is not read again, but its message may have other secrets."""
    answer = b"HTTP/1.1 400 No\r\nContent-Length: 10\r\n\r\nred 482193"
    (first, second), _ = asyncio.run(_converse([[answer], [answer]]))
    hidden = second.hiding([Secret("482193", "the value `code`")])
    assert first.body == "red 482193"
    assert "482193" not in hidden.body


@pytest.mark.parametrize("before", [0.2, 30])
def test_each_request_on_a_connection_has_its_own_deadline(before):
    """Whether the request before it had a shorter one or a longer one."""

    async def run(url):
        transport = HttptoolsTransport(Endpoint(url), REDACTOR)
        first = await transport.post("/push", {}, b"{}", 30)
        await transport.post("/push", {}, b"{}", before)
        late = await transport.post("/push", {}, b"{}", 30)
        async with asyncio.timeout(20):
            hanging = await transport.post("/push", {}, b"{}", 0.2)
        await transport.close()
        return first, late, hanging

    with FaultServer([Answer(), Answer(), Drip(0.01, b"x"), Hang()]) as server:
        first, late, hanging = asyncio.run(run(server.url))
    assert first.status == late.status == 200
    assert hanging.reason == "no answer within 0.2 s"


async def _converse(answers):
    """Post once for each answer to a server that writes its pieces one by one; return replies and connections."""
    waiting, connections = iter(answers), []

    async def serve(reader, writer):
        connections.append(writer)
        while (await reader.readuntil(b"\r\n\r\n{}")) and (pieces := next(waiting, None)):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.05)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = HttptoolsTransport(Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), REDACTOR)
    found = [await transport.post("/push", {}, b"{}", 20) for _ in answers]
    await transport.close()
    for writer in connections:
        writer.transport.abort()
    server.close()
    return found, len(connections)
