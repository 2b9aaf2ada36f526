"""Campaigns on a cluster: planned here, sent by workers, steered from anywhere."""

import json
import re
import shutil
import threading
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import balance, people
from helpers.cluster import Workers, on_postgres, over, until
from helpers.command_line import wait_until
from helpers.postgres import execute
from metrix_channels.errors import ConfigError, LedgerError


@pytest.fixture
def cluster(project, postgres_url):
    """Configures the project for a server and the database; returns the workers that may be started."""

    def configured(server, **settings):
        project.configure(server.url, **{"batch_size": 10, "concurrency": 4, **settings})
        on_postgres(project, postgres_url)
        return Workers(project)

    return configured


def launched(project, name="offer"):
    result = project.run("run", f"{name}.yaml", "--yes", "--detach")
    assert result.status == 0, result.err
    return result.document


def test_whoever_plans_watches_and_workers_send(project, cluster):
    """Everybody once, spread over the workers; no job is left behind, and no worker's name."""
    with AccountingServer(seconds=0.01) as server, cluster(server) as workers:
        project.audience(people(600))
        project.campaign()
        workers.start(2)
        result = project.run("run", "offer.yaml", "--yes")
        assert (result.status, result.document["state"]) == (0, "finished")
        assert (result.document["accepted"], len(server.account), server.twice) == (600, 600, set())
        assert project.run("run", "offer.yaml", "--yes").document["error"]["code"] == "run_finished"


def test_one_line_makes_a_cluster_of_it(project, cluster):
    """The same files, first with a ledger in a file, then with one in PostgreSQL."""
    with AccountingServer() as server:
        project.audience(people(40))
        project.campaign()
        project.configure(server.url)
        assert project.run("run", "offer.yaml", "--yes").status == 0
        with cluster(server) as workers:
            workers.start()
            assert project.run("run", "offer.yaml", "--yes").status == 0
    assert set(server.account.values()) == {2}


def test_rows_with_an_empty_value_are_left_out(project, cluster):
    """Workers send to the others; the counts and the report's rows say why the rest got nothing."""
    with AccountingServer() as server, cluster(server) as workers:
        project.audience([("u1", "سارا"), ("u2", ""), ("u3", "  "), ("u4", "رضا")])
        project.campaign(on_empty="skip")
        workers.start()
        document = project.run("run", "offer.yaml", "--yes").document
        assert (document["state"], document["accepted"], document["skipped"]) == ("finished", 2, {"empty": 2})
        assert (balance(document), set(server.account)) == (0, {"u1", "u4"})
        with project.notifier() as notifier:
            rows = {row.recipient: (row.outcome, row.reason) for row in notifier.campaigns.rows("offer")}
        assert rows["u2"] == rows["u3"] == ("skipped", "empty")
        project.campaign("strict", on_empty="refuse")
        assert project.run("run", "strict.yaml", "--yes").status == 2
    assert set(server.account.values()) == {1}


def test_it_may_be_left_and_watched_again_from_elsewhere(project, cluster):
    """--detach ends at once; `campaign run` beside it watches, and sends nothing twice."""
    with AccountingServer(seconds=0.05) as server, cluster(server) as workers:
        project.audience(people(400))
        project.campaign()
        document = launched(project)
        assert (document["state"], document["requests"]) == ("running", 0)
        workers.start()
        watched = project.run("run", "offer.yaml", "--yes")
        assert (watched.status, watched.document["accepted"]) == (0, 400)
    assert server.twice == set()


def test_pause_resume_and_cancel_hold_for_all_workers(project, cluster):
    """Requests in flight end; nothing more leaves; what is cancelled is sent nothing."""
    with AccountingServer(seconds=1) as server, cluster(server) as workers:
        project.audience(people(6000))
        project.campaign()
        workers.start(3)
        launched(project)
        wait_until(lambda: len(server.requests) > 10)
        project.run("pause", "offer")
        paused = until(project, "offer", lambda status: status["state"] == "paused")
        sent = len(server.account)
        assert 0 < paused["pending"] == 6000 - sent
        time.sleep(0.5)
        assert len(server.account) == sent
        assert project.run("resume", "offer", "--detach").status == 0
        wait_until(lambda: len(server.account) > sent)
        project.run("cancel", "offer")
        ended = until(project, "offer", over)
        assert (ended["state"], balance(ended), ended["pending"]) == ("cancelled", 0, 0)
        assert ended["accepted"] == len(server.account)
    assert server.twice == set()


