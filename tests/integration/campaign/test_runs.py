"""A run's life: planned whole, taken up, pinned, paused, cancelled, retried; and who is left out of it."""

import asyncio
import logging
import re
import shutil
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import Project, balance, document, people, started, under_way
from helpers.command_line import run_command, wait_until
from metrix_channels import AsyncNotifier, CampaignError, ConfigError
from metrix_channels.ledger import LocalRunBook


def run(project, campaign="offer", **options):
    """Run a campaign in this process and return its status as JSON."""
    with project.notifier() as notifier:
        found = notifier.campaigns.run(project.folder / f"{campaign}.yaml", **options).as_dict()
    assert balance(found) == 0
    return found


def state_of(notifier):
    try:
        return notifier.campaigns.status("offer").state
    except CampaignError:
        return None  # not planned yet


def refusal(project, campaign="offer"):
    """Run a campaign that must be refused and return the error."""
    with pytest.raises(CampaignError) as caught, project.notifier() as notifier:
        notifier.campaigns.run(project.folder / f"{campaign}.yaml")
    return caught.value


@pytest.fixture
def halted(project):
    """A run that a 403 halted; yields the project, the server, and what changes its mind."""
    with AccountingServer(always(Taken(403, taken=False))) as server:
        project.configure(server.url, batch_size=2, concurrency=2)
        project.audience(people(20))
        project.campaign(context={"discount": 30})
        assert run(project)["state"] == "halted"
        server.script = always(Taken())
        server.requests.clear()
        yield project, server


# -- what it is pinned to


def edit_template(project, server):
    project.template("درود {{ first_name }}")


def edit_audience(project, server):
    project.audience(people(21))


def edit_context(project, server):
    project.campaign(context={"discount": 40})


def edit_app(project, server):
    project.configure(server.url, batch_size=2, app_id="another")


def edit_id_column(project, server):
    project.campaign(context={"discount": 30}, audience={"file": "audience.csv", "id": "first_name"})


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (edit_template, "offer/sms.txt.j2"),
        (edit_audience, "audience.file"),
        (edit_context, "context.discount"),
        (edit_app, "app_id"),
        (edit_id_column, "audience.id"),
    ],
)
def test_what_is_pinned_may_not_change(halted, edit, named):
    """Refused, naming what changed; no request is made; undone, it goes on."""
    project, server = halted
    edit(project, server)
    error = refusal(project)
    assert (error.code, error.exit_status) == ("run_pinned", 2)
    assert named in error.message
    assert server.requests == []


def test_what_is_not_pinned_may_change(halted):
    """Limits, the answer to doubt and suppression are read again."""
    project, server = halted
    (project.folder / "optout.csv").write_text("customUserId\nu3\n")
    project.campaign(context={"discount": 30}, limits={"rate": "500/s"}, on_ambiguous="hold", suppress=["optout.csv"])
    with project.notifier() as notifier:
        before = notifier.campaigns.status("offer").requests
    found = run(project)
    assert (found["state"], found["accepted"], found["skipped"]) == ("finished", 19, {"suppressed": 1})
    assert server.account["u3"] == 0
    assert found["requests"] == before + len(server.requests)


def test_a_finished_campaign_does_not_run_again(project):
    """Under its name; under another it does."""
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience(people(5))
        project.campaign()
        run(project)
        assert refusal(project).code == "run_finished"
        assert run(project, name="offer-2")["accepted"] == 5
    assert server.account["u0"] == 2


def test_the_log_tells_a_runs_life(project, caplog):
    """Planned, dispatched, and how it was left: with the code of what halted it."""
    caplog.set_level(logging.INFO, "metrix_channels")
    with AccountingServer(always(Taken(403, taken=False))) as server:
        project.configure(server.url)
        project.audience(people(5))
        project.campaign()
        run(project)
    told = [(line.message.split(" campaign=")[0], getattr(line, "code", None)) for line in caplog.records]
    life = [each for each in told if each[0].startswith("campaign ")]
    assert life == [
        ("campaign planned", None),
        ("campaign dispatched", None),
        ("campaign halted", "credentials_refused"),
    ]
    assert {line.campaign for line in caplog.records} == {"offer"}
    attempts = [line for line in caplog.records if hasattr(line, "attempt")]
    assert attempts
    assert all(re.fullmatch(r"\d+-\d+", line.batch) for line in attempts)


# -- the plan


