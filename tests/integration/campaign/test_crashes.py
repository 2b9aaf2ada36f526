"""Killed at any moment, run again until it ends: the books add up, and the server's own account agrees with them."""

import json
import os
import random
import subprocess

import pytest

from helpers.accounting_server import AccountingServer, Taken, always, troubled
from helpers.campaigns import balance, people
from helpers.command_line import COMMAND, environment

SEED = int(os.environ.get("METRIX_CHANNELS_TEST_SEED", "1"))
MANY = 600


def killed_until_over(project, chance, name, most_kills):
    """Run the campaign, kill it, run it again; return how it ended and how often it was killed."""
    kills = 0
    while True:
        command = [COMMAND, "campaign", "run", f"{name}.yaml", "--yes", "--json"]
        with subprocess.Popen(
            command, cwd=project.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                out, err = process.communicate(timeout=chance.uniform(0.4, 1.2) if kills < most_kills else 60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                status = project.run("status", name)
                assert status.status == 2 or balance(status.document) == 0
                continue
        assert b"Traceback" not in err
        ended = json.loads(out)
        if process.returncode == 2:  # killed between the last commit and the last word
            assert ended["error"]["code"] == "run_finished"
            return project.run("status", name).document, kills
        if process.returncode in (0, 1):
            return ended, kills


def check(ended, server, on_ambiguous):
    """Compare the books with the server's account."""
    assert balance(ended) == 0
    assert ended["pending"] == 0
    assert ended["accepted"] + ended["unknown"] == MANY
    missing = MANY - len(server.account)
    if on_ambiguous == "hold":
        assert server.twice == set()
        assert missing <= ended["unknown"]
    else:
        assert missing <= ended["unknown"]
        assert len(server.twice) <= ended["possible_duplicates"]
        if not ended["unknown"]:
            assert missing == 0


def rounds(project, on_ambiguous, script, seed, *, kills):
    """Repeat campaigns until the process was killed so often."""
    chance, done, number = random.Random(seed), 0, 0
    print(f"METRIX_CHANNELS_TEST_SEED={seed} replays this")  # noqa: T201 - shown when it fails
    project.audience(people(MANY))
    while done < kills:
        name = f"c{number}"
        with AccountingServer(script(chance.randrange(10**9)), seconds=0.004) as server:
            project.configure(server.url, on_ambiguous=on_ambiguous, batch_size=3, max_attempts=8)
            project.campaign(name)
            ended, killed = killed_until_over(project, chance, name, most_kills=min(8, kills - done))
            check(ended, server, on_ambiguous)
        done, number = done + killed, number + 1


def healthy(_seed):
    """A server without faults."""
    return always(Taken())


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
@pytest.mark.parametrize("script", [healthy, troubled])
def test_kill_9_at_any_moment(project, on_ambiguous, script):
    """hold: nobody twice; retry: nobody missing, every duplicate counted; a sample of `make long`."""
    rounds(project, on_ambiguous, script, SEED, kills=3)


@pytest.mark.long
@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
@pytest.mark.parametrize("script", [healthy, troubled])
def test_kill_9_at_500_moments(project, on_ambiguous, script):
    """The same, 125 times in each of four ways."""
    rounds(project, on_ambiguous, script, SEED, kills=125)
