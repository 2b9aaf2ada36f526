"""One attempt over a real socket: how far it got, how long it took, how much it read, and where nothing went."""

import asyncio
import gzip
import logging
import threading
import time

import pytest

from helpers.command_line import eventually
from helpers.fault_server import (
    Answer,
    Close,
    CloseAfterHeaders,
    Drip,
    FaultServer,
    GzipBomb,
    Hang,
    Huge,
    OnConnect,
    Reset,
    Truncated,
    redirect,
    refusing_address,
)
from helpers.project import API_KEY, takes, unanswering_address
from helpers.verdicts import judged
from metrix_channels.api import Endpoint, Failure, Reply, Stage
from metrix_channels.api.answer import READ_AT_MOST
from metrix_channels.delivery import Disposition
from metrix_channels.redact import Redactor, Secret


@pytest.fixture
def transport_to(wire):
    return lambda url: wire(Endpoint(url), Redactor(Secret(API_KEY)))


def test_a_request_arrives_as_it_was_given(post):
    """Path, headers and body."""
    with FaultServer([Answer(200, b'{"ok": true}')]) as server:
        reply = post(server.url)
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/push", b'{"secret": "body"}')
    assert request.headers["x-api-key"] == API_KEY
    assert (reply.status, reply.body, reply.whole) == (200, '{"ok": true}', True)


@pytest.mark.parametrize("path", ["", "/v1", "/gateway/metrix;v=1/%D8%A8"])
def test_a_path_of_the_base_url_stands_before_that_of_the_request(post, path):
    """Where a gateway stands before Metrix; the host's name is written as in any browser."""
    with FaultServer() as server:
        assert post(server.url.replace("127.0.0.1", "LocalHost") + path).status == 200
    [request] = server.requests
    assert (request.path, request.headers["host"]) == (f"{path}/push", f"localhost:{server.port}")


def test_the_http_library_logs_nothing(post, caplog):
    """Below WARNING it would print every header of the answer, and what a server says in them."""
    caplog.set_level(logging.DEBUG)
    with FaultServer([Answer(403, b"{}", {"X-Said": f"wrong key: {API_KEY}"})]) as server:
        post(server.url)
    assert not [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]
    assert API_KEY not in caplog.text


# -- how far it got


def test_a_refused_connection_had_not_begun(post):
    """Certain that nothing left."""
    with refusing_address() as url:
        assert post(url).stage is Stage.NOT_BEGUN


def test_an_unknown_name_had_not_begun(post):
    """The reserved domain `.invalid` exists nowhere (RFC 6761)."""
    assert post("http://metrix.invalid", seconds=5).stage is Stage.NOT_BEGUN


def test_a_connection_that_never_stands_had_not_begun(post):
    """The deadline counts from the first SYN."""
    with unanswering_address() as url, takes(0.25, 10):
        assert post(url, seconds=0.3).stage is Stage.NOT_BEGUN


@pytest.mark.parametrize("behaviour", [Close(), CloseAfterHeaders(), Reset()], ids=repr)
def test_a_connection_lost_after_the_request_began_is_ambiguous(post, behaviour):
    """The server may have all of it."""
    with FaultServer([behaviour]) as server:
        assert post(server.url).stage is Stage.BEGUN


def test_a_connection_closed_at_once_is_ambiguous(post):
    """The headers were on their way: a client cannot know that nobody read them."""
    with FaultServer(connections=[OnConnect.CLOSE]) as server:
        assert post(server.url).stage is Stage.BEGUN


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_an_answer_in_no_known_language_is_ambiguous(post, garbage):
    """Whatever it was, the request was there before it."""

    class Babble:
        def play(self, conversation):
            conversation.send(garbage)
            return False

    with FaultServer([Babble()]) as server:
        failure = post(server.url)
    assert (type(failure), failure.stage) == (Failure, Stage.BEGUN)


def test_an_answer_cut_off_keeps_its_status(post):
    """A refusal stays one; only a success needs its end to be believed."""
    with FaultServer([Truncated(status=200), Truncated(status=403)]) as server:
        first, second = post(server.url), post(server.url)
    assert (first.status, first.whole, judged(first).disposition) == (200, False, Disposition.UNREADABLE)
    assert (second.status, judged(second).disposition) == (403, Disposition.HALT)


