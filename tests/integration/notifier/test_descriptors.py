"""Few file descriptors: fewer connections, and never an outcome that cannot be written down."""

import json
import subprocess
import sys

import pytest

from helpers.accounting_server import AccountingServer
from helpers.campaigns import Project, people
from helpers.campaigns import balance as missing

BEGIN = """
import asyncio, json, os, resource, sys
from metrix_channels import AsyncNotifier, Notifier
from metrix_channels.errors import MetrixChannelsError
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
"""
CAMPAIGN = """
with Notifier.from_config("channels.yaml") as notifier:
    print(json.dumps(notifier.run_campaign("offer.yaml").as_dict()))
"""
TASKS = """
async def send(notifier, name):
    return (await notifier.send("sms", name, "offer", {"first_name": "x"}, key=name)).outcome
async def send_all():
    async with AsyncNotifier.from_config("channels.yaml") as notifier:
        print(json.dumps(await asyncio.gather(*(send(notifier, f"u{number}") for number in range(100)))))
asyncio.run(send_all())
"""
NONE_LEFT = """
with Notifier.from_config("channels.yaml") as notifier:
    send = lambda name: notifier.send("sms", name, "offer", {"first_name": "x"}, key=name).outcome
    said = [send("first")]
    held = []
    while True:
        try:
            held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            break
    for name in ("second", "third"):
        try:
            said.append(send(name))
        except MetrixChannelsError as error:
            said.append(error.code)
    print(json.dumps(said))
"""


def ran(program, limit, folder):
    """Run a program with so many descriptors; return what it printed."""
    command = [sys.executable, "-c", BEGIN + program, str(limit)]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture
def project(tmp_path):
    """100 recipients whose texts are all different, so that each is a request."""
    project = Project(tmp_path)
    project.template("سلام {{ first_name }}")
    project.audience(people(100, [f"n{number}" for number in range(100)]))
    project.campaign()
    return project


@pytest.mark.parametrize("limit", [24, 32, 48, 64])
def test_a_campaign_takes_no_more_connections_than_fit(project, limit):
    """At a concurrency of 64 it runs to its end; everybody is sent to once, and nothing is in doubt."""
    with AccountingServer(seconds=0.01) as server:
        project.configure(server.url, concurrency=64)
        status = ran(CAMPAIGN, limit, project.folder)
    assert (status["state"], status["accepted"], status["possible_duplicates"]) == ("finished", 100, 0)
    assert missing(status) == 0
    assert (len(server.account), server.twice) == (100, set())
    assert server.most_at_once < limit - 16


@pytest.mark.parametrize("limit", [24, 48])
def test_many_tasks_take_no_more_connections_than_fit(project, limit):
    """All of them are accepted; they wait for each other."""
    with AccountingServer(seconds=0.01) as server:
        project.configure(server.url, concurrency=64)
        outcomes = ran(TASKS, limit, project.folder)
    assert outcomes == ["accepted"] * 100
    assert (len(server.account), server.twice) == (100, set())


def test_where_no_descriptor_is_left_a_send_is_written_down_or_refused(project):
    """The ledger has some of its own; what else is needed is missed before anything leaves."""
    with AccountingServer() as server:
        project.configure(server.url)
        said = ran(NONE_LEFT, 64, project.folder)
    assert said[0] == "accepted"
    assert set(said) <= {"accepted", "file_unreadable", "unreachable"}
    names = ("first", "second", "third")
    assert server.account == {name: 1 for name, outcome in zip(names, said, strict=True) if outcome == "accepted"}
