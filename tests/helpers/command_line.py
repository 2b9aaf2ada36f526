"""Runs the command as a user does, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

COMMAND = str(Path(sys.executable).parent / "metrix-channels")


@frozen
class Finished:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that is the whole of stdout."""
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what configures the command, and with some variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("METRIX_")}
    return {**kept, **variables}


def run_command(
    *arguments: str | os.PathLike[str], cwd: Path, env: dict[str, str] | None = None, stdin: str = ""
) -> Finished:
    """Run `metrix-channels` to its end; a traceback is never what a user sees."""
    result = subprocess.run(
        [COMMAND, *map(os.fspath, arguments)],
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin.encode(),
        capture_output=True,
        timeout=120,
    )
    finished = Finished(result.returncode, result.stdout.decode(), result.stderr.decode())
    assert "Traceback" not in finished.out + finished.err
    return finished


@contextmanager
def started_command(
    *arguments: str | os.PathLike[str], cwd: Path, descriptors: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `metrix-channels`, with a limit of open files, and make sure that it has ended when the block does."""
    limited = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"] if descriptors else []
    with subprocess.Popen(
        [*limited, COMMAND, *map(os.fspath, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def catches(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Return whether a process has a handler of its own for a signal: after the first one, there is none any more."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    [caught] = [line.split()[1] for line in lines if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (number - 1) & 1)


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition, and fail when it does not come."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


async def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition that another thread or process brings about, while this loop goes on."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
