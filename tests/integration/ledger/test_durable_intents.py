"""No request leaves before its intent is on disk, by the order in which the system was asked to write and to send."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.fault_server import FaultServer
from helpers.project import make_project

STRACE = shutil.which("strace")
CALLS = "trace=pwrite64,write,sendto,fsync,fdatasync,ftruncate"

TASKS = """
import asyncio, sys
from metrix_channels import AsyncNotifier

async def main():
    async with AsyncNotifier.from_config(sys.argv[1]) as notifier:
        await asyncio.gather(*(
            notifier.send("sms", f"user-{number:03}", "hello", {"name": "x"}, key=f"k{number}" if number % 2 else None)
            for number in range(60)
        ))

asyncio.run(main())
"""

THREADS = """
import sys, threading
from metrix_channels import Notifier

with Notifier.from_config(sys.argv[1]) as notifier:
    def send(first):
        for number in range(first, 60, 8):
            notifier.send("sms", f"user-{number:03}", "hello", {"name": "x"})
    threads = [threading.Thread(target=send, args=(first,)) for first in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""

CALL = re.compile(r"^(?:\[pid +)?(?P<thread>\d+)\]? +(?P<rest>.*)$")
BEGUN = re.compile(r"(?P<name>\w+)\(\d+<(?P<file>[^>]*)>(?P<arguments>.*)$")
RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>")
USER = re.compile(r"user-\d{3}")


def can_trace() -> bool:
    """Containers may forbid it."""
    return STRACE is not None and subprocess.run([STRACE, "-o", "/dev/null", "true"], check=False).returncode == 0


class Disk:
    """What would be in the ledger after a power cut, by the calls that have ended.

    With a write-ahead log a transaction counts once the log is synced. With a rollback journal it counts once its pages
    are synced, and after that its journal is cut off and synced; until then the next process would roll it back.
    """

    def __init__(self, ledger):
        self.ledger, self.journal, self.log = str(ledger), f"{ledger}-journal", f"{ledger}-wal"
        self.logged = set()
        self.written, self.synced, self.cut, self.durable = set(), set(), set(), set()

    def ended(self, name, file, arguments):
        if name == "pwrite64" and file == self.log:
            self.logged |= set(USER.findall(arguments))
        elif name in ("fsync", "fdatasync") and file == self.log:
            self.durable |= self.logged
        elif name == "pwrite64" and file == self.ledger:
            self.written |= set(USER.findall(arguments))
        elif name in ("fsync", "fdatasync") and file == self.ledger:
            self.synced |= self.written
        elif name == "ftruncate" and file == self.journal:
            self.cut |= self.synced
        elif name in ("fsync", "fdatasync") and file == self.journal:
            self.durable |= self.cut


def premature(trace, ledger):
    """Whose request left before the intent was on disk; and who was sent to at all."""
    disk, pending, early, sent = Disk(ledger), {}, set(), set()
    for line in trace.splitlines():
        if not (call := CALL.match(line)):
            continue
        thread, rest = call["thread"], call["rest"]
        if begun := BEGUN.match(rest):
            known = begun["name"], begun["file"], begun["arguments"]
            if known[0] == "sendto" and "POST /push" in known[2]:
                users = set(USER.findall(known[2]))
                sent |= users
                early |= users - disk.durable
            if "<unfinished ...>" in rest:
                pending[thread] = known
            else:
                disk.ended(*known)
        elif RESUMED.search(rest) and thread in pending:
            disk.ended(*pending.pop(thread))
    return early, sent


@pytest.mark.skipif(not can_trace(), reason="the calls of a process cannot be traced here")
@pytest.mark.parametrize("script", [TASKS, THREADS], ids=["tasks", "threads"])
def test_no_request_leaves_before_its_intent_is_on_disk(script, tmp_path):
    """Also where many sends share one commit."""
    trace = tmp_path / "trace"
    with FaultServer() as server:
        project = make_project(tmp_path, server.url)
        command = [STRACE, "-f", "-y", "-s", "65536", "-e", CALLS, "-o", trace, sys.executable, "-c", script]
        subprocess.run([*command, project.config], check=True, timeout=300)
    early, sent = premature(trace.read_text(errors="replace"), Path(project.ledger).resolve())
    assert len(sent) == 60
    assert early == set()
    assert project.query("SELECT count(*) FROM attempts WHERE disposition = 'accepted'") == [(60,)]
