"""What becomes of a message in the outbox when its worker dies, freezes, or cannot send it."""

import itertools
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import psycopg
import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import Project, people
from helpers.cluster import Workers, on_postgres
from helpers.command_line import environment, run_command, wait_until
from helpers.files import replace
from helpers.postgres import execute
from metrix_channels import Outcome
from metrix_channels.errors import LedgerError

HELLO = {"first_name": "سارا"}
PATIENCE_SECONDS = 60.0
"""Seconds: enough for a loaded machine."""


class SendingResources:
    """A project on PostgreSQL, its server, and the messages that were put into its outbox."""

    def __init__(self, project, server, url):
        self.project, self.server, self.url = project, server, url

    def configure(self, **settings):
        self.project.configure(self.server.url, **settings)
        on_postgres(self.project, self.url)

    def other(self, name, **settings):
        """Return a project beside this one, with the same ledger: another machine's configuration."""
        folder = self.project.folder / name
        folder.mkdir()
        made = Project(folder)
        made.configure(**{"url": self.server.url, **settings})
        on_postgres(made, self.url)
        return made

    def enqueue(self, to="u1", **options):
        with self.project.notifier() as notifier, psycopg.connect(self.url) as connection:
            return notifier.enqueue("sms", to, "offer", HELLO, connection=connection, **options)

    def receipts(self, message):
        with self.project.notifier() as notifier:
            return notifier.receipts(message)

    def settled(self, message):
        """Wait for what becomes of a message."""
        with self.project.notifier() as notifier:
            wait_until(lambda: notifier.receipts(message) is not None, PATIENCE_SECONDS)
            [receipt] = notifier.receipts(message)
            return receipt

    def owner(self):
        return execute(self.url, "SELECT owner FROM sends")[0][0]


@pytest.fixture
def resources(project, postgres_url):
    with AccountingServer() as server:
        made = SendingResources(project, server, postgres_url)
        made.configure(timeout="30s")
        yield made


@pytest.mark.parametrize("on_ambiguous", ["retry", "hold"])
def test_the_worker_is_killed_in_the_middle_of_the_request(resources, on_ambiguous):
    """Its lease over, the message becomes what on_ambiguous says: sent again and said so, or unknown."""
    arrived, answered = threading.Event(), threading.Event()

    def script(_recipients, _message, _body):
        if not arrived.is_set():
            arrived.set()
            answered.wait(PATIENCE_SECONDS)
        return Taken()

    resources.server.script = script
    resources.configure(timeout="30s", on_ambiguous=on_ambiguous)
    message = resources.enqueue()
    with Workers(resources.project) as workers:
        workers.start()
        assert arrived.wait(PATIENCE_SECONDS)
        workers.kill(0)
        answered.set()
        workers.start()
        receipt = resources.settled(message)
    if on_ambiguous == "retry":
        assert (receipt.outcome, receipt.possible_duplicate) == (Outcome.ACCEPTED, True)
        assert resources.server.account == {"u1": 2}
    else:
        assert (receipt.outcome, receipt.error.code) == (Outcome.UNKNOWN, "outcome_unknown")
        assert resources.server.account == {"u1": 1}


def test_a_text_without_a_template(resources):
    """It goes as it was enqueued: the worker renders nothing."""
    with resources.project.notifier() as notifier, psycopg.connect(resources.url) as connection:
        message = notifier.enqueue("sms", "u1", text="سلام {{ x }}", connection=connection, key="k")
        assert notifier.enqueue("sms", "u1", text="سلام {{ x }}", connection=connection, key="k") == message
    sent = []

    def script(_recipients, message, _body):
        sent.append(message)
        return Taken()

    resources.server.script = script
    with Workers(resources.project) as workers:
        workers.start()
        assert resources.settled(message).outcome is Outcome.ACCEPTED
    assert sent == [{"body": "سلام {{ x }}"}]


def test_the_worker_is_killed_while_it_waits_as_it_was_told_to(resources):
    """Nothing was taken, so nothing is in doubt: another simply goes on."""
    waiting = Taken(429, taken=False, headers={"Retry-After": "50"})
    resources.server.script = always(waiting)
    message = resources.enqueue()
    with Workers(resources.project) as workers:
        workers.start()
        wait_until(
            lambda: execute(resources.url, "SELECT disposition FROM attempts") == [("not_taken",)], PATIENCE_SECONDS
        )
        resources.server.script = always(Taken())
        workers.kill(0)
        workers.start()
        receipt = resources.settled(message)
    assert (receipt.outcome, receipt.possible_duplicate, receipt.attempts) == (Outcome.ACCEPTED, False, 2)
    assert resources.server.account == {"u1": 1}


def test_a_worker_that_wakes_up_sends_nothing_under_its_old_name(resources):
    """It was taken for dead while it waited, and another sent the message."""
    resources.server.script = always(Taken(429, taken=False, headers={"Retry-After": "2"}))
    message = resources.enqueue()
    with Workers(resources.project) as workers:
        workers.start()
        wait_until(
            lambda: execute(resources.url, "SELECT disposition FROM attempts") == [("not_taken",)], PATIENCE_SECONDS
        )
        workers.processes[0].send_signal(19)
        resources.server.script = always(Taken())
        workers.start()
        assert resources.settled(message).outcome is Outcome.ACCEPTED
        workers.processes[0].send_signal(18)
        again = resources.enqueue("u2")
        assert resources.settled(again).outcome is Outcome.ACCEPTED
        workers.terminate(0)
    assert resources.server.account == {"u1": 1, "u2": 1}