def test_a_template_that_fails_for_one_row_sends_nothing(project):
    """All reasons together, with the rows; nothing of the plan is left."""
    project.template("{{ 100 // (first_name | length) }}")
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience([("a", "x"), ("b", ""), ("c", "y"), ("d", "")])
        project.campaign()
        error = refusal(project)
        with project.notifier() as notifier:
            assert notifier.campaigns.all() == []
    assert (error.code, error.exit_status, server.requests) == ("plan_failed", 2, [])
    assert "2 of 4 rows" in error.message
    assert "2 rows (lines 3, 5)" in error.message


def test_a_plan_whose_rows_are_too_costly_ends(project):
    """Each costs its two seconds: after a few of them the plan says so, instead of trying a million."""
    project.template("{{ first_name * 1000000000 }}")
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience([(f"u{at}", f"name {at}") for at in range(3_000)])
        project.campaign()
        error = refusal(project)
    assert (error.code, error.exit_status, server.requests) == ("plan_failed", 2, [])
    assert "template_too_costly" in error.message
    assert "10 rows (lines 2, 3, 4, 5, 6, …)" in error.message


def test_values_that_are_too_large_name_their_row(project):
    """The values of the campaign and of a row count together."""
    project.template("{{ first_name|length }}{{ terms|length }}")
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience([("a", "x"), ("b", "x" * 60_000), ("c", "y")])
        project.campaign(context={"terms": "x" * 960_000})
        error = refusal(project)
    assert (error.code, server.requests) == ("plan_failed", [])
    assert "1 row (line 3)" in error.message
    assert "context_too_large" in error.message
    assert "$.terms" in error.message


def test_a_plan_that_failed_keeps_no_name_busy(project):
    """Mended, it is planned anew by the same process."""
    project.template("{{ surname }}")
    with AccountingServer() as server, project.notifier_of(server) as notifier:
        project.audience(people(3))
        path = project.campaign()
        with pytest.raises(CampaignError):
            notifier.run_campaign(path)
        project.template("{{ first_name }}")
        assert notifier.run_campaign(path).accepted == 3


def test_a_run_that_is_cancelled_in_python_is_interrupted_and_goes_on(slow):
    """Its task is, not the campaign: nothing keeps the next call from taking it up, in the same process, too."""
    project, server = slow

    async def cancelled():
        async with AsyncNotifier.from_config(project.config) as notifier:
            sends = asyncio.ensure_future(notifier.run_campaign(project.folder / "offer.yaml"))
            await asyncio.to_thread(under_way, server)
            sends.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sends
            left = await notifier.campaigns.status("offer")
            server.seconds = 0.0
            return left, await notifier.run_campaign(project.folder / "offer.yaml")

    left, found = asyncio.run(cancelled())
    assert left.state == "interrupted"
    assert (found.state, found.accepted) == ("finished", 400)
    assert len(server.twice) <= found.possible_duplicates


@pytest.mark.parametrize(
    ("lacks", "code"), [("credentials", "secret_missing"), ("workers to detach from", "ledger_not_shared")]
)
def test_what_cannot_be_sent_from_here_is_not_planned(project, lacks, code):
    """A plan of a million rows takes a while, only to be of no use."""
    with AccountingServer() as server, project.notifier_of(server) as notifier:
        project.audience(people(3))
        path = project.campaign()
        if lacks == "credentials":
            (project.folder / "key").unlink()
        with pytest.raises(ConfigError) as caught:
            notifier.campaigns.run(path, detach=lacks != "credentials")
        assert (caught.value.code, notifier.campaigns.all(), server.requests) == (code, [], [])


def test_a_stop_ends_a_plan_and_leaves_nothing_of_it(project):
    """A run that is only half planned would reach only half of its audience."""
    with AccountingServer() as server, project.notifier_of(server) as notifier:
        project.audience(people(3))
        with pytest.raises(CampaignError) as caught:
            notifier.campaigns.run(project.campaign(), watch=lambda progress: notifier.stop())
        assert (caught.value.code, server.requests) == ("interrupted", [])
    with project.notifier() as notifier:
        assert notifier.campaigns.all() == []


def test_each_row_has_one_fate(project):
    """Invalid before duplicate before suppressed; of equal recipients the first row counts."""
    (project.folder / "optout.csv").write_text("customUserId\nu2\n")
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience([("u1", "سارا"), ("u2", "رضا"), ("u1", "علی"), (" ", "x"), ("u2", "x"), ("u3", "لیلا", "9")])
        project.campaign(suppress=["optout.csv"])
        found = run(project)
        with project.notifier() as notifier:
            rows = [(row.recipient, row.outcome, row.reason) for row in notifier.campaigns.rows("offer")]
    assert found["skipped"] == {"invalid": 2, "duplicate": 2, "suppressed": 1}
    assert (found["audience"], found["accepted"], len(rows)) == (6, 1, 6)
    assert server.texts == {"u1": {"body": "سلام سارا"}}
    assert ("u2", "skipped", "suppressed") in rows


