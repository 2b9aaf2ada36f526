"""A campaign's process and what surrounds it: signals, and a stdout that is full or closed."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from helpers.accounting_server import Taken
from helpers.campaigns import balance, people, started, under_way
from helpers.command_line import COMMAND, catches, environment, wait_until


def finished(project):
    with project.notifier() as notifier:
        found = notifier.run_campaign(project.folder / "offer.yaml").as_dict()
    assert balance(found) == 0
    return found


def test_a_second_signal_ends_the_process_at_once(slow):
    """While requests hang; their batches are in doubt, and the books still add up."""
    project, server = slow
    project.campaign(on_ambiguous="hold")
    answers = threading.Event()

    def hang(_recipients, _message, _body):
        answers.wait()
        return Taken()

    server.script = hang
    with started(project, "run", "offer.yaml", "--yes") as process:
        wait_until(lambda: server.at_once == 4)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: not catches(process, signal.SIGINT))
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
    answers.set()
    wait_until(lambda: server.at_once == 0)
    server.seconds = 0
    found = finished(project)
    assert found["unknown"] == 4
    assert server.twice == set()
    assert len(server.account) == 400


@pytest.mark.parametrize("where", ["full", "closed"])
def test_a_result_that_cannot_be_printed_leaves_the_books_right(slow, where):
    """The campaign is sent whole; the exit status says that something was lost, not that it failed."""
    project, server = slow
    server.seconds = 0
    if where == "full":
        with (
            Path("/dev/full").open("wb") as full,
            started(project, "run", "offer.yaml", "--yes", stdout=full) as process,
        ):
            _, err = process.communicate(timeout=60)
    else:
        reader, writer = os.pipe()
        os.close(reader)
        with started(project, "run", "offer.yaml", "--yes", stdout=writer) as process:
            os.close(writer)
            _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    assert process.returncode in (0, 1)
    assert len(server.account) == 400
    with project.notifier() as notifier:
        status = notifier.campaigns.status("offer").as_dict()
    assert (status["state"], status["accepted"], balance(status)) == ("finished", 400, 0)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_a_closed_terminal_and_a_quit_let_requests_end(slow, number):
    """As SIGTERM does; a terminal that closes sends its signal twice, and the second one ends nothing."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server)
        process.send_signal(number)
        if number == signal.SIGHUP:
            wait_until(lambda: not catches(process, number))
            process.send_signal(number)
        assert process.wait(60) == 4
    server.seconds = 0
    with project.notifier() as notifier:
        status = notifier.campaigns.status("offer").as_dict()
    assert (status["state"], status["unknown"], balance(status)) == ("interrupted", 0, 0)
    assert status["accepted"] == len(server.account)
    assert finished(project)["possible_duplicates"] == 0
    assert server.twice == set()


def test_under_nohup_a_closed_terminal_ends_nothing(slow):
    """A process that was started to ignore the signal goes on to its end."""
    project, server = slow
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with started(project, "run", "offer.yaml", "--yes") as process:
            under_way(server)
            process.send_signal(signal.SIGHUP)
            server.seconds = 0
            assert process.wait(60) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (len(server.account), server.twice) == (400, set())


def test_standard_input_is_an_audience_that_resumes_without_it(slow):
    """What was read is in the plan: whoever goes on needs no second copy."""
    project, server = slow
    project.campaign(audience={"file": "-"})
    rows = (project.folder / "audience.csv").read_bytes()
    command = [COMMAND, "campaign", "run", "offer.yaml", "--yes", "--json"]
    with subprocess.Popen(
        command, cwd=project.folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(rows)
        process.stdin.close()
        under_way(server)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 4
    server.seconds = 0
    with project.notifier() as notifier:
        found = notifier.campaigns.resume("offer").as_dict()
    assert (found["state"], found["accepted"]) == ("finished", 400)
    assert server.twice == set()


@pytest.mark.parametrize("column", ["items", "keys", "id", "values", "loop", "context", "varargs"])
def test_a_column_of_any_name_is_the_column(slow, column):
    """Never a method of something that the template could reach."""
    project, server = slow
    server.seconds = 0
    project.template(f"سلام {{{{ {column} }}}}")
    lines = [f"customUserId,{column}", *(f"{who},{name}" for who, name in people(3))]
    (project.folder / "audience.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert finished(project)["accepted"] == 3
    assert {text["body"] for text in server.texts.values()} == {f"سلام {name}" for _, name in people(3)}
