"""A sandbox with few file descriptors: clients wait for a place, and each is answered."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from helpers.campaigns import Project, people
from helpers.command_line import started_command
from metrix_channels.sandbox.server import API_KEY, APP_ID

_AUTHORIZATION = {"X-Application-Id": APP_ID, "X-API-Key": API_KEY}
_PUSH = {"recipients": ["u1"], "channel": "SMS", "message": {"body": "سلام"}}


@contextmanager
def _sandbox(folder: Path, descriptors: int) -> Iterator[str]:
    """Run `metrix-channels sandbox` with so many descriptors; its URL. It says no more than how to begin."""
    with started_command("sandbox", "--port", "0", cwd=folder, descriptors=descriptors) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
        process.terminate()
        _, said = process.communicate(timeout=60)
        assert said.endswith(b"--by YOUR-NAME\n"), said
        assert process.returncode == 0


@pytest.mark.parametrize("limit", [24, 32, 48, 64])
def test_a_campaign_with_more_connections_than_fit_finishes(tmp_path: Path, limit: int) -> None:
    """Each of 200 recipients is sent to once at a concurrency of 64, nothing is in doubt, and no traceback is shown."""
    project = Project(tmp_path)
    project.template("سلام {{ first_name }}")
    project.audience(people(200, [f"n{number}" for number in range(200)]))
    project.campaign()
    with _sandbox(tmp_path, limit) as url:
        project.configure(url, on_ambiguous="hold", concurrency=64, app_id=APP_ID)
        (tmp_path / "key").write_text(API_KEY)
        httpx.post(f"{url}/_sandbox/channels/SMS/test", trust_env=False).raise_for_status()
        finished = project.run("run", "offer.yaml", "--yes")
        messages = httpx.get(f"{url}/_sandbox/messages", trust_env=False).json()
    status = finished.document
    assert (status["state"], status["accepted"], status["possible_duplicates"]) == ("finished", 200, 0)
    reached = [name for message in messages for name in message["recipients"]]
    assert sorted(reached) == sorted(f"u{number}" for number in range(200))


def test_a_connection_without_a_request_does_not_block_the_others(tmp_path: Path) -> None:
    """Browsers open one in advance; after the time of a keep-alive its place is given to the next."""
    with _sandbox(tmp_path, 24) as url:
        address = ("127.0.0.1", httpx.URL(url).port or 0)
        with socket.create_connection(address):
            answer = httpx.post(f"{url}/push", json=_PUSH, headers=_AUTHORIZATION, trust_env=False, timeout=60)
    assert answer.status_code == 200


def test_a_page_that_waits_for_changes_does_not_block_the_others(tmp_path: Path) -> None:
    """Its stream ends when no place is left, and the browser asks again later."""
    with _sandbox(tmp_path, 24) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as browser:
        with browser.stream("GET", "/_sandbox/changes") as stream:
            assert "data: " in stream.read().decode()
        assert httpx.get(url, trust_env=False, timeout=60).status_code == 200