def test_nobody_left_is_an_error(project):
    """An empty list is more often a mistake than a control."""
    (project.folder / "optout.csv").write_text("customUserId\nu0\n")
    project.configure("http://127.0.0.1:9")
    project.audience(people(1))
    project.campaign(suppress=["optout.csv"])
    assert refusal(project).code == "audience_empty"


# -- other processes


def test_two_processes_send_nobody_twice(slow):
    """The second one is told who is at work."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as first:
        under_way(server)
        second = project.run("run", "offer.yaml", "--yes")
        first.send_signal(signal.SIGTERM)
        document(first)
    assert (second.status, second.document["error"]["code"]) == (4, "run_busy")
    assert server.twice == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_in_flight_end(slow, number):
    """Journalled, exit 4, interrupted; then it goes on, and nobody is in doubt."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server)
        process.send_signal(number)
        status, found = document(process)
    assert (status, found["state"], found["error"]["code"]) == (4, "interrupted", "interrupted")
    again = "`metrix-channels campaign run offer.yaml` or `metrix-channels campaign resume offer`"
    assert found["error"]["remedy"] == f"{again} continues it."
    assert found["accepted"] == len(server.requests)
    server.seconds = 0
    assert run(project)["possible_duplicates"] == 0
    assert server.twice == set()
    assert len(server.account) == 400


