"""Runs the services of compose.yaml as processes on this machine, without images and containers."""

import json
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLE = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
SANDBOX = "http://metrix:8025"
TIME = 60.0
SERVICES: dict[str, Any] = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"]


def free_port() -> int:
    """Return a free port for a service, which has all ports to itself in its container."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Machine:
    """Runs services in a copy of the folder; `http://metrix:8025` is a port of this machine there.

    Attributes:
        sandbox: the address that stands for the sandbox's.
    """

    def __init__(self, folder: Path, processes: ExitStack) -> None:
        port = free_port()
        self.sandbox = f"http://127.0.0.1:{port}"
        self._port = port
        self._folder = folder
        self._processes = processes
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("tests"))
        config = folder / "channels.yaml"
        config.write_text(config.read_text().replace(SANDBOX, self.sandbox))

    def command(self, text: str) -> list[str]:
        """Return a command of compose.yaml, with the port and the programs of this machine."""
        return shlex.split(text.replace(SANDBOX, self.sandbox).replace(":8025", f":{self._port}"))

    def start(self, name: str, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start a service."""
        environment = {"PATH": f"{COMMANDS}:/usr/bin:/bin", **SERVICES[name].get("environment", {}), **variables}
        command = [*self.command(SERVICES[name]["command"]), *arguments]
        process = subprocess.Popen(command, cwd=self._folder, env=environment)
        self._processes.callback(process.wait)
        self._processes.callback(process.kill)
        return process

    def start_sandbox(self) -> None:
        """Start `metrix`, and wait until its health check passes."""
        self.start("metrix", "--port", str(self._port))
        check = self.command(SERVICES["metrix"]["healthcheck"]["test"])
        until = time.monotonic() + TIME
        while subprocess.run([COMMANDS / check[0], *check[1:]], capture_output=True).returncode:
            assert time.monotonic() < until, "the sandbox is not healthy"
            time.sleep(0.1)

    def messages(self) -> Any:
        """Return what the sandbox has taken."""
        with urllib.request.urlopen(f"{self.sandbox}/_sandbox/messages", timeout=TIME) as answer:
            return json.loads(answer.read())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose services end with the test."""
    with ExitStack() as processes:
        yield Machine(tmp_path / "shop", processes)


def order(port: int) -> int:
    """Place the order of the README when the shop listens, and return the status."""
    body = json.dumps({"id": 1041, "user": "user-42"}).encode()
    until = time.monotonic() + TIME
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/orders", body, TIME) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < until, "the shop does not answer"
            time.sleep(0.1)


def test_an_order_ends_in_the_inbox(machine: Machine) -> None:
    """The three services start one after the other; a repeated order sends nothing."""
    machine.start_sandbox()
    assert machine.start("tested").wait(TIME) == 0
    port = free_port()
    machine.start("shop", PORT=str(port))
    assert [order(port), order(port)] == [201, 201]
    [message] = machine.messages()
    assert "۱۰۴۱" in message["message"]["body"]
    assert message["delivered"] is True


def test_without_the_sandbox_an_order_is_answered(machine: Machine) -> None:
    """The shop answers 502, and keeps running."""
    port = free_port()
    machine.start("shop", PORT=str(port))
    assert order(port) == 502


@pytest.mark.parametrize(("name", "status"), [("metrix", 200), ("evil.example.com", 403)])
def test_the_sandbox_answers_to_the_name_of_its_service(machine: Machine, name: str, status: int) -> None:
    """It refuses a name that a web page could use."""
    machine.start_sandbox()
    request = urllib.request.Request(f"{machine.sandbox}/_sandbox/messages", headers={"Host": f"{name}:8025"})
    try:
        with urllib.request.urlopen(request, timeout=TIME) as answer:
            got = answer.status
    except urllib.error.HTTPError as error:
        got = error.code
    assert got == status


def test_the_services_fit_together() -> None:
    """Each service waits for existing services, and `base_url` names the service `metrix`."""
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    assert "--allowed-host metrix" in SERVICES["metrix"]["command"]
    assert f"base_url: {SANDBOX}" in (EXAMPLE / "channels.yaml").read_text()
    copied = (EXAMPLE / "Dockerfile").read_text()
    assert all(name in copied for name in ("channels.yaml", "shop.py", "templates"))
