"""Sends while the process ends: from threads that outlive the main one, from daemon threads, and in `atexit`.

What Metrix took is written down. What cannot be sent any more is refused before anything leaves.
"""

import subprocess
import sys
import time

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.project import make_project

BEGIN = """
import asyncio, atexit, os, sys, threading, time
from metrix_channels import AsyncNotifier, Notifier
from metrix_channels.errors import MetrixChannelsError

def say(line):  # without a buffer: Python aborts if a daemon thread holds one's lock while the process ends
    os.write(1, f"{line}\\n".encode())

def send(name):
    try:
        say(f"{name} {notifier.send('sms', name, 'hello', {'name': 'x'}, key=name).outcome}")
    except MetrixChannelsError as error:
        say(f"{name} {error.code}")
    except BaseException as error:
        say(f"{name} {type(error).__name__}: {error}")

def send_many(thread):
    for number in range(5):
        send(f"{thread}-{number}")
"""
FIRST = "notifier = Notifier.from_config(sys.argv[1])\nsend('first')\n"
THREADS = "[threading.Thread(target=send_many, args=(thread,)).start() for thread in 'ab']\n"
AT_EXIT = "atexit.register(send_many, 'a')\natexit.register(notifier.close)\natexit.register(send_many, 'b')\n"
ASYNCHRONOUS = """
async def send_all():
    async with AsyncNotifier.from_config(sys.argv[1]) as notifier:
        for number in range(10):
            name = f"a-{number}"
            try:
                say(f"{name} {(await notifier.send('sms', name, 'hello', {'name': 'x'}, key=name)).outcome}")
            except MetrixChannelsError as error:
                say(f"{name} {error.code}")
threading.Thread(target=lambda: asyncio.run(send_all())).start()
"""


def said_by(program, config):
    """Run a program, and return the lines that it printed; it prints no traceback."""
    found = subprocess.run(
        [sys.executable, "-c", BEGIN + program, str(config)], capture_output=True, text=True, timeout=60
    )
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout.splitlines()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize(
    "program",
    [FIRST + THREADS, FIRST + THREADS + "time.sleep(0.1)", FIRST + AT_EXIT, ASYNCHRONOUS],
    ids=["threads", "threads in the middle", "atexit", "asynchronous"],
)
def test_whatever_is_sent_while_the_process_ends_is_written_down(tmp_path, program, host):
    """Every send has its outcome, and none that Metrix took stays open, so that nothing goes twice.

    A name is looked up on a thread, which the loop of an asynchronous program may be denied: then nothing leaves.
    """
    with AccountingServer(seconds=0.02) as server:
        project = make_project(tmp_path, server.url.replace("127.0.0.1", host), max_attempts=1)
        lines = said_by(program, project.config)
    outcomes = dict(line.split(" ", 1) for line in lines)
    accepted = {name for name, outcome in outcomes.items() if outcome == "accepted"}
    assert set(outcomes.values()) <= {"accepted", "unreachable", "thread_refused"}
    assert accepted == set(server.account)
    assert server.twice == set()
    assert project.query("SELECT count(*) FROM attempts WHERE ended_at IS NULL") == [(0,)]
    if program != ASYNCHRONOUS and sys.version_info < (3, 12):
        assert len(accepted) == 11


def test_a_daemon_thread_in_the_middle_of_a_send_is_waited_for(tmp_path):
    """What it had begun is written down; what it begins while the process ends is refused, and nothing of it leaves."""
    asked = tmp_path / "asked"
    program = FIRST + (
        "threading.Thread(target=send_many, args=('a',), daemon=True).start()\n"
        f"while not os.path.exists({str(asked)!r}): time.sleep(0.01)\n"
    )

    def answer_slowly(recipients, _message, _body):
        if recipients == ["a-0"]:
            asked.touch()
            time.sleep(1.0)
        return Taken()

    with AccountingServer(answer_slowly) as server:
        project = make_project(tmp_path, server.url)
        said_by(program, project.config)
    assert set(server.account) == {"first", "a-0"}
    assert server.twice == set()
    assert project.query("SELECT count(*) FROM attempts WHERE ended_at IS NULL") == [(0,)]
    assert project.query("SELECT count(*) FROM sends WHERE state = 'open'") == [(0,)]