def test_pause_resume_and_cancel_from_outside(slow):
    """The process that runs it hears of it within a moment."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server)
        assert project.run("pause", "offer").status == 0
        status, found = document(process)
    assert (status, found["state"]) == (4, "paused")
    assert found["error"]["remedy"].startswith("`metrix-channels campaign resume offer` continues it")
    refused = refusal(project)
    assert refused.code == "run_paused"
    assert "metrix-channels campaign resume offer" in refused.remedy
    with started(project, "resume", "offer") as process:
        under_way(server, len(server.requests) + 4)
        assert project.run("cancel", "offer").status == 0
        status, found = document(process)
    assert (status, found["state"], found["pending"]) == (1, "cancelled", 0)
    assert found["cancelled"] == 400 - len(server.account) > 0
    assert refusal(project).code == "run_cancelled"
    server.seconds = 0
    project.campaign("rest", audience={"file": "audience.csv", "except": ["offer"]})
    rest = run(project, "rest")
    assert (rest["accepted"], server.twice) == (400 - rest["skipped"]["suppressed"], set())


def test_a_handle_tells_how_far_it_is(slow):
    """From Python, in the background."""
    project, server = slow
    with project.notifier() as notifier:
        handle = notifier.campaigns.start(project.folder / "offer.yaml")
        under_way(server, 30)
        assert not handle.is_done
        assert 0 < handle.progress.share < 1
        assert handle.pause().state == "paused"


# -- when, and how often


def test_a_schedule_is_waited_for(project, monkeypatch):
    """In the foreground; the state says so."""
    at = datetime.now(UTC) + timedelta(hours=1)
    with AccountingServer() as server, project.notifier_of(server) as notifier:
        project.audience(people(3))
        path = project.campaign(schedule={"at": at.isoformat()})
        handle = notifier.campaigns.start(path)
        wait_until(lambda: state_of(notifier) == "waiting")
        assert server.requests == []
        then = at.timestamp() + 60
        monkeypatch.setattr(time, "time", lambda: then)
        assert handle.wait(60).state == "finished"
    assert len(server.account) == 3


def test_too_late_is_refused(project):
    """An old schedule must not fire from a restored backup."""
    project.configure("http://127.0.0.1:9")
    project.audience(people(3))
    project.campaign(schedule={"at": "2026-03-20T10:00:00+03:30", "max_lateness": "30m"})
    error = refusal(project)
    assert (error.code, error.exit_status) == ("schedule_missed", 3)


def test_too_late_is_refused_also_when_a_run_is_taken_up_that_never_began(project):
    """A run that was stopped while it waited must not fire days later."""
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience(people(3))
        project.campaign(schedule={"at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()})
        with started(project, "run", "offer.yaml", "--yes") as process:
            wait_until(lambda: project.run("status", "offer").document.get("state") == "waiting", 60)
            process.send_signal(signal.SIGTERM)
            status, left = document(process)
        assert (status, left["state"]) == (4, "interrupted")
        project.campaign(schedule={"at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(), "max_lateness": "30m"})
        assert refusal(project).code == "schedule_missed"
    assert server.requests == []


def test_a_run_that_began_in_time_goes_on_at_any_time(halted):
    """The schedule is of the first request."""
    project, _ = halted
    late = {"at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(), "max_lateness": "30m"}
    project.campaign(context={"discount": 30}, schedule=late)
    assert run(project)["accepted"] == 20


def test_quiet_hours_are_kept(project):
    """No request begins within them; the run waits, and can be stopped."""
    now = datetime.now(UTC)
    window = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=1):%H:%M}", "timezone": "UTC"}
    with AccountingServer() as server, project.notifier_of(server) as notifier:
        project.audience(people(3))
        handle = notifier.campaigns.start(project.campaign(quiet_hours=window))
        wait_until(lambda: state_of(notifier) == "waiting")
        assert server.requests == []
        assert handle.pause().state == "paused"


def test_caps_count_over_all_campaigns(project):
    """Whom other campaigns reached often enough within the time is left out, with a reason."""
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience(people(6))
        for name in ("one", "two"):
            project.campaign(name)
            run(project, name)
        project.audience(people(8))
        project.campaign("three", limits={"per_recipient": "2/24h"})
        found = run(project, "three")
    assert (found["accepted"], found["skipped"]) == (2, {"capped": 6})
    assert max(server.account.values()) == 2


def test_a_cap_counts_whom_a_campaign_may_have_reached(project):
    """Unknown is not nobody; whoever is on a list, too, is skipped for that, the first reason that holds."""
    with AccountingServer(always(Taken(500))) as server:
        project.configure(server.url)
        project.audience(people(2))
        project.campaign("one", on_ambiguous="hold")
        assert run(project, "one")["unknown"] == 2
        server.script = always(Taken())
        project.audience(people(3))
        (project.folder / "optout.csv").write_text("customUserId\nu1\n")
        project.campaign("two", limits={"per_recipient": "1/24h"}, suppress=["optout.csv"])
        found = run(project, "two")
    assert (found["accepted"], found["skipped"]) == (1, {"capped": 1, "suppressed": 1})
    assert server.twice == set()


def test_who_opts_out_after_an_ambiguous_attempt_is_unknown(project):
    """Metrix may have accepted it, so the next campaign leaves the recipient out too."""
    answers = [Taken(500), Taken(403, taken=False)]
    with AccountingServer(lambda *_: answers.pop(0) if answers else Taken()) as server:
        project.configure(server.url)
        project.audience(people(3, names=("سارا",)))
        optout = project.audience([], "optout.csv")
        project.campaign(suppress=["optout.csv"])
        assert run(project)["state"] == "halted"
        optout.write_text("customUserId\nu1\n")
        found = run(project)
        assert (found["accepted"], found["unknown"], found["skipped"]) == (2, 1, {})
        optout.write_text("customUserId\n")
        project.campaign("rest", audience={"file": "audience.csv", "except": ["offer"]})
        assert refusal(project, "rest").code == "audience_empty"
    assert server.account == {"u0": 2, "u1": 1, "u2": 2}


def test_a_cap_counts_whom_a_halted_campaign_may_have_reached(project):
    """Its attempt was ambiguous, and is to be repeated when somebody resumes it."""
    answers = [Taken(500), Taken(403, taken=False)]
    with AccountingServer(lambda *_: answers.pop(0) if answers else Taken()) as server:
        project.configure(server.url)
        project.audience(people(1))
        project.campaign()
        assert run(project)["state"] == "halted"
        project.campaign("two", limits={"per_recipient": "1/24h"})
        assert refusal(project, "two").code == "audience_empty"
    assert server.twice == set()


def test_a_run_goes_on_in_a_project_that_was_moved(halted):
    """Its file and its lists are those beside channels.yaml, not those that were left in the old folder."""
    project, server = halted
    old, new = project.folder, project.folder / "releases" / "2"
    shutil.copytree(old, new, ignore=shutil.ignore_patterns("releases", "metrix-channels.db*"))
    moved = Project(new)
    moved.configure(server.url, ledger=f"sqlite:///{old}/metrix-channels.db", batch_size=2)
    moved.audience(people(20)[:1], "optout.csv")
    moved.campaign(context={"discount": 30}, suppress=["optout.csv"])
    with moved.notifier() as notifier:
        found = notifier.campaigns.resume("offer")
    assert (found.state, found.skipped) == ("finished", {"suppressed": 1})


def test_a_campaign_file_that_is_gone_is_named(halted):
    """With what to do about it."""
    project, _ = halted
    (project.folder / "offer.yaml").unlink()
    with project.notifier() as notifier, pytest.raises(ConfigError, match=r"offer\.yaml, no longer exists") as caught:
        notifier.campaigns.resume("offer")
    assert caught.value.remedy == "Put the file back at this path."


def test_a_cap_that_cannot_count_purged_recipients_is_refused(project, monkeypatch):
    """They would get more than the cap allows. Campaigns that ended before its time do not matter."""
    with AccountingServer() as server:
        project.configure(server.url)
        project.audience(people(2))
        project.campaign()
        run(project)
        time.sleep(1.1)
        assert run_command("ledger", "purge", "--older-than", "1s", cwd=project.folder).status == 0
        project.campaign("two", limits={"per_recipient": "1/24h"})
        error = refusal(project, "two")
        assert (error.code, "'offer'" in error.message, server.twice) == ("run_purged", True, set())
        later = time.time() + timedelta(hours=25).total_seconds()
        monkeypatch.setattr(LocalRunBook, "now", lambda _: asyncio.sleep(0, later))
        assert run(project, "two")["accepted"] == 2


def test_a_campaign_that_may_go_on_cannot_be_excepted(halted):
    """Whom it will reach is not known yet: refused, and nobody is sent anything."""
    project, server = halted
    project.campaign("rest", audience={"file": "audience.csv", "except": ["offer"]})
    error = refusal(project, "rest")
    assert (error.code, "'offer'" in error.message, server.requests) == ("run_unfinished", True, [])


def test_caps_hold_between_campaigns_that_run_together(project):
    """Of two at once, nobody gets more than the cap allows."""
    with AccountingServer(seconds=0.01) as server:
        project.configure(server.url, batch_size=3, concurrency=3)
        project.audience(people(120))
        for name in ("one", "two"):
            project.campaign(name, limits={"per_recipient": "1/1h"})
        threads = [threading.Thread(target=run, args=(project, name)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.twice == set()


def test_a_message_is_tried_on_a_colleague(project):
    """One row's values, another recipient, outside the run."""
    with AccountingServer() as server, project.notifier_of(server) as notifier:
        project.audience(people(3))
        [receipt] = notifier.campaigns.test(project.campaign(), ["colleague"], row=3)
        assert notifier.campaigns.all() == []
    assert receipt.outcome == "accepted"
    assert server.texts == {"colleague": {"body": "سلام لیلا"}}