def test_without_workers_it_rests_and_ends_as_asked(project, cluster):
    """Steering needs no worker, and nothing is sent without one."""
    with AccountingServer() as server, cluster(server):
        (project.folder / "workers.log").touch()
        project.audience(people(20))
        project.campaign()
        launched(project)
        assert project.run("pause", "offer").document["state"] == "paused"
        assert project.run("run", "offer.yaml", "--yes").document["error"]["code"] == "run_paused"
        assert project.run("cancel", "offer").document["state"] == "cancelled"
    assert server.requests == []


@pytest.mark.parametrize("where", ["configuration", "campaign"])
def test_four_workers_keep_to_one_rate(project, cluster, where):
    """100 requests a second, whoever makes them: 300 take three seconds, not three quarters of one."""
    moments, lock = [], threading.Lock()

    def timed(_recipients, _message, _body):
        with lock:
            moments.append(time.monotonic())
        return Taken()

    limits = {"rate_limit": "100/s"} if where == "configuration" else {}
    with AccountingServer(timed) as server, cluster(server, batch_size=1, **limits) as workers:
        project.audience(people(300))
        project.campaign(limits={"rate": "100/s"} if where == "campaign" else {})
        workers.start(4)
        wait_until(lambda: workers.log.read_text().count("is running") == 4)
        launched(project)
        until(project, "offer", over)
    assert len(moments) == 300
    assert max(moments) - min(moments) >= 2


def test_a_cap_holds_across_campaigns_and_workers(project, cluster):
    """Two campaigns to the same people at the same time, one message each: nobody gets two."""
    with AccountingServer(seconds=0.01) as server, cluster(server) as workers:
        project.audience(people(200))
        for name in ("one", "two"):
            project.campaign(name, limits={"per_recipient": "1/24h"})
            launched(project, name)
        workers.start(2)
        ended = [until(project, name, over) for name in ("one", "two")]
    assert server.twice == set()
    assert [balance(status) for status in ended] == [0, 0]
    assert sum(status["skipped"].get("capped", 0) for status in ended) == 400 - len(server.account)


def test_those_who_go_first_go_alone(project, cluster):
    """Too many failures among them halt it; the others were sent nothing."""
    first = {f"u{number}" for number in range(20)}

    def refuses(recipients, _message, _body):
        return Taken(400, taken=False) if first & set(recipients) else Taken()

    with AccountingServer(refuses) as server, cluster(server) as workers:
        project.audience(people(400, names=("سارا",)))
        project.campaign(canary=20, limits={"max_failures": 5})
        workers.start(3)
        result = project.run("run", "offer.yaml", "--yes")
    assert result.status == 4
    assert result.document["error"]["code"] in ("canary_failed", "too_many_failures", "message_refused")
    assert set().union(*server.requests) <= first


def test_after_those_who_go_first_come_the_others(project, cluster):
    """In the order of the plan, as soon as the first have their outcomes."""
    with AccountingServer(seconds=0.01) as server, cluster(server) as workers:
        project.audience(people(400))
        project.campaign(canary=30)
        workers.start(3)
        result = project.run("run", "offer.yaml", "--yes")
        assert (result.status, result.document["accepted"]) == (0, 400)
    first = {f"u{number}" for number in range(30)}
    order = [bool(first & set(recipients)) for recipients in server.requests]
    assert order == sorted(order, reverse=True)


def test_a_schedule_is_kept_by_the_workers(project, cluster):
    """Whoever planned it has left long ago."""
    begins = datetime.now(UTC) + timedelta(seconds=10)
    moments = []

    def timed(_recipients, _message, _body):
        moments.append(datetime.now(UTC))
        return Taken()

    with AccountingServer(timed) as server, cluster(server) as workers:
        project.audience(people(30))
        project.campaign(schedule={"at": begins.isoformat(timespec="seconds")})
        workers.start(2)
        launched(project)
        until(project, "offer", over)
        assert len(server.account) == 30
    assert min(moments) >= begins.replace(microsecond=0)


def test_quiet_hours_are_waited_for(project, cluster):
    """A worker does not wait: it hands back, and the run shows that it waits."""
    now = datetime.now(UTC)
    quiet = {
        "from": f"{now - timedelta(minutes=5):%H:%M}",
        "to": f"{now + timedelta(minutes=5):%H:%M}",
        "timezone": "UTC",
    }
    with AccountingServer() as server, cluster(server) as workers:
        project.audience(people(30))
        project.campaign(quiet_hours=quiet)
        workers.start()
        launched(project)
        until(project, "offer", lambda status: status["state"] == "waiting")
        assert server.requests == []


