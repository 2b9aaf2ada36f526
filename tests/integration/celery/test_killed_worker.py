"""A worker of Celery whose process is killed during a send: the task runs again, and its key makes that safe."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project
from helpers.command_line import environment, wait_until

SHOP = """
import json, os
from celery import Celery, signals
app = Celery("shop", broker="filesystem://", include=["metrix_channels.celery"])
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
app.conf.worker_lost_wait = 0.5  # seconds, in place of ten, until a killed process counts as lost

@signals.task_prerun.connect
def begun(task_id, **_):
    open("begun", "a").write(f"{os.getpid()}\\n")

@signals.task_postrun.connect
def ended(retval, **_):
    open("ended", "a").write(json.dumps(retval if isinstance(retval, list) else str(retval)) + "\\n")
"""
ORDER = """
import shop
from metrix_channels.celery import send_message
send_message.delay("sms", "u1", "offer", {"first_name": "سارا"}, key="order-7")
"""


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@contextmanager
def worker(folder):
    command = [sys.executable, "-m", "celery", "--app", "shop", "worker", "--concurrency", "1", "--loglevel", "WARNING"]
    with (folder / "worker.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def project(tmp_path):
    """A folder with the application, and a queue of files in place of a broker."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "queue").mkdir()
    return made


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_a_process_killed_in_the_middle_of_a_request(project, on_ambiguous):
    """The task runs again: `hold` makes no second request, `retry` makes one and the receipt says so."""
    arrived, answered = threading.Event(), threading.Event()

    def hang_once(_recipients, _message, _body):
        if not arrived.is_set():
            arrived.set()
            answered.wait(60)
        return Taken()

    with AccountingServer(hang_once) as server, worker(project.folder):
        project.configure(server.url, on_ambiguous=on_ambiguous, timeout="50s")
        subprocess.run([sys.executable, "-c", ORDER], cwd=project.folder, env=environment(), check=True, timeout=60)
        assert arrived.wait(60)
        [first] = lines(project.folder / "begun")
        os.kill(int(first), signal.SIGKILL)
        answered.set()
        wait_until(lambda: lines(project.folder / "ended"))
    [second] = set(lines(project.folder / "begun")) - {first}
    assert second
    [ended] = map(json.loads, lines(project.folder / "ended"))
    if on_ambiguous == "retry":
        [receipt] = ended
        assert (receipt["outcome"], receipt["possible_duplicate"]) == ("accepted", True)
        assert server.account == {"u1": 2}
    else:
        assert "outcome_unknown" in ended
        assert server.account == {"u1": 1}


def test_a_process_killed_between_the_receipt_and_the_acknowledgement(project):
    """The broker knows nothing of the send, the ledger does: the second run returns the first one's receipt."""
    (project.folder / "shop.py").write_text(
        SHOP
        + """
@signals.task_postrun.connect
def die_once(**_):
    if len(open("ended").readlines()) == 1:
        os.kill(os.getpid(), 9)
"""
    )
    with AccountingServer() as server, worker(project.folder):
        project.configure(server.url)
        subprocess.run([sys.executable, "-c", ORDER], cwd=project.folder, env=environment(), check=True, timeout=60)
        wait_until(lambda: len(lines(project.folder / "ended")) == 2)
    [first], [second] = map(json.loads, lines(project.folder / "ended"))
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert first["id"] == second["id"]
    assert server.account == {"u1": 1}
