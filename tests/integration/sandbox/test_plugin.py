"""The pytest plugin, as a user of the library meets it."""

import json
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from metrix_channels import Notifier, Outcome
from metrix_channels.errors import UsageError
from metrix_channels.testing import MetrixConfig, Sandbox

_USERS_TESTS = """
import json
import urllib.request


def _send(sandbox):
    body = json.dumps({"recipients": ["u1"], "channel": "SMS", "message": {"body": "hello"}}).encode()
    headers = {"X-Application-Id": sandbox.app_id, "X-API-Key": sandbox.api_key, "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(sandbox.url + "/push", body, headers)).close()


def test_one(metrix_sandbox):
    metrix_sandbox.test_channel("SMS")
    metrix_sandbox.inject("slow:0", times=5)
    _send(metrix_sandbox)
    assert [entry["delivered"] for entry in metrix_sandbox.messages()] == [True]


def test_two_starts_anew(metrix_sandbox, metrix_config):
    assert metrix_sandbox.messages() == []
    _send(metrix_sandbox)
    [entry] = metrix_sandbox.messages()
    assert (entry["delivered"], entry["fault"]) == (False, None)
    assert metrix_config().is_file()
"""


def test_users_tests_find_the_fixtures(tmp_path: Path) -> None:
    """The fixtures are there without any import, and each test starts with an empty sandbox."""
    (tmp_path / "test_users.py").write_text(_USERS_TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_loading_the_plugin_costs_little() -> None:
    """It is loaded in every project where the library is installed: nothing heavy comes with it."""
    code = "import sys, metrix_channels.testing; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"httpx", "httpcore", "starlette", "uvicorn", "jinja2", "yaml", "sqlite3", "asyncio"}
    assert heavy & set(done.stdout.split()) == set()


def test_config_points_at_the_sandbox(metrix_sandbox: Sandbox, metrix_config: MetrixConfig) -> None:
    """The file holds the sandbox's address; its key stands in a file of its own that nobody else reads."""
    path = metrix_config()
    config = json.loads(path.read_text(encoding="utf-8"))
    assert config["metrix"]["base_url"] == metrix_sandbox.url
    assert metrix_sandbox.api_key not in path.read_text(encoding="utf-8")
    key = Path(config["metrix"]["api_key_file"])
    assert key.read_text() == metrix_sandbox.api_key
    assert key.stat().st_mode & 0o077 == 0


def test_settings_are_laid_over_the_plugins_own(metrix_config: MetrixConfig) -> None:
    """`metrix` is completed, everything else is replaced; templates start at the working folder."""
    channels = {"کوتاه": {"type": "sms", "verified": False}}
    path = metrix_config(metrix={"timeout": "1s"}, channels=channels, on_ambiguous="hold", templates="templates")
    config = json.loads(path.read_text(encoding="utf-8"))
    assert config["metrix"]["timeout"] == "1s"
    assert config["metrix"]["app_id"] == "sandbox-app"
    assert (config["channels"], config["on_ambiguous"]) == (channels, "hold")
    assert config["templates"] == str(Path.cwd() / "templates")


def test_key_of_the_config_is_the_sandboxs(metrix_sandbox: Sandbox, metrix_config: MetrixConfig) -> None:
    """A request with what the file says is let in."""
    metrix = json.loads(metrix_config().read_text(encoding="utf-8"))["metrix"]
    body = json.dumps({"recipients": ["u1"], "channel": "SMS", "message": {"body": "سلام"}}).encode()
    headers = {
        "X-Application-Id": metrix["app_id"],
        "X-API-Key": Path(metrix["api_key_file"]).read_text(),
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(metrix["base_url"] + "/push", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        assert answer.status == 200
    assert len(metrix_sandbox.messages()) == 1


def test_the_sandbox_sends_what_the_outbox_holds(metrix_sandbox: Sandbox, metrix_config: MetrixConfig) -> None:
    """In place of a worker: what the test's own code enqueued in a transaction, and nothing that is due later."""
    metrix_sandbox.test_channel("SMS")
    with pytest.raises(UsageError):
        metrix_sandbox.drain()
    path = metrix_config()
    metrix_sandbox.drain()
    ledger = sqlite3.connect(path.parent / "metrix-channels.db")
    with Notifier.from_config(path) as notifier, closing(ledger) as connection:
        notifier.enqueue("sms", "u1", text="Paid", connection=connection)
        notifier.enqueue("sms", "u2", text="Soon", connection=connection, at=datetime.now(UTC) + timedelta(hours=1))
        connection.commit()
    drained = metrix_sandbox.drain()
    assert [each.outcome for each in drained.receipts] == [Outcome.ACCEPTED]
    assert [each.recipients for each in drained.waiting] == [("u2",)]
    assert [each["message"]["body"] for each in metrix_sandbox.messages()] == ["Paid"]