def test_a_withdrawn_verification_halts_it_on_all_workers(project, cluster, postgres_url):
    """They look again before each claim; afterwards it goes on where it stopped."""
    with AccountingServer(seconds=0.05) as server, cluster(server) as workers:
        project.audience(people(2000))
        project.campaign()
        workers.start(2)
        launched(project)
        wait_until(lambda: len(server.requests) > 10)
        project.configure(server.url, verified=False, batch_size=10, ledger=postgres_url)
        halted = until(project, "offer", lambda status: status["state"] == "halted")
        assert halted["halted_by"]["code"] == "channel_unverified"
        project.configure(server.url, batch_size=10, ledger=postgres_url)
        assert project.run("resume", "offer").document["accepted"] == 2000
    assert server.twice == set()


def test_an_outage_costs_little_and_halts_it(project, cluster):
    """Each worker gives up after as many failures as one process would."""
    with AccountingServer(always(Taken(503, taken=False))) as server, cluster(server, max_attempts=3) as workers:
        project.audience(people(2000))
        project.campaign()
        workers.start(2)
        result = project.run("run", "offer.yaml", "--yes")
        assert (result.status, result.document["state"]) == (4, "halted")
        assert result.document["halted_by"]["code"] in ("outage", "retries_spent")
        assert len(server.requests) <= 2 * (20 + 4 + 4)
        server.script = always(Taken())
        assert project.run("resume", "offer").document["accepted"] == 2000


def test_a_worker_of_another_application_refuses(project, cluster, postgres_url):
    """What was planned for one is not sent as another."""
    with AccountingServer() as server, cluster(server) as workers:
        project.audience(people(20))
        project.campaign()
        launched(project)
        project.configure(server.url, app_id="other")
        on_postgres(project, postgres_url)
        workers.start()
        halted = until(project, "offer", lambda status: status["state"] == "halted")
        assert halted["halted_by"]["code"] == "run_pinned"
        assert server.requests == []


def test_what_was_suppressed_since_is_sent_nothing(project, cluster):
    """The lists are read again on resume, by whoever resumes: workers need no files."""
    with AccountingServer() as server, cluster(server) as workers:
        project.audience(people(50, names=("سارا",)))
        optout = project.folder / "optout.csv"
        optout.write_text("customUserId\n")
        project.campaign(suppress=["optout.csv"])
        launched(project)
        project.run("pause", "offer")
        optout.write_text("customUserId\nu7\nu8\n")
        workers.start()
        ended = project.run("resume", "offer").document
        assert (ended["accepted"], ended["skipped"], balance(ended)) == (48, {"suppressed": 2}, 0)
    assert {"u7", "u8"}.isdisjoint(server.account)


def test_who_opts_out_after_an_ambiguous_attempt_is_unknown(project, cluster):
    """Metrix may have accepted it; the others of the batch are sent to again."""
    answers = [Taken(500), Taken(403, taken=False)]
    with AccountingServer(lambda *_: answers.pop(0) if answers else Taken()) as server, cluster(server) as workers:
        project.audience(people(3, names=("سارا",)))
        optout = project.audience([], "optout.csv")
        project.campaign(suppress=["optout.csv"])
        launched(project)
        workers.start()
        until(project, "offer", lambda status: status["state"] == "halted")
        optout.write_text("customUserId\nu1\n")
        ended = project.run("resume", "offer").document
    assert (ended["accepted"], ended["unknown"], ended["skipped"], balance(ended)) == (2, 1, {}, 0)
    assert server.account == {"u0": 2, "u1": 1, "u2": 2}


def test_the_plan_of_a_process_that_died_is_no_run(project, cluster, postgres_url):
    """It had not been launched: nobody sends it, and its name is free."""
    with AccountingServer() as server, cluster(server) as workers:
        project.audience(people(50))
        project.campaign()
        workers.start()
        with project.notifier() as notifier:
            asked = threading.Event()

            def confirm(_planned):
                wait_until(taken_for_dead)
                asked.set()
                return True

            def taken_for_dead():
                execute(postgres_url, "UPDATE owners SET lease_until = now() - interval '1 s' WHERE NOT works")
                return not execute(postgres_url, "SELECT 1 FROM owners WHERE NOT works")

            with pytest.raises(LedgerError) as caught:
                notifier.campaigns.run(project.folder / "offer.yaml", confirm=confirm)
        assert (asked.is_set(), caught.value.code) == (True, "run_lost")
        assert server.requests == []
        assert project.run("run", "offer.yaml", "--yes").status == 0


def test_what_a_worker_left_without_its_name_is_freed_too(project, cluster, postgres_url):
    """One that had to end before its requests did has taken its name back already."""
    with AccountingServer() as server, cluster(server) as workers:
        project.audience(people(50, names=("سارا",)))
        project.campaign()
        launched(project)
        execute(postgres_url, "UPDATE shard_statuses SET owner = 'nobody', epoch = 1")
        execute(postgres_url, "DELETE FROM procrastinate_jobs")
        workers.start()
        until(project, "offer", over)
    assert (len(server.account), server.twice) == (50, set())


