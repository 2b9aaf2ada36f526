"""The PostgreSQL of the tests: it never outlives the process that started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.command_line import wait_until
from helpers.ledgers import WITH_HELPERS

SERVE = """
import os, subprocess
from helpers.postgres import Postgres
with Postgres() as server:
    worker = subprocess.Popen(["sleep", "600"])
    print(server.folder.parent, (server.folder / "postmaster.pid").read_text().split()[0], worker.pid, flush=True)
    if FORKED and os.fork() == 0:
        import time
        time.sleep(60)  # it holds all that its parent had open
    input()
    worker.kill()
    worker.wait()
"""


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("end", ["ends", "is killed", "is killed, but not its forked child"])
def test_no_server_no_folder_and_no_worker_is_left(end):
    """However the process ends that started it: by itself, or without a chance to do anything."""
    script = SERVE.replace("FORKED", str("child" in end))
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=WITH_HELPERS,
        text=True,
        start_new_session=True,
    ) as process:
        folder, postmaster, worker = process.stdout.readline().split()
        assert is_alive(int(postmaster))
        if end == "ends":
            process.communicate("\n")
        else:
            process.kill()
        wait_until(lambda: not (is_alive(int(postmaster)) or is_alive(int(worker)) or Path(folder).exists()), 120)
        if "child" in end:
            os.killpg(process.pid, signal.SIGKILL)
