"""Every verb that looks into the ledger does so in PostgreSQL too."""

import csv
import json
import time

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project, people
from helpers.cluster import Workers, on_postgres
from helpers.command_line import run_command
from helpers.postgres import execute


@pytest.fixture(scope="module")
def postgres_url(postgres):
    """One ledger for all that only looks."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="module")
def sent(tmp_path_factory, postgres_url):
    """A campaign of which one recipient was refused, and its ledger."""

    def refuses(recipients, _message, _body):
        return Taken(400, taken=False) if "u3" in recipients else Taken()

    project = Project(tmp_path_factory.mktemp("sent"))
    project.template("سلام {{ first_name }}")
    with AccountingServer(refuses) as server:
        project.configure(server.url, batch_size=10)
        on_postgres(project, postgres_url)
        project.audience(people(40))
        project.campaign()
        with Workers(project) as workers:
            workers.start()
            assert project.run("run", "offer.yaml", "--yes").document["rejected"] == 1
        yield project


def metrix(project, *arguments):
    return run_command(*arguments, "--json", cwd=project.folder)


def test_reports_and_lists(sent):
    """The rows of the audience, the page, the list."""
    result = sent.run("report", "offer", "--csv", "rows.csv", "--html", "report.html")
    assert (result.status, result.document["rows"]) == (0, 40)
    rows = list(csv.DictReader((sent.folder / "rows.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["outcome"] for row in rows if row["recipient"] == "u3"] == ["rejected"]
    assert "offer" in (sent.folder / "report.html").read_text(encoding="utf-8")
    [listed] = sent.run("list").document["campaigns"]
    assert (listed["campaign"], listed["accepted"]) == ("offer", 39)


def test_a_key_is_kept_across_processes(sent):
    """`send` beside campaigns, with the same promise."""
    arguments = ("send", "sms", "--to", "u1", "--template", "offer", "--set", "first_name=a", "--key", "k1")
    first, second = (metrix(sent, *arguments).document["receipts"][0] for _ in range(2))
    assert second == {**first, "repeated": True}
    assert first["outcome"] == "accepted"


def test_a_failed_attempt_is_kept_for_support(sent):
    """By the worker that made it, read from anywhere."""
    [attempt, *_] = metrix(sent, "support-bundle", "--list").document["attempts"]
    assert (attempt["reference"], attempt["status_code"]) == ("offer", 400)
    assert metrix(sent, "support-bundle", "-o", "helpers.zip", "--attempt", attempt["id"]).status == 0


def test_preflight_looks_at_the_database(sent):
    """It is named without a password, and can be written."""
    checks = json.loads(metrix(sent, "preflight", "sms", "--offline").out)["checks"]
    [ledger] = [check for check in checks if check["id"] == "ledger.writable"]
    assert (ledger["status"], ledger["subject"].startswith("postgresql://")) == ("pass", True)


def test_what_is_over_can_be_forgotten(sent, postgres_url):
    """Recipients and values go, counts stay."""
    time.sleep(1.1)
    purged = metrix(sent, "ledger", "purge", "--older-than", "1s").document
    assert (purged["campaigns"], purged["unfinished"]) == (1, 0)
    assert execute(postgres_url, "SELECT count(*) FROM shards") == [(0,)]
    assert sent.run("status", "offer").document["accepted"] == 39
    assert sent.run("report", "offer", "--csv", "gone.csv").document["error"]["code"] == "run_purged"