def test_a_worker_that_is_asked_to_end_gives_back_what_waits(resources):
    """At once: nobody waits for its lease, and nothing is in doubt."""
    resources.server.script = always(Taken(429, taken=False, headers={"Retry-After": "50"}))
    message = resources.enqueue()
    with Workers(resources.project, lease=60.0) as workers:
        workers.start()
        wait_until(
            lambda: execute(resources.url, "SELECT disposition FROM attempts") == [("not_taken",)], PATIENCE_SECONDS
        )
        resources.server.script = always(Taken())
        workers.terminate(0)
        assert resources.owner() is None
        workers.start()
        receipt = resources.settled(message)
    assert (receipt.outcome, receipt.possible_duplicate) == (Outcome.ACCEPTED, False)


def test_jobs_that_were_lost_come_again(resources):
    """The sweep finds what no job waits for, whoever deleted it."""
    message = resources.enqueue()
    execute(resources.url, "DELETE FROM procrastinate_jobs")
    with Workers(resources.project) as workers:
        workers.start()
        assert resources.settled(message).outcome is Outcome.ACCEPTED


def keyless(project):
    (project.folder / "key").unlink()


def blank(project):
    replace(project.folder / "key", "  \n")


def mended_key(project):
    replace(project.folder / "key", "a-key-of-the-tests")


def edited(**changes):
    """Return what changes a configuration file."""

    def edit(project):
        document = json.loads(project.config.read_text())
        for path, value in changes.items():
            inner, names = document, path.split("__")
            for name in names[:-1]:
                inner = inner[name]
            if value is None:
                inner.pop(names[-1])
            else:
                inner[names[-1]] = value
        replace(project.config, json.dumps(document))

    return edit


def broken(project):
    replace(project.config, project.config.read_text() + "\n{")


def mended_file(project):
    replace(project.config, project.config.read_text().removesuffix("\n{"))


SMS = {"type": "sms", "verified": True}
FAULTS = {
    "no key": (keyless, mended_key, "secret_missing"),
    "a blank key": (blank, mended_key, "secret_missing"),
    "no ca_file": (edited(metrix__ca_file="none.pem"), edited(metrix__ca_file=None), "file_unreadable"),
    "an unverified channel": (
        edited(channels__sms={"type": "sms", "verified": False}),
        edited(channels__sms=SMS),
        "channel_unverified",
    ),
    "no such channel": (edited(channels={"text": SMS}), edited(channels={"sms": SMS}), "channel_unknown"),
    "another application": (edited(metrix__app_id="other"), edited(metrix__app_id="app"), "message_foreign"),
    "a broken file": (broken, mended_file, None),
}


