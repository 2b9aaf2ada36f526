"""Metrix's own paths, as a client meets them."""

import json
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from metrix_channels.sandbox import Sandbox
from metrix_channels.sandbox.bodies import MAX_BODY

PUSH = {"recipients": ["u1", "u2"], "channel": "SMS", "message": {"title": "خبر", "body": "سلام سارا"}}


@pytest.fixture
def client(metrix_sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client with the right credentials."""
    with _client(metrix_sandbox) as client:
        yield client


def _client(sandbox: Sandbox, **headers: str) -> httpx.Client:
    credentials = {"X-Application-Id": sandbox.app_id, "X-API-Key": sandbox.api_key, **headers}
    return httpx.Client(base_url=sandbox.url, headers=credentials, trust_env=False, timeout=60)


def _event(**changes: Any) -> dict[str, Any]:
    return {
        "type": "action", "id": str(uuid.uuid4()), "time": 1_677_323_951_700, "customName": "order_paid", **changes
    }  # fmt: skip


def test_message_on_a_tested_channel_is_delivered(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """It is accepted, kept as it was sent, and delivered."""
    metrix_sandbox.test_channel("SMS")
    answer = client.post("/push", json=PUSH)
    assert (answer.status_code, answer.json()) == (200, {"message": "received"})
    [entry] = metrix_sandbox.messages()
    assert entry["at"].endswith("Z")
    assert {**entry, "at": None} == {
        "request": 1, "at": None, "channel": "SMS", "recipients": ["u1", "u2"], "message": PUSH["message"],
        "delivered": True, "reason": None, "fault": None,
    }  # fmt: skip


def test_message_on_an_untested_channel_goes_nowhere(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """The trap: Metrix accepts it, and nobody receives it. A test of another channel changes nothing."""
    metrix_sandbox.test_channel("EMAIL")
    assert client.post("/push", json=PUSH).status_code == 200
    [entry] = metrix_sandbox.messages()
    assert (entry["delivered"], entry["reason"]) == (False, "channel not tested")


@pytest.mark.parametrize(
    ("headers", "code", "matches"),
    [
        ({"X-API-Key": "wrong"}, "key_refused", (True, False)),
        ({"X-API-Key": ""}, "key_refused", (True, False)),
        ({"X-Application-Id": "wrong"}, "application_refused", (False, True)),
    ],
)
@pytest.mark.parametrize("path", ["/push", "/"])
def test_wrong_credentials_are_refused(
    metrix_sandbox: Sandbox, path: str, headers: Mapping[str, str], code: str, matches: tuple[bool, bool]
) -> None:
    """403 before the body is looked at; the log says which half was wrong, and never shows it."""
    with _client(metrix_sandbox, **headers) as client:
        answer = client.post(path, content=b"not even JSON")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    [entry] = metrix_sandbox.requests()
    assert (entry["app_id_matches"], entry["api_key_matches"]) == matches
    assert metrix_sandbox.api_key not in json.dumps(metrix_sandbox.requests())
    assert metrix_sandbox.messages() == []


@pytest.mark.parametrize(
    ("allowed", "status"), [(["10.0.0.0/8"], 403), ([], 403), (["127.0.0.1"], 200), (["10.0.0.1", "127.0.0.0/8"], 200)]
)
def test_white_list_decides_by_address(allowed: list[str], status: int) -> None:
    """An address that is not on the list is refused, whatever it claims in X-Forwarded-For."""
    with Sandbox(allowed_ips=allowed) as sandbox, _client(sandbox) as client:
        answer = client.post("/push", json=PUSH, headers={"X-Forwarded-For": "10.0.0.1"})
        assert answer.status_code == status
        if status == 403:
            assert "127.0.0.1 is not on the IP white list" in answer.json()["error"]["message"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_content_type_must_be_json(client: httpx.Client, content_type: str) -> None:
    """400 for another media type."""
    answer = client.post("/push", content=json.dumps(PUSH), headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_type")


def test_content_type_may_have_parameters(client: httpx.Client) -> None:
    """A charset beside the media type does no harm."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/push", content=json.dumps(PUSH), headers=headers).status_code == 200


