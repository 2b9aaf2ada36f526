"""Stop the PostgreSQL of a test run, and remove its folder, when the test run ends, however it ends.

    python reaper.py FOLDER

A test run that is killed cannot clean up behind itself, so this process does. It acts when its standard input says so
or is closed, or when its parent process is gone. Workers and others that were started to use the server end with it:
they are known by a variable in their environment.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "TESTS_USE_POSTGRES"
PATIENCE: Final = 30.0
"""Seconds that a server gets to stop."""


def wait_for_end(parent: int) -> None:
    """Return when the test run is over; forked children of a killed one may still hold the other end of the pipe."""
    while os.getppid() == parent and not select.select([sys.stdin], [], [], 1.0)[0]:
        pass


def stop(data: Path) -> None:
    """Stop the server on a data folder, if there is one, and wait until it is gone."""
    with suppress(OSError, ValueError, IndexError):
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        ends = time.monotonic() + PATIENCE
        os.kill(postmaster, signal.SIGQUIT)  # as `pg_ctl stop --mode immediate` does
        while time.monotonic() < ends:
            os.kill(postmaster, 0)
            time.sleep(0.05)
        os.kill(postmaster, signal.SIGKILL)


def kill_users(folder: Path) -> None:
    """Kill every process that was started with the server at hand; only Linux tells which."""
    mark = f"{VARIABLE}={folder}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    wait_for_end(os.getppid())
    stop(folder / "data")
    kill_users(folder)
    shutil.rmtree(folder, ignore_errors=True)
