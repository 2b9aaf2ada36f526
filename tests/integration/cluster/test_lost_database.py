"""A worker whose database goes away says so in a line, and in /health, until it is back: no page of a library's own."""

import asyncio
import json
import logging
import re
import time
import urllib.error
import urllib.request

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException

from helpers.accounting_server import AccountingServer
from helpers.campaigns import people
from helpers.cluster import Workers, on_postgres, over, until
from helpers.command_line import wait_until
from helpers.postgres import execute
from metrix_channels.worker.worker import _say_untold


def health_of(workers):
    wait_until(lambda: workers.log.exists() and "is running" in workers.log.read_text(), 60)
    url = re.search(r"http://\S+/health", workers.log.read_text())[0]

    def asked():
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return asked


def through_an_outage(project, postgres, seconds):
    """Let the database be away while a campaign is sent; return what the worker said meanwhile."""
    with AccountingServer(seconds=0.02) as server, postgres.database() as url:
        project.configure(server.url, batch_size=5, concurrency=4)
        on_postgres(project, url)
        project.audience(people(1500))
        project.campaign()
        with Workers(project) as workers:
            workers.start(1, "--health", "0")
            health = health_of(workers)
            assert project.run("run", "offer.yaml", "--yes", "--detach").status == 0
            wait_until(lambda: len(server.requests) > 10)
            assert health()[1]["problems"] == []
            postgres.stop()
            try:
                wait_until(lambda: health()[0] == 503)
                status, said = health()
                time.sleep(seconds)
            finally:
                postgres.start()
            assert (status, said["ok"], said["problems"][0]["code"]) == (503, False, "ledger_unavailable")
            wait_until(lambda: health()[0] == 200, 60)
            assert until(project, "offer", over)["pending"] == 0
            log = workers.log.read_text()
    assert len(server.account) == 1500
    return log


def check(log):
    assert log.count("cannot be used") == 1, log
    assert log.count("can be used again") == 1, log
    for strange in ("procrastinate", "psycopg", "PoolTimeout", "asyncio", "exception", "  File"):
        assert strange not in log, log


def test_an_outage_is_said_in_a_line(project, postgres):
    """And its end, in another."""
    check(through_an_outage(project, postgres, 3.0))


@pytest.mark.long
def test_a_long_outage_is_said_no_more_often(project, postgres):
    """Longer than anybody is waited for: by transactions, by the queue, by the lease."""
    check(through_an_outage(project, postgres, 50.0))


def test_what_a_library_left_in_a_task_is_no_traceback(caplog):
    """Asyncio would print one for a task that nobody waited for."""

    async def fails(error):
        raise error

    async def run():
        asyncio.get_running_loop().set_exception_handler(_say_untold)
        for error in (ConnectorException(), psycopg.OperationalError("gone"), KeyError("of ours")):
            task = asyncio.create_task(fails(error))
            await asyncio.wait([task])
            del task

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    [record] = caplog.records
    assert record.getMessage().startswith("A task failed with KeyError at test_lost_database.py:")
    assert (record.levelname, record.exc_info) == ("ERROR", None)


def test_rights_that_a_remedy_grants_are_enough_for_everything(project, debian_url, debian_postgres):
    """The tables are an administrator's; campaign, worker and reports go by another role."""
    name = psycopg.conninfo.conninfo_to_dict(debian_url)["dbname"]
    with AccountingServer() as server:
        project.configure(server.url, batch_size=5)
        on_postgres(project, debian_url)
        project.audience(people(50))
        project.campaign()
        assert project.run("list").status == 0
        execute(debian_url, "CREATE ROLE sender LOGIN PASSWORD 'pw'")
        try:
            on_postgres(project, f"postgresql://sender:pw@127.0.0.1:{debian_postgres.port}/{name}")
            error = project.run("list").document["error"]
            assert error["code"] == "ledger_denied"
            for statement in re.findall(r"GRANT [^;]*;", error["remedy"]):
                execute(debian_url, statement)
            with Workers(project) as workers:
                workers.start()
                assert project.run("run", "offer.yaml", "--yes").document["accepted"] == 50
                assert project.run("report", "offer", "--csv", "rows.csv").status == 0
        finally:
            execute(debian_url, "DROP OWNED BY sender")
            execute(debian_url, "DROP ROLE sender")
