"""Workers as real processes, and what may happen to them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from attrs import define, field

from helpers.campaigns import Project
from helpers.command_line import COMMAND, environment
from helpers.files import replace

LEASE = 3.0
"""Seconds: short, so that the dead are found out while a test waits."""
OVER = ("finished", "finished_with_errors", "cancelled")


@define
class Workers:
    """Worker processes on one project; whatever is left of them ends with the block."""

    project: Project
    lease: float = LEASE
    processes: list[subprocess.Popen[bytes]] = field(factory=list)
    log: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.log = self.project.folder / "workers.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        assert "Traceback" not in self.log.read_text(errors="replace"), self.log.read_text(errors="replace")[-4000:]

    def start(self, count: int = 1, *options: str, folder: Path | None = None) -> None:
        """Start some more, with the configuration of the project, or of another folder."""
        command = [COMMAND, "worker", "--concurrency", "4", "--lease", f"{int(self.lease)}s", *options]
        with self.log.open("ab") as log:
            for _ in range(count):
                self.processes.append(
                    subprocess.Popen(
                        command, cwd=folder or self.project.folder, env=environment(), stdout=log, stderr=log
                    )
                )

    def kill(self, at: int) -> None:
        """Kill one, which notices nothing."""
        process = self.processes.pop(at)
        process.kill()
        process.wait()

    def terminate(self, at: int) -> None:
        """Ask one to end, and wait until it has."""
        process = self.processes.pop(at)
        process.terminate()
        status = process.wait(timeout=60)
        # One that has only just been started takes no work yet, and simply ends.
        assert status in (0, -signal.SIGTERM), (status, self.log.read_text()[-3000:])

    def freeze(self, at: int, seconds: float) -> None:
        """Let one sleep as a machine does whose host is busy, and wake up as if nothing had been."""
        process = self.processes[at]
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)


def on_postgres(project: Project, url: str) -> None:
    """Change the one line of the configuration that makes a cluster of it."""
    config = json.loads(project.config.read_text())
    replace(project.config, json.dumps({**config, "ledger": url}))


def until(
    project: Project, name: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 120.0
) -> dict[str, Any]:
    """Wait until a run's status is as wanted, and return it."""
    ends = time.monotonic() + seconds
    with project.notifier() as notifier:
        while True:
            status = notifier.campaigns.status(name).as_dict()
            if holds(status):
                return status
            assert time.monotonic() < ends, status
            time.sleep(0.1)


def over(status: dict[str, Any]) -> bool:
    """Nothing more is sent."""
    return status["state"] in OVER