def health(url):
    """Return the status of /health and the codes of what the worker says there."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, [each["code"] for each in json.load(answer)["problems"]]
    except urllib.error.HTTPError as error:
        return error.code, [each["code"] for each in json.load(error)["problems"]]


def started_with_health(workers):
    workers.start(1, "--health", "0")
    wait_until(
        lambda: "is running" in workers.log.read_text() and "/health" in workers.log.read_text(), PATIENCE_SECONDS
    )
    return re.search(r"http://\S+/health", workers.log.read_text())[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_that_cannot_send_leaves_it_to_others(resources, fault):
    """It gives the message back untouched, says why once, is unhealthy, and sends again when it is mended."""
    harm, mend, code = FAULTS[fault]
    bad = resources.other("bad")
    with Workers(bad) as workers, Workers(resources.project) as good:
        url = started_with_health(workers)
        assert health(url) == (200, [])
        harm(bad)
        message = resources.enqueue()
        wait_until(lambda: health(url)[0] == 503, PATIENCE_SECONDS)
        assert code is None or health(url) == (503, [code])
        assert (resources.receipts(message), resources.owner(), resources.server.requests) == (None, None, [])
        assert execute(resources.url, "SELECT count(*) FROM attempts") == [(0,)]
        assert execute(resources.url, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == [(1,)]
        good.start()
        assert resources.settled(message).outcome is Outcome.ACCEPTED
        good.terminate(0)
        mend(bad)
        wait_until(lambda: health(url) == (200, []), PATIENCE_SECONDS)
        assert resources.settled(resources.enqueue("u2")).outcome is Outcome.ACCEPTED
        assert code is None or workers.log.read_text().count(f"[{code}]") == 1
    assert resources.server.account == {"u1": 1, "u2": 1}


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_a_worker_that_is_refused_leaves_it_to_others(resources, status):
    """Another key, another address may do better: the message goes back, and the worker takes no more for a while."""
    with AccountingServer(always(Taken(status, taken=False))) as refusing:
        bad = resources.other("bad", url=refusing.url)
        with Workers(bad) as workers, Workers(resources.project) as good:
            url = started_with_health(workers)
            message = resources.enqueue()
            wait_until(lambda: health(url)[0] == 503, PATIENCE_SECONDS)
            assert resources.receipts(message) is None
            good.start()
            receipt = resources.settled(message)
            assert (receipt.outcome, receipt.possible_duplicate) == (Outcome.ACCEPTED, False)
            assert len(refusing.requests) < 5, (
                "it asks again and again"
            )  # once, or a few times until the other has begun
    assert resources.server.account == {"u1": 1}


def test_a_key_that_waits_for_a_worker_is_busy(resources):
    """A `send` neither takes the message from the workers nor makes a second one of it."""
    message = resources.enqueue(key="order-7")
    resources.configure(timeout="4s", deadline="4s")
    with resources.project.notifier() as notifier:
        with pytest.raises(LedgerError) as caught:
            notifier.send("sms", "u1", "offer", HELLO, key="order-7")
        assert caught.value.code == "key_busy"
        with Workers(resources.project) as workers:
            workers.start()
            assert resources.settled(message).outcome is Outcome.ACCEPTED
        assert notifier.send("sms", "u1", "offer", HELLO, key="order-7").id == message
    assert resources.server.account == {"u1": 1}


def test_a_send_that_died_is_taken_up_by_the_next_message_with_its_key(resources):
    """Nobody else might ever ask for that key again: so it is the workers' from then on, its doubt remembered."""
    arrived, answered = threading.Event(), threading.Event()

    def script(_recipients, _message, _body):
        if not arrived.is_set():
            arrived.set()
            answered.wait(PATIENCE_SECONDS)
        return Taken()

    resources.server.script = script
    call = (
        "from metrix_channels import Notifier\n"
        "Notifier.from_config('channels.yaml').send('sms', 'u1', 'offer', {'first_name': 'سارا'}, key='k')\n"
    )
    with subprocess.Popen([sys.executable, "-c", call], cwd=resources.project.folder, env=environment()) as process:
        assert arrived.wait(PATIENCE_SECONDS)
        process.kill()
    answered.set()
    execute(resources.url, "UPDATE owners SET lease_until = now() - interval '1 s'")
    message = resources.enqueue(key="k")
    with Workers(resources.project) as workers:
        workers.start()
        receipt = resources.settled(message)
    assert (receipt.id, receipt.outcome, receipt.possible_duplicate) == (message, Outcome.ACCEPTED, True)
    assert resources.server.account == {"u1": 2}


def counters(url):
    """Return the counters that a worker shows to Prometheus."""
    with urllib.request.urlopen(url.replace("/health", "/metrics"), timeout=60) as answer:
        text = answer.read().decode()
    found = dict(re.findall(r"^(\w+_total(?:\{.*\})?) (\d+)$", text, re.MULTILINE))
    return {name.removeprefix("metrix_channels_"): int(value) for name, value in found.items()}


def test_counters_count_campaigns_and_outbox_and_never_go_back(resources):
    """Whatever happens to a run: what was counted stays counted until the process ends, and the next begins at 0."""
    project, server = resources.project, resources.server
    refused, doubtful = {"u2", "u3"}, {"doubtful"}

    def decide(recipients, _message, _body):
        if doubtful & set(recipients):
            doubtful.clear()
            return Taken(500)
        return Taken(400, taken=False) if refused & set(recipients) else Taken()

    server.script = decide
    with Workers(project) as workers:
        url = started_with_health(workers)
        readings = [counters(url)]
        resources.settled(resources.enqueue("doubtful"))
        resources.settled(resources.enqueue("u2"))
        wait_until(lambda: counters(url)["rejected_total"] == 1, PATIENCE_SECONDS)
        readings.append(counters(url))
        assert readings[-1] == {
            **readings[0],
            "requests_total": 3,
            "accepted_total": 1,
            "rejected_total": 1,
            "possible_duplicates_total": 1,
            'outbox_recipients_total{outcome="accepted"}': 1,
            'outbox_recipients_total{outcome="rejected"}': 1,
        }
        project.audience(people(5))
        project.campaign()
        project.run("run", "offer.yaml", "--yes")
        wait_until(lambda: counters(url)["accepted_total"] == 4, PATIENCE_SECONDS)
        readings.append(counters(url))
        assert readings[-1]["rejected_total"] == 3
        refused.clear()
        assert project.run("retry", "offer", "--rejected").document["accepted"] == 5
        wait_until(lambda: counters(url)["accepted_total"] == 6, PATIENCE_SECONDS)
        readings.append(counters(url))
        assert readings[-1]["rejected_total"] == 3
        assert run_command("ledger", "purge", "--older-than", "1s", "--json", cwd=project.folder).status == 0
        readings.append(counters(url))
        assert readings[-1]["requests_total"] == len(server.requests)
        for before, after in itertools.pairwise(readings):
            assert all(after[name] >= before[name] for name in before)
        workers.terminate(0)
    workers.log.unlink()
    with Workers(project) as workers:
        assert set(counters(started_with_health(workers)).values()) == {0}