def test_refused_body_is_answered_with_the_field(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """400, with the field at fault; kept among the requests and not among the messages."""
    answer = client.post("/push", json={**PUSH, "recipients": ["u1", ""]})
    error = {
        "code": "invalid_body",
        "message": "It must be a customUserId: text, not empty.",
        "field": "recipients[1]",
    }
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    [entry] = metrix_sandbox.requests()
    assert (entry["status"], entry["error"], metrix_sandbox.messages()) == (400, error, [])


def test_body_over_the_limit_is_413(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """A longer body is refused and not kept, and the connection goes on; one of exactly the limit is read."""
    body = json.dumps(PUSH).encode()
    headers = {"Content-Type": "application/json"}
    assert client.post("/push", content=body.ljust(MAX_BODY), headers=headers).status_code == 200
    assert client.post("/push", content=body.ljust(MAX_BODY + 1), headers=headers).status_code == 413
    assert client.post("/push", content=body.ljust(8 * MAX_BODY), headers=headers).status_code == 413
    assert [len(entry["body"]) for entry in metrix_sandbox.requests()] == [MAX_BODY, 0, 0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/push", 405),
        ("PUT", "/push", 405),
        ("DELETE", "/", 405),
        ("POST", "/nothing", 404),
        ("POST", "/push/", 404),
        ("POST", "/api/push", 404),
    ],
)
def test_other_methods_and_paths_do_not_exist(
    metrix_sandbox: Sandbox, client: httpx.Client, method: str, path: str, status: int
) -> None:
    """405 names what is allowed, 404 the paths that there are; both are kept and use up no fault."""
    metrix_sandbox.inject("status:503")
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)
    assert metrix_sandbox.requests()[0]["status"] == status


def test_events_are_processed(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """Each message of a batch is kept by itself."""
    profile = {"type": "user", "id": str(uuid.uuid4()), "time": 1_677_323_951_700, "firstName": "سارا"}
    event = _event()
    answer = client.post("/", json={"customUserId": "u1", "messages": [profile, event]})
    assert answer.status_code == 200
    found = [(entry["user"], entry["message"], entry["processed"]) for entry in metrix_sandbox.events()]
    assert found == [({"customUserId": "u1"}, profile, True), ({"customUserId": "u1"}, event, True)]


def test_duplicate_events_are_dropped_behind_a_200(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """A second event of one user with the same time is dropped, within one request and over several."""
    other_time = _event(time=1_677_323_951_701)
    batches = [("u1", [_event(), _event(type="revenue", revenue=1.0)]), ("u1", [_event()]), ("u2", [_event()])]
    batches += [("u1", [other_time]), ("u1", [{**other_time, "time": 1_677_323_951_702}])]
    for user, messages in batches:
        assert client.post("/", json={"customUserId": user, "messages": messages}).status_code == 200
    same_time = "duplicate: the user already has an event at this time"
    same_id = "duplicate: the user already has a message with this id"
    assert [entry["reason"] for entry in metrix_sandbox.events()] == [
        None, same_time, same_time, None, None, same_id,
    ]  # fmt: skip


def test_a_dropped_event_makes_no_duplicate(metrix_sandbox: Sandbox, client: httpx.Client) -> None:
    """What was dropped for its name may come again with the right one."""
    for name in ("", "order_paid"):
        client.post("/", json={"customUserId": "u1", "messages": [_event(customName=name)]})
    assert [entry["reason"] for entry in metrix_sandbox.events()] == ["customName is empty", None]


def test_taxonomy_decides_which_names_are_known() -> None:
    """An unknown name is dropped behind a 200."""
    with Sandbox(taxonomy=["order_paid"]) as sandbox, _client(sandbox) as client:
        messages = [_event(), _event(customName="order_piad", time=1_677_323_951_701)]
        assert client.post("/", json={"customUserId": "u1", "messages": messages}).status_code == 200
        reasons = [entry["reason"] for entry in sandbox.events()]
        assert reasons == [None, "customName is not in the application's taxonomy"]


def test_many_at_once_are_all_kept(metrix_sandbox: Sandbox) -> None:
    """Requests over several connections lose nothing, while others read."""

    def send(worker: int) -> None:
        with _client(metrix_sandbox) as client:
            for number in range(50):
                answer = client.post("/push", json={**PUSH, "recipients": [f"{worker}-{number}"]})
                assert answer.status_code == 200
                metrix_sandbox.messages(recipient="nobody")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    recipients = {entry["recipients"][0] for entry in metrix_sandbox.messages()}
    assert recipients == {f"{worker}-{number}" for worker in range(4) for number in range(50)}
    assert len({entry["number"] for entry in metrix_sandbox.requests()}) == 200
