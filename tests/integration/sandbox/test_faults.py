"""Faults on demand, as a client meets them."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from metrix_channels.errors import UsageError
from metrix_channels.sandbox import Sandbox

_PUSH: dict[str, Any] = {"recipients": ["u1"], "channel": "SMS", "message": {"body": "سلام"}}


@pytest.fixture
def client(metrix_sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client with the right credentials and little patience."""
    headers = {"X-Application-Id": metrix_sandbox.app_id, "X-API-Key": metrix_sandbox.api_key}
    with httpx.Client(base_url=metrix_sandbox.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def _faults(entries: list[dict[str, Any]]) -> list[str | None]:
    return [entry["fault"] for entry in entries]


def test_status_takes_nothing_and_ends(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """As many times as asked, in the order of asking; then all is well again."""
    metrix_sandbox.inject("status:503", times=2)
    client.post("/_sandbox/faults", json={"fault": "status:429;retry-after=3"})
    answers = [client.post("/push", json=_PUSH) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 429, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == [None, None, "3", None]
    assert _faults(metrix_sandbox.messages()) == [None]
    assert [entry["status"] for entry in metrix_sandbox.requests()] == [503, 503, 429, 200]
    assert _faults(metrix_sandbox.requests()) == ["status:503", "status:503", "status:429;retry-after=3", None]


def test_html_is_a_200_that_took_nothing(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """As a captive portal or a proxy answers."""
    metrix_sandbox.inject("html")
    answer = client.post("/push", json=_PUSH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>" in answer.text
    assert metrix_sandbox.messages() == []


def test_drop_cuts_the_connection_after_taking_the_message(metrix_sandbox: Sandbox) -> None:
    """The client sees the end of the connection and no byte of an answer; the message was taken."""
    metrix_sandbox.inject("drop")
    with closing(http.client.HTTPConnection("127.0.0.1", metrix_sandbox.port, timeout=60)) as connection:
        headers = {
            "X-Application-Id": metrix_sandbox.app_id, "X-API-Key": metrix_sandbox.api_key,
            "Content-Type": "application/json",
        }  # fmt: skip
        connection.request("POST", "/push", json.dumps(_PUSH), headers)
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
    assert _faults(metrix_sandbox.messages()) == ["drop"]
    assert [entry["status"] for entry in metrix_sandbox.requests()] == [None]


def test_drop_leaves_other_connections_alone(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """Only the connection of the request is cut."""
    with socket.create_connection(("127.0.0.1", metrix_sandbox.port), timeout=60) as other:
        other.sendall(b"GET /_sandbox/channels HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in other.recv(65_536)
        metrix_sandbox.inject("drop")
        with pytest.raises(httpx.RemoteProtocolError):
            client.post("/push", json=_PUSH)
        other.sendall(b"GET /_sandbox/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while b"404 Not Found" not in (data := other.recv(65_536)):
            assert data, "the connection was cut"


def test_hang_takes_the_message_and_never_answers(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """Other requests are answered meanwhile."""
    metrix_sandbox.inject("hang")
    with pytest.raises(httpx.ReadTimeout):
        client.post("/push", json=_PUSH, timeout=0.25)
    assert client.post("/push", json=_PUSH).status_code == 200
    assert _faults(metrix_sandbox.messages()) == ["hang", None]


def test_slow_answers_late(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """The message is taken at once, the answer comes after the time asked for."""
    metrix_sandbox.inject("slow:0.15")
    started = time.monotonic()
    assert client.post("/push", json=_PUSH).status_code == 200
    assert time.monotonic() - started >= 0.15
    assert _faults(metrix_sandbox.messages()) == ["slow:0.15"]


def test_truncate_cuts_the_answer_off(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """The status comes and half of the body."""
    metrix_sandbox.inject("truncate")
    with client.stream("POST", "/push", json=_PUSH) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="received 11 bytes, expected 23"):
            answer.read()
    assert _faults(metrix_sandbox.messages()) == ["truncate"]


@pytest.mark.parametrize(("fault", "kept"), [("slow:0.01", 400), ("status:503", 503)])
def test_fault_on_a_bad_request_takes_nothing(
    metrix_sandbox: Sandbox, client: httpx.Client, fault: str, kept: int
) -> None:
    """A fault makes no bad request good."""
    metrix_sandbox.inject(fault)
    assert client.post("/push", json={}).status_code == kept
    assert metrix_sandbox.messages() == []


def test_faults_meet_events_too(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """`POST /` fails as `POST /push` does; the sandbox's own paths never do."""
    metrix_sandbox.inject("status:500")
    assert client.get("/_sandbox/events").status_code == 200
    assert client.get("/").status_code == 200
    assert client.post("/", json={}).status_code == 500


def test_unknown_fault_is_an_error(metrix_sandbox: Sandbox) -> None:
    """In Python as over HTTP."""
    with pytest.raises(UsageError, match="There is no fault 'explode'"):
        metrix_sandbox.inject("explode")
    with pytest.raises(UsageError, match="Times"):
        metrix_sandbox.inject("hang", times=0)