def test_the_rejected_are_sent_again_when_somebody_says_so(project):
    """And the ledger keeps that it was decided."""
    with AccountingServer(lambda who, *_: Taken(400, taken=False) if "u1" in who else Taken()) as server:
        project.configure(server.url, batch_size=5)
        project.audience(people(5, names=("سارا",)))
        project.campaign()
        assert run(project)["rejected"] == 1
        server.script = always(Taken())
        with project.notifier() as notifier:
            again = notifier.campaigns.retry("offer", "rejected").as_dict()
    assert (again["state"], again["accepted"], again["possible_duplicates"]) == ("finished", 5, 0)


@pytest.mark.parametrize("status", [503, 403, 400])
def test_an_answer_that_took_nothing_does_not_end_an_approval(project, status):
    """Under `hold`, somebody decided to send to the unknown again: they are sent to, once."""
    answers = [Taken(500), Taken(status, taken=False)]
    with AccountingServer(lambda *_: answers.pop(0) if answers else Taken()) as server:
        project.configure(server.url, on_ambiguous="hold")
        project.audience(people(2, names=("سارا",)))
        project.campaign()
        assert run(project)["unknown"] == 2
        with project.notifier() as notifier:
            again = notifier.campaigns.retry("offer", "unknown")
            if again.state == "halted":
                again = notifier.campaigns.resume("offer")
        assert (again.state, again.accepted, again.possible_duplicates) == ("finished", 2, 2)
    assert server.account == {"u0": 2, "u1": 2}


def test_an_approval_is_for_one_request_that_may_be_accepted(project):
    """Under `hold`, another ambiguous attempt makes them unknown again."""
    with AccountingServer(always(Taken(500))) as server:
        project.configure(server.url, on_ambiguous="hold")
        project.audience(people(2, names=("سارا",)))
        project.campaign()
        assert run(project)["unknown"] == 2
        with project.notifier() as notifier:
            assert notifier.campaigns.retry("offer", "unknown").unknown == 2
    assert len(server.requests) == 2