def test_retry_sends_to_the_rejected_once_more(project, cluster):
    """After the mistake was mended at Metrix."""
    with AccountingServer(always(Taken(400, taken=False))) as server, cluster(server, batch_size=1) as workers:
        project.audience([("u1", "a"), ("u2", "b")])
        project.campaign()
        workers.start()
        assert project.run("run", "offer.yaml", "--yes").document["rejected"] == 2
        server.script = always(Taken())
        assert project.run("retry", "offer", "--rejected").document["accepted"] == 2


def test_a_file_of_a_ledger_has_no_workers(project):
    """Said at once, with the line to change."""
    project.configure("http://127.0.0.1:9")
    with project.notifier() as notifier, pytest.raises(ConfigError) as caught:
        notifier.campaigns.run(project.campaign(), detach=True)
    assert caught.value.code == "ledger_not_shared"


def test_health_and_metrics(project, cluster, tmp_path):
    """For an orchestrator and a Prometheus."""
    with AccountingServer() as server, cluster(server) as workers:
        project.audience(people(30))
        project.campaign()
        workers.start(1, "--health", "0")
        wait_until(lambda: workers.log.exists() and "/health" in workers.log.read_text())
        url = re.search(r"http://\S+/health", workers.log.read_text())[0]
        assert project.run("run", "offer.yaml", "--yes").status == 0
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert json.load(answer)["ok"] is True
        with urllib.request.urlopen(url.replace("/health", "/metrics"), timeout=60) as answer:
            counts = Counter(dict(re.findall(r"^(metrix_channels_\w+) (\d+)$", answer.read().decode(), re.MULTILINE)))
        assert (counts["metrix_channels_accepted_total"], counts["metrix_channels_lease_held"]) == ("30", "1")


def test_a_worker_that_waits_for_work_logs_that_a_verification_ends(project, cluster):
    """Nobody looks at the channels of a process that runs for months: one line in its log."""
    with AccountingServer() as server, cluster(server) as workers:
        config = json.loads(project.config.read_text())
        config["channels"]["sms"]["verified"] = {"at": str(datetime.now(UTC).date()), "expires": "3d"}
        project.config.write_text(json.dumps(config))
        workers.start()
        wait_until(lambda: workers.log.exists() and "ends at" in workers.log.read_text())
        workers.terminate(0)
    assert workers.log.read_text().count("ends at") == 1
    assert "WARNING" in workers.log.read_text()


def test_workers_know_the_locales_of_rows_without_their_files(project, cluster):
    """The texts of each locale are kept with the run."""
    project.template("سلام {{ first_name }}").with_name("sms.en.txt.j2").write_text("Hi {{ first_name }}")
    rows = [f"u{at},Sara,{('fa', 'en')[at % 2]}" for at in range(60)]
    (project.folder / "audience.csv").write_text("\n".join(["customUserId,first_name,lang", *rows]))
    project.campaign(locale={"column": "lang", "default": "fa"})
    with AccountingServer() as server, cluster(server) as workers:
        launched(project)
        shutil.rmtree(project.folder / "templates")
        workers.start()
        wait_until(lambda: len(server.account) == 60)
    assert {server.texts[f"u{at}"]["body"] for at in range(0, 60, 2)} == {"سلام Sara"}
    assert {server.texts[f"u{at}"]["body"] for at in range(1, 60, 2)} == {"Hi Sara"}


def test_workers_wait_after_those_who_go_first(project, cluster):
    """Until somebody resumes the run, from anywhere; then each of the others is sent to once."""
    first = {f"u{number}" for number in range(30)}
    with AccountingServer(seconds=0.01) as server, cluster(server) as workers:
        project.audience(people(400))
        project.campaign(canary={"first": 30, "then": "pause"})
        workers.start(3)
        result = project.run("run", "offer.yaml", "--yes")
        assert (result.status, result.document["state"], result.document["accepted"]) == (4, "paused", 30)
        assert result.document["error"]["code"] == "canary_waits"
        assert "The canary of 'offer' was sent to 30 recipients: u0" in result.document["error"]["message"]
        assert set(server.account) == first
        assert project.run("run", "offer.yaml", "--yes").document["error"]["code"] == "run_paused"
        result = project.run("resume", "offer")
        assert (result.status, result.document["accepted"]) == (0, 400)
    assert set(server.account.values()) == {1}
