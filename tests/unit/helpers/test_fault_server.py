"""The fault server misbehaves exactly as it is told."""

import gzip
import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from helpers.fault_server import (
    Answer,
    Behaviour,
    Close,
    CloseAfterHeaders,
    Drip,
    FaultServer,
    GzipBomb,
    Hang,
    Huge,
    OnConnect,
    Request,
    Reset,
    Truncated,
    redirect,
    refusing_address,
)


@contextmanager
def _client(server: FaultServer, timeout: float = 60) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)) as connection:
        yield connection


def _post(connection: http.client.HTTPConnection, body: bytes = b"{}") -> http.client.HTTPResponse:
    connection.request("POST", "/push", body, {"X-Test": "1"})
    return connection.getresponse()


def test_script_is_played_in_order_and_its_last_entry_goes_on() -> None:
    """Each request takes the next entry; requests and connections are counted."""
    with FaultServer([Answer(503), Answer(429, headers={"Retry-After": "3"}), Answer(200)]) as server:
        with _client(server) as connection:
            answers = []
            for _ in range(4):
                answer = _post(connection, b'{"a": 1}')
                answer.read()
                answers.append((answer.status, answer.getheader("Retry-After")))
        assert answers == [(503, None), (429, "3"), (200, None), (200, None)]
        first = server.requests[0]
        assert (first.method, first.path, first.headers["x-test"], first.body) == (
            "POST", "/push", "1", b'{"a": 1}',
        )  # fmt: skip
        assert (len(server.requests), server.connections_accepted) == (4, 1)


def test_function_chooses_by_the_request() -> None:
    """A script may be a function of the request."""

    def choose(request: Request) -> Behaviour:
        return Answer(400 if b"bad" in request.body else 200)

    with FaultServer(choose) as server, _client(server) as connection:
        assert [_read(connection, body).status for body in (b"good", b"bad", b"good")] == [200, 400, 200]


def _read(connection: http.client.HTTPConnection, body: bytes) -> http.client.HTTPResponse:
    answer = _post(connection, body)
    answer.read()
    return answer


def test_chunked_bodies_are_read() -> None:
    """A request without Content-Length is read whole."""
    with FaultServer() as server, _client(server) as connection:
        connection.request("POST", "/", iter([b"one", b"two"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().status == 200
        assert server.requests[0].body == b"onetwo"


def test_close_comes_after_the_request() -> None:
    """The request is read and counted, and no answer comes."""
    with FaultServer([Close()]) as server, _client(server) as connection:
        with pytest.raises(http.client.RemoteDisconnected):
            _post(connection)
        assert [request.body for request in server.requests] == [b"{}"]


def test_close_after_headers_leaves_the_body() -> None:
    """The connection ends before the body was read."""
    with FaultServer([CloseAfterHeaders()]) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
            client.sendall(b"POST /push HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
            assert client.recv(1) == b""
        assert [request.body for request in server.requests] == [b""]


def test_reset_is_a_reset() -> None:
    """The client sees a TCP reset, not an orderly end."""
    with FaultServer([Reset()]) as server, _client(server) as connection, pytest.raises(ConnectionResetError):
        _post(connection)


def test_hang_answers_nothing_and_ends_with_the_server() -> None:
    """No byte comes, and nothing of it is left after the server."""
    before = threading.active_count()
    with FaultServer([Hang()]) as server, _client(server, timeout=0.1) as connection, pytest.raises(TimeoutError):
        _post(connection)
    assert threading.active_count() == before


def test_drip_gives_a_byte_at_a_time() -> None:
    """The answer comes in single bytes, with the pause between them."""
    with (
        FaultServer([Drip(0.02)]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as client,
    ):
        started = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert [client.recv(10) for _ in range(5)] == [b"H", b"T", b"T", b"P", b"/"]
        assert time.monotonic() - started > 0.06


def test_huge_stops_when_the_client_leaves() -> None:
    """A client that reads a little and leaves is not sent 100 MB."""
    with FaultServer([Huge()]) as server, _client(server) as connection:
        answer = _post(connection)
        assert answer.getheader("Content-Length") == "100000000"
        answer.read(65_536)
        answer.close()
    assert 65_536 <= server.bytes_sent < 50_000_000


def test_gzip_bomb_is_small_on_the_wire() -> None:
    """50 MB come as a body of less than 100 KB."""
    with FaultServer([GzipBomb()]) as server, _client(server) as connection:
        body = _post(connection).read()
    assert len(body) < 100_000
    assert len(gzip.decompress(body)) == 50_000_000


def test_truncated_announces_more_than_comes() -> None:
    """The client finds the body incomplete."""
    with FaultServer([Truncated()]) as server, _client(server) as connection:
        answer = _post(connection)
        with pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
    assert caught.value.expected == 100


def test_redirect_points_elsewhere() -> None:
    """The answer carries the other address."""
    with FaultServer() as elsewhere, FaultServer([redirect(elsewhere.url, 308)]) as server:
        with _client(server) as connection:
            answer = _post(connection)
            answer.read()
        assert (answer.status, answer.getheader("Location")) == (308, elsewhere.url)
        assert elsewhere.requests == []


def test_connections_have_a_script_of_their_own() -> None:
    """The first connection is left alone, the second closed, the third served."""
    script = [OnConnect.STALL, OnConnect.CLOSE, OnConnect.SERVE]
    with FaultServer(connections=script) as server:
        with _client(server, timeout=0.1) as stalled, pytest.raises(TimeoutError):
            _post(stalled)
        with _client(server) as closed, pytest.raises(ConnectionError):
            _post(closed)
        with _client(server) as served:
            assert _read(served, b"{}").status == 200
        assert (server.connections_accepted, len(server.requests)) == (3, 1)


def test_refusing_address_refuses() -> None:
    """Nobody listens there."""
    with refusing_address() as url:
        port = urllib.parse.urlsplit(url).port
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port or 0), timeout=60)


def test_no_thread_is_left_behind() -> None:
    """Leaving the server ends its threads."""
    before = threading.active_count()
    with (
        FaultServer([Hang()]) as server,
        _client(server, timeout=0.05) as connection,
        pytest.raises(TimeoutError),
    ):
        _post(connection)
    assert threading.active_count() == before