def test_a_protocol_switch_that_nobody_asked_for_is_ambiguous(post):
    """101 is no refusal: what became of the request is not said."""
    with FaultServer([Answer(101, b"", {"Upgrade": "websocket", "Connection": "upgrade"})]) as server:
        assert judged(post(server.url)).disposition is Disposition.AMBIGUOUS


def test_a_body_without_a_length_that_breaks_off_is_not_whole(post):
    """Its end is that of the connection, and a reset is no end."""

    class BreaksOff:
        def play(self, conversation):
            conversation.send(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"message": "rec')
            conversation.stopping.wait(0.2)  # so that this much is read before the reset arrives
            return Reset().play(conversation)

    with FaultServer([BreaksOff()]) as server:
        assert judged(post(server.url)).disposition in (Disposition.UNREADABLE, Disposition.AMBIGUOUS)


def test_what_comes_before_the_answer_says_nothing_of_it(post):
    """Early hints have headers of their own: a page that they announce is not the answer."""

    class Hints:
        def play(self, conversation):
            conversation.send(b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\nRetry-After: 9\r\n\r\n")
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return True

    with FaultServer([Hints()]) as server:
        assert post(server.url) == Reply(200, "{}")


@pytest.mark.parametrize("name", ["X-A: b\r\nX-C", "X-A\nX-C", "X-\u0633"])
def test_a_header_that_is_none_is_not_sent(transport_to, name):
    """It would be another header, or another request."""

    async def run(url):
        transport = transport_to(url)
        found = await transport.post("/push", {name: "d"}, b"{}", 5)
        await transport.close()
        return found

    with FaultServer() as server:
        assert asyncio.run(run(server.url)).stage is Stage.NOT_BEGUN
    assert server.requests == []


@pytest.mark.parametrize("then", [Close(), Reset(), Hang()], ids=repr)
def test_an_answer_that_comes_before_the_body_has_left_counts(transport_to, then):
    """Such as 413 from a server that reads no more; what was not sent holds nothing up."""

    class AnswersEarly(CloseAfterHeaders):  # the server reads no body before it
        def play(self, conversation):
            conversation.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
            conversation.stopping.wait(0.1)
            return then.play(conversation)

    async def run(url):
        transport = transport_to(url)
        found = await transport.post("/push", {}, b"x" * 500_000, 10)
        await transport.close()
        return found

    with FaultServer([AnswersEarly()]) as server, takes(0, 5):
        assert judged(asyncio.run(run(server.url))).too_large


# -- one deadline for the whole attempt


@pytest.mark.parametrize("behaviour", [Hang(), Drip(0.05), Drip(0.05, head_at_once=True)], ids=repr)
def test_the_deadline_holds_for_the_whole_attempt(post, behaviour):
    """However steadily an answer drips: each byte is in time, all of them are not."""
    with FaultServer([behaviour]) as server, takes(0.4, 10):
        exchange = post(server.url, seconds=0.4)
    assert judged(exchange).disposition in (Disposition.AMBIGUOUS, Disposition.UNREADABLE)


FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STALE = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [FIRST + STALE, FIRST + STALE[:9], FIRST + b"rest", CHUNKED + STALE, b"HTTP/1.1 204 No\r\n\r\n" + STALE],
    ids=["a second answer", "the beginning of one", "more than was announced", "after chunks", "after no content"],
)
@pytest.mark.parametrize("late", [None, "unread", "read"])
def test_what_comes_beyond_an_answer_is_no_answer_to_the_next_request(transport_to, said, late):
    """At once with the first, or before the next request leaves: that one takes another connection."""

    class Chatty:
        def play(self, conversation):
            end = said.index(STALE[:4], 9) if late and said.count(b"HTTP") > 1 else len(said)
            conversation.send(said[:end])
            if end < len(said):
                answered.wait(20)
                conversation.send(said[end:])
                sent.set()
            return True

    answered, sent = threading.Event(), threading.Event()

    async def run(url):
        transport = transport_to(url)
        first = await transport.post("/push", {}, b"{}", 5)
        answered.set()
        if late and said.count(b"HTTP") > 1:
            sent.wait(20)  # without the event loop, which has not seen it when the next request begins
            time.sleep(0.05)
            if late == "read":
                await asyncio.sleep(0.05)
        second = await transport.post("/push", {}, b"{}", 5)
        await transport.close()
        return first.status, second.status

    with FaultServer([Chatty(), Answer(202)]) as server:
        assert asyncio.run(run(server.url)) == (int(said[9:12]), 202)
        assert [request.connection for request in server.requests] == [1, 2]


def test_the_next_attempt_after_a_broken_one_is_as_good_as_new(transport_to):
    """Nothing of a dripping, a hanging, or a cancelled answer is left on the connection that follows."""

    async def run(url):
        transport = transport_to(url)
        for _ in range(3):
            await transport.post("/push", {}, b"{}", 0.15)
        task = asyncio.create_task(transport.post("/push", {}, b"{}", 5))
        await eventually(lambda: len(server.requests) == 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        last = await transport.post("/push", {}, b"{}", 2)
        await transport.close()
        return last

    script = [Drip(0.05), Drip(0.05, head_at_once=True), Hang(), Hang(), Answer(200, b"fresh")]
    with FaultServer(script) as server:
        assert asyncio.run(run(server.url)).body == "fresh"


# -- how much is read


def test_no_more_than_64_kib_of_a_huge_answer_are_read(post):
    """The rest stays with the server."""
    with FaultServer([Huge()]) as server:
        reply = post(server.url)
    assert (reply.status, len(reply.body)) == (200, READ_AT_MOST)
    assert server.bytes_sent < 20_000_000  # what fits into the buffers of the sockets


def test_a_head_without_an_end_is_given_up(post):
    """Before it fills the memory, and long before the attempt's time is over."""

    class Endless:
        def play(self, conversation):
            conversation.send(b"HTTP/1.1 200 OK\r\n")
            while True:
                conversation.send(b"X-More: %b\r\n" % (b"x" * 1_000))

    with FaultServer([Endless()]) as server:
        failure = post(server.url, seconds=60)
    assert (type(failure), failure.stage) == (Failure, Stage.BEGUN)
    assert "no answer within" not in failure.reason


def test_the_attempt_after_a_huge_answer_is_as_good_as_new(transport_to):
    """What was not read of it holds nothing up."""

    async def run(url):
        transport = transport_to(url)
        bodies = [len((await transport.post("/push", {}, b"{}", 20)).body) for _ in range(2)]
        await transport.close()
        return bodies

    with FaultServer([Huge(), Answer(200, b"fresh")]) as server:
        assert asyncio.run(run(server.url)) == [READ_AT_MOST, len("fresh")]


def test_a_compressed_bomb_stays_small(post):
    """It was not asked for, and is undone up to the limit."""
    with FaultServer([GzipBomb()]) as server:
        reply = post(server.url)
    assert (reply.status, len(reply.body)) == (200, READ_AT_MOST)


def test_compressed_answers_are_read(post):
    """A server may send what was not asked for."""
    with FaultServer([Answer(400, gzip.compress(b"no such field"), {"Content-Encoding": "gzip"})]) as server:
        assert post(server.url).body == "no such field"


def test_a_broken_compression_leaves_the_status(post):
    """And an empty text."""
    with FaultServer([Answer(400, b"\x1f\x8bnonsense", {"Content-Encoding": "gzip"})]) as server:
        assert post(server.url) == Reply(400, "", content_type="application/json")


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(post, status):
    """Neither the key nor the body goes elsewhere."""
    with FaultServer() as elsewhere, FaultServer([redirect(elsewhere.url + "/push", status)]) as server:
        reply = post(server.url)
    assert reply.status == status
    assert elsewhere.connections_accepted == 0
    assert len(server.requests) == 1


# -- proxies and the environment


@pytest.fixture
def _environment(monkeypatch):
    with FaultServer([Answer(200, b"the environment's proxy")]) as trap:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, trap.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield
        assert trap.connections_accepted == 0


@pytest.mark.usefixtures("_environment")
def test_the_environments_proxies_are_ignored(post):
    """Only what the configuration says counts."""
    with FaultServer([Answer(200, b"the server itself")]) as server:
        assert post(server.url).body == "the server itself"


def test_a_configured_proxy_is_used(post):
    """Plain http, which only goes to this machine, is forwarded."""
    with FaultServer([Answer(200, b"forwarded")]) as proxy:
        reply = post("http://127.0.0.1:9", proxy=proxy.url)
    assert reply.body == "forwarded"
    assert proxy.requests[0].path == "http://127.0.0.1:9/push"


@pytest.mark.parametrize("status", [403, 407, 500, 502])
def test_a_tunnel_that_the_proxy_refuses_had_not_begun(post, status):
    """The proxy saw where to, and neither key nor body."""
    with FaultServer([Answer(status, b"no")]) as proxy:
        failure = post("https://metrix.invalid", proxy=proxy.url)
    assert failure.stage is Stage.NOT_BEGUN
    [request] = proxy.requests
    assert (request.method, request.path) == ("CONNECT", "metrix.invalid:443")
    assert API_KEY not in str(request)


def test_a_tunnel_that_the_proxy_never_opens_had_not_begun(post):
    """Within the attempt's deadline."""
    with FaultServer([Hang()]) as proxy, takes(0.25, 10):
        assert post("https://metrix.invalid", proxy=proxy.url, seconds=0.3).stage is Stage.NOT_BEGUN


def test_a_proxy_that_is_not_there_had_not_begun(post):
    """And its password is in no message."""
    with refusing_address() as url:
        failure = post("https://metrix.invalid", proxy=url.replace("//", "//user:pass-word@"))
    assert failure.stage is Stage.NOT_BEGUN
    assert "pass-word" not in failure.reason


# -- connections


def test_a_connection_is_kept_for_the_next_request(transport_to):
    """One handshake for many."""

    async def run(url):
        transport = transport_to(url)
        for _ in range(5):
            await transport.post("/push", {}, b"{}", 2)
        await transport.close()

    with FaultServer() as server:
        asyncio.run(run(server.url))
    assert {request.connection for request in server.requests} == {1}


def test_a_connection_that_the_server_wants_closed_is_not_kept(transport_to):
    """Also when the server has not closed it yet: a request that it reads no more would be in doubt."""

    class Announces:
        def play(self, conversation):
            Answer(200, b"{}", {"Connection": "close"}).play(conversation)
            return True

    async def run(url):
        transport = transport_to(url)
        for _ in range(2):
            await transport.post("/push", {}, b"{}", 2)
        await transport.close()

    with FaultServer([Announces()]) as server:
        asyncio.run(run(server.url))
    assert [request.connection for request in server.requests] == [1, 2]


def test_a_kept_connection_that_the_server_closed_costs_nothing(transport_to):
    """It is noticed before the next request begins, so that this one is not in doubt."""

    async def run(url):
        transport = transport_to(url)
        replies = []
        for _ in range(3):
            replies.append(await transport.post("/push", {}, b"{}", 2))
            await eventually(lambda: not server.connections_open)
            await asyncio.sleep(0.01)  # a few turns of the loop, in which the end of the connection is read
        await transport.close()
        return replies

    class AnswerAndClose:
        def play(self, conversation):
            Answer().play(conversation)
            return False

    with FaultServer([AnswerAndClose()]) as server:
        assert [reply.status for reply in asyncio.run(run(server.url))] == [200, 200, 200]
    assert [request.connection for request in server.requests] == [1, 2, 3]


@pytest.mark.parametrize("end", [Close(), Reset(), Hang()], ids=repr)
def test_408_on_an_idle_connection_is_no_answer_to_the_next_request(transport_to, end):
    """Servers say so before they close what nobody uses; the next request takes another connection."""

    class Tires:
        def play(self, conversation):
            Answer().play(conversation)
            answered.wait(20)
            conversation.send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            sent.set()
            return end.play(conversation)

    answered, sent = threading.Event(), threading.Event()

    async def run(url):
        transport = transport_to(url)
        first = await transport.post("/push", {}, b"{}", 5)
        answered.set()
        sent.wait(20)
        time.sleep(0.05)
        second = await transport.post("/push", {}, b"{}", 5)
        await transport.close()
        return first.status, second.status

    with FaultServer([Tires(), Answer(202)]) as server:
        assert asyncio.run(run(server.url)) == (200, 202)
        assert [request.connection for request in server.requests] == [1, 2]


def test_a_kept_connection_lost_after_the_request_began_is_ambiguous(transport_to):
    """And the request is not sent again, whatever the client would do by itself."""

    async def run(url):
        transport = transport_to(url)
        exchanges = [await transport.post("/push", {}, b"{}", 2) for _ in range(2)]
        await transport.close()
        return exchanges

    for fault in (Close(), Reset(), CloseAfterHeaders()):
        with FaultServer([Answer(), fault, Answer()]) as server:
            first, second = asyncio.run(run(server.url))
        assert (first.status, second.stage) == (200, Stage.BEGUN)
        assert [request.connection for request in server.requests] == [1, 1]
