"""The job as cron runs it: the script in a separate process with a minimal environment, against a sandbox."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from metrix_channels.testing import Sandbox

EXAMPLE = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
CUSTOMERS = ["user-1", "user-2", "user-3"]


@pytest.fixture
def folder(tmp_path: Path, metrix_sandbox: Sandbox) -> Path:
    """A copy of the example that sends to the sandbox; no channel is verified yet."""
    copy = tmp_path / "messages"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("tests", "venv", "*.db*"))
    (copy / "metrix.env").write_text(
        f"METRIX_APP_ID={metrix_sandbox.app_id}\nMETRIX_API_KEY={metrix_sandbox.api_key}\n"
    )
    config = copy / "channels.yaml"
    config.write_text(config.read_text().replace("https://entry.metrix.ir", metrix_sandbox.url))
    return copy


def start(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the script as cron does: in its own shell, with a short PATH and no terminal."""
    return subprocess.run(
        ["/bin/sh", "-c", folder / "send-weekly.sh"],
        env={"PATH": f"{COMMANDS}:/usr/bin:/bin", "HOME": "/nonexistent", "SHELL": "/bin/sh"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def verify(folder: Path, sandbox: Sandbox) -> None:
    """Test the channel and record the test."""
    sandbox.test_channel("SMS")
    credentials = {"METRIX_APP_ID": sandbox.app_id, "METRIX_API_KEY": sandbox.api_key}
    command = [str(COMMANDS / "metrix-channels"), "channels", "verify", "sms", "--by", "tests"]
    subprocess.run(command, cwd=folder, env={**os.environ, **credentials}, check=True, capture_output=True)


def received(sandbox: Sandbox) -> list[int]:
    """Return how many messages each customer has got."""
    return [len(sandbox.messages(recipient=customer)) for customer in CUSTOMERS]


def test_the_first_start_sends_and_the_others_do_nothing(folder: Path, metrix_sandbox: Sandbox) -> None:
    """Every customer gets one message in Persian, and cron has nothing to mail."""
    verify(folder, metrix_sandbox)
    for _ in range(2):
        job = start(folder)
        assert (job.returncode, job.stdout, job.stderr) == (0, "", "")
    assert received(metrix_sandbox) == [1, 1, 1]
    [message] = metrix_sandbox.messages(recipient="user-1")
    assert "۲۰ درصد" in message["message"]["body"]


def test_an_unverified_channel_sends_nothing_and_says_so(folder: Path, metrix_sandbox: Sandbox) -> None:
    """The status is 3, and the mail contains the command to run."""
    job = start(folder)
    assert job.returncode == 3
    assert "channels verify" in job.stdout
    assert metrix_sandbox.messages() == []


def test_a_run_that_was_halted_goes_on_at_the_next_start(folder: Path, metrix_sandbox: Sandbox) -> None:
    """Nobody gets a second message."""
    verify(folder, metrix_sandbox)
    metrix_sandbox.inject("status:401")
    halted = start(folder)
    assert halted.returncode == 4
    assert halted.stdout != ""
    assert start(folder).returncode == 0
    assert received(metrix_sandbox) == [1, 1, 1]


def test_the_crontab_starts_the_script() -> None:
    """The entry has five fields, then the path from the README."""
    lines = (EXAMPLE / "crontab").read_text().splitlines()
    [entry] = [line for line in lines if line and not line.startswith("#") and "=" not in line]
    assert re.fullmatch(r"(\S+ ){5}/srv/messages/send-weekly\.sh", entry)
    assert os.access(EXAMPLE / "send-weekly.sh", os.X_OK)
