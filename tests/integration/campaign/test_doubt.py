"""Recipients whom a request may have reached: whatever follows, nothing says that they were not sent to."""

import signal
import threading

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import balance, document, people, started
from helpers.command_line import catches, wait_until

REFUSED = Taken(403, taken=False)


def in_turn(*answers):
    """Answer so, one after the other, then well."""
    left = iter(answers)
    return lambda *_: next(left, Taken())


def statuses(found):
    assert balance(found) == 0
    return {name: found[name] for name in ("accepted", "rejected", "unknown", "pending", "cancelled", "skipped")} | {
        "state": found["state"]
    }


def expected(state, **counts):
    nobody = {"accepted": 0, "rejected": 0, "unknown": 0, "pending": 0, "cancelled": 0, "skipped": {}}
    return {"state": state, **nobody, **counts}


def outcomes(project, campaign="offer"):
    with project.notifier() as notifier:
        return {row.recipient: (row.outcome, row.reason) for row in notifier.campaigns.rows(campaign)}


@pytest.fixture
def in_doubt(project):
    """A run whose one batch Metrix may have accepted, halted by a 403; yields the project and the server."""
    with AccountingServer(in_turn(Taken(500), REFUSED)) as server:
        project.configure(server.url, batch_size=10, concurrency=1)
        project.audience(people(4, names=("سارا",)))
        project.campaign()
        found = project.run("run", "offer.yaml", "--yes").document
        assert statuses(found) == expected("halted", pending=4)
        assert server.account["u0"] == 1
        yield project, server


def suppress(project, *recipients, name="offer", **keys):
    lines = "\n".join(["customUserId", *recipients])
    (project.folder / "optout.csv").write_text(f"{lines}\n")
    project.campaign(name, suppress=["optout.csv"], **keys)


@pytest.mark.parametrize("excluded", [("u0", "u2"), ("u0", "u1", "u2", "u3")], ids=["some", "all"])
def test_who_opts_out_after_an_attempt_in_doubt_is_unknown(in_doubt, excluded):
    """They are sent nothing more; a later campaign, a retry and a report know that they may have the message."""
    project, server = in_doubt
    suppress(project, *excluded)
    found = project.run("resume", "offer").document
    others = 4 - len(excluded)
    assert statuses(found) == expected("finished_with_errors", accepted=others, unknown=len(excluded))
    assert {who for who, (outcome, _) in outcomes(project).items() if outcome == "unknown"} == set(excluded)
    assert all(server.account[who] == 1 for who in excluded)

    project.audience(people(5, names=("سارا",)))
    project.campaign("rest", audience={"file": "audience.csv", "except": ["offer"]})
    rest = project.run("run", "rest.yaml", "--yes").document
    assert statuses(rest) == expected("finished", accepted=1, skipped={"suppressed": 4})

    project.audience(people(4, names=("سارا",)))
    still = project.run("retry", "offer", "--unknown").document
    assert statuses(still) == expected("finished_with_errors", accepted=others, unknown=len(excluded))
    project.campaign()
    again = project.run("retry", "offer", "--unknown").document
    assert statuses(again) == expected("finished", accepted=4)
    assert again["possible_duplicates"] == 4
    assert all(server.account[who] == 2 for who in excluded)


def test_a_report_says_of_a_pending_recipient_that_an_attempt_may_have_been_accepted(in_doubt):
    """Whoever makes an audience of the pending ones is told."""
    project, _ = in_doubt
    assert set(outcomes(project).values()) == {("pending", "Metrix may have accepted an earlier attempt")}


def test_too_many_recipients_who_become_unknown_halt_the_run(in_doubt):
    """They count as failures however they became unknown."""
    project, _server = in_doubt
    suppress(project, "u0", "u2", limits={"max_failures": 1})
    found = project.run("resume", "offer").document
    assert (found["state"], found["halted_by"]["code"], found["unknown"]) == ("halted", "too_many_failures", 2)


def test_a_cap_counts_an_attempt_in_doubt(in_doubt):
    """The message may have arrived: another campaign must not be one too many, also after the batch was split."""
    project, server = in_doubt
    project.campaign("news", limits={"per_recipient": "1/24h"}, audience={"file": "news.csv"})
    project.audience(people(5, names=("سارا",)), "news.csv")
    found = project.run("run", "news.yaml", "--yes").document
    assert statuses(found) == expected("finished", accepted=1, skipped={"capped": 4})

    server.script = in_turn(Taken(400, taken=False), REFUSED)
    split = project.run("resume", "offer").document
    assert statuses(split) == expected("halted", pending=4)
    project.campaign("more", limits={"per_recipient": "1/24h"}, audience={"file": "news.csv"})
    assert project.run("run", "more.yaml", "--yes").document["error"]["code"] == "audience_empty"


def test_a_batch_refused_as_a_whole_stays_in_doubt(project):
    """Nobody knows whom of it Metrix refused: sent again, they may have it twice, and to cancel takes nothing back."""
    with AccountingServer(in_turn(Taken(400), REFUSED)) as server:
        project.configure(server.url, batch_size=10, concurrency=1, split_refused=False)
        project.audience(people(4, names=("سارا",)))
        project.campaign()
        assert project.run("run", "offer.yaml", "--yes").document["unknown"] == 4
        halted = project.run("retry", "offer", "--unknown").document
        assert (halted["state"], halted["pending"], halted["possible_duplicates"]) == ("halted", 4, 4)
        found = project.run("cancel", "offer").document
    assert statuses(found) == expected("cancelled", unknown=4)


@pytest.fixture
def hanging(slow):
    """A run whose requests wait for an event; yields the project, the server, the process and the event."""
    project, server = slow
    answers = threading.Event()
    server.script = lambda *_: answers.wait() and Taken()
    with started(project, "run", "offer.yaml", "--yes") as process:
        try:
            wait_until(lambda: server.at_once == 4)
            yield project, server, process, answers
        finally:
            answers.set()
            process.kill()


def test_a_cancelled_run_whose_process_dies_first_sends_nothing_more(hanging):
    """The process was asked, and killed before it could act: the next one cancels the run instead of going on."""
    project, server, process, answers = hanging
    assert project.run("cancel", "offer").status == 0
    process.kill()
    process.wait()
    answers.set()
    wait_until(lambda: server.at_once == 0)
    found = project.run("resume", "offer")
    assert (found.status, found.document["requests"], len(server.requests)) == (1, 4, 4)
    assert statuses(found.document) == expected("cancelled", unknown=4, cancelled=396)


def test_a_request_to_cancel_outlives_what_else_ends_the_run(hanging):
    """A signal comes first: the run is cancelled, not just interrupted."""
    project, _server, process, answers = hanging
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not catches(process, signal.SIGTERM))
    assert project.run("cancel", "offer").status == 0
    answers.set()
    _, found = document(process)
    assert statuses(found) == expected("cancelled", accepted=4, cancelled=396)
