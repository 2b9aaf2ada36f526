"""The control plane, and who may reach it."""

from collections.abc import Iterator

import httpx
import pytest

from metrix_channels.errors import UsageError
from metrix_channels.sandbox import Sandbox


@pytest.fixture
def client(metrix_sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client that knows no credentials."""
    with httpx.Client(base_url=metrix_sandbox.url, trust_env=False, timeout=60) as client:
        yield client


def _push(sandbox: Sandbox, channel: str = "SMS", body: str = "سلام", title: str | None = None, *to: str) -> None:
    headers = {"X-Application-Id": sandbox.app_id, "X-API-Key": sandbox.api_key}
    content: dict[str, object] = {"recipients": to or ["u1"], "channel": channel, "message": {"body": body}}
    if title is not None:
        content["message"] = {"title": title, "body": body}
    answer = httpx.post(f"{sandbox.url}/push", json=content, headers=headers, trust_env=False, verify=False)
    assert answer.status_code == 200


def test_messages_are_listed_and_filtered(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """By channel, by recipient, by both; the same over HTTP and in Python."""
    _push(metrix_sandbox, "SMS", "a", "", "u1", "u2")
    _push(metrix_sandbox, "EMAIL", "b", "", "u2")
    for query, bodies in [
        ({}, ["a", "b"]),
        ({"channel": "SMS"}, ["a"]),
        ({"recipient": "u2"}, ["a", "b"]),
        ({"recipient": "u2", "channel": "EMAIL"}, ["b"]),
        ({"recipient": "u"}, []),
    ]:
        listed = client.get("/_sandbox/messages", params=query).json()
        assert [entry["message"]["body"] for entry in listed] == bodies
        assert listed == metrix_sandbox.messages(**query)


@pytest.mark.parametrize("path", ["messages", "events", "requests"])
def test_lists_start_empty(client: httpx.Client, path: str) -> None:
    """A test finds nothing of the one before."""
    assert client.get(f"/_sandbox/{path}").json() == []


def test_requests_are_listed_without_credentials(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """What came in is shown with its answer; credentials only as matched or not."""
    _push(metrix_sandbox)
    answer = client.get("/_sandbox/requests")
    [entry] = answer.json()
    assert (entry["method"], entry["path"], entry["status"], entry["api_key_matches"]) == ("POST", "/push", 200, True)
    assert metrix_sandbox.api_key not in answer.text


def test_test_button_makes_a_channel_deliver(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """Messages before the test stay undelivered, those after it are delivered."""
    _push(metrix_sandbox)
    assert client.post("/_sandbox/channels/SMS/test").json() == {"channel": "SMS", "tested": True}
    _push(metrix_sandbox)
    assert [entry["delivered"] for entry in metrix_sandbox.messages()] == [False, True]
    states = {entry["channel"]: entry["tested"] for entry in client.get("/_sandbox/channels").json()}
    assert states == {
        "SMS": True, "WEB_PUSH": False, "APP_PUSH": False, "EMAIL": False, "WEB_HOOK": False, "IN_APP": False,
        "ON_SITE": False,
    }  # fmt: skip


def test_unknown_channels_are_named(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """A wrong name is an error that lists the right ones, not an empty answer."""
    assert client.post("/_sandbox/channels/sms/test").status_code == 404
    answer = client.get("/_sandbox/messages", params={"channel": "sms"})
    assert answer.status_code == 400
    assert "APP_PUSH" in answer.json()["error"]["message"]
    with pytest.raises(UsageError, match="APP_PUSH"):
        metrix_sandbox.test_channel("sms")
    with pytest.raises(UsageError, match="APP_PUSH"):
        metrix_sandbox.messages("sms")


def test_delete_clears_everything(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """Messages, requests, faults and tested channels."""
    metrix_sandbox.test_channel("SMS")
    _push(metrix_sandbox)
    metrix_sandbox.inject("status:503", 5)
    assert client.delete("/_sandbox").status_code == 200
    assert (metrix_sandbox.messages(), metrix_sandbox.requests()) == ([], [])
    _push(metrix_sandbox)
    [entry] = metrix_sandbox.messages()
    assert (entry["request"], entry["delivered"]) == (1, False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"fault": "explode"}',
        b'{"fault": 503}',
        b'{"fault": "hang", "times": 0}',
        b'{"fault": "hang", "times": -1}',
        b'{"fault": "hang", "times": true}',
        b'{"fault": "hang", "times": 1.5}',
        b'{"fault": "hang", "times": 1000001}',
        b" " * 2_000_000,
    ],
    ids=lambda content: content[:40].decode(),
)
def test_malformed_faults_are_refused(client: httpx.Client, content: bytes) -> None:
    """400 with a sentence, and nothing is injected."""
    answer = client.post("/_sandbox/faults", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_sandbox", 405),
        ("GET", "/_sandbox/faults", 405),
        ("GET", "/_sandbox/channels/SMS/test", 405),
        ("POST", "/_sandbox/messages", 405),
        ("GET", "/_sandbox/nothing", 404),
        ("GET", "/_sandboxes", 404),
    ],
)
def test_nothing_changes_by_a_get(client: httpx.Client, method: str, path: str, status: int) -> None:
    """What changes something is reached by its own method alone."""
    assert client.request(method, path).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8025"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/_sandbox/messages"),
        ("POST", "/_sandbox/channels/SMS/test"),
        ("POST", "/_sandbox/faults"),
        ("DELETE", "/_sandbox"),
        ("POST", "/push"),
        ("POST", "/"),
    ],
)
def test_web_pages_from_elsewhere_are_refused(
    metrix_sandbox: Sandbox, client: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    """DNS rebinding and cross-site requests reach no path and change nothing, even with the right key."""
    _push(metrix_sandbox)
    credentials = {"X-Application-Id": metrix_sandbox.app_id, "X-API-Key": metrix_sandbox.api_key}
    answer = client.request(method, path, headers={**credentials, **headers}, content=b'{"fault": "hang"}')
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert (len(metrix_sandbox.requests()), len(metrix_sandbox.messages())) == (1, 1)
    _push(metrix_sandbox)
    assert metrix_sandbox.messages()[-1]["delivered"] is False
