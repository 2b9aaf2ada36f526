"""Leases run on the database's clock: what the clocks of the machines say changes nothing."""

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from helpers.command_line import wait_until
from helpers.ledgers import WITH_HELPERS
from helpers.postgres import execute

YEAR = 365 * 86_400
LEASE = 2.0

PROCESS = """
import datetime, sys, time

url, shift, lease = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
right, right_ns = time.time, time.time_ns
time.time = lambda: right() + shift
time.time_ns = lambda: right_ns() + int(shift * 1e9)

class Moved(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=shift)

    @classmethod
    def utcnow(cls):
        return super().utcnow() + datetime.timedelta(seconds=shift)

datetime.datetime = Moved

import asyncio, json
from metrix_channels.ledger.runs.distributed import DistributedRunBook
from metrix_channels.ledger.postgres.connection import PostgresDatabase

async def run():
    database = PostgresDatabase(url, lease=lease)
    book = DistributedRunBook(database)
    await database.transact(lambda _: database.owner)
    await book.work_here()
    print(json.dumps(database.owner), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, *names = json.loads(line)
        if what == "alive":
            found = await database.transact(lambda connection: [database.is_alive(connection, n) for n in names])
        elif what == "sweep":
            found = await book.sweep()
        else:
            found = await book.workers()
        print(json.dumps(found), flush=True)
    await database.close()

asyncio.run(run())
"""


class Clocked:
    """A process whose clock is wrong by so many seconds, with a name in the ledger."""

    def __init__(self, url, shift, lease=LEASE):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, url, str(shift), str(lease)],
            env=WITH_HELPERS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.name = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self, *question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def clocked(postgres_url):
    """Three processes: a year ahead, a year behind, and right."""
    with ExitStack() as stack:
        yield [stack.enter_context(Clocked(postgres_url, shift)) for shift in (YEAR, -YEAR, 0)]


def renewed(url):
    """Wait until every lease was renewed some times."""
    for _ in range(3):
        before = dict(execute(url, "SELECT name, lease_until FROM owners"))
        wait_until(lambda before=before: _all_later(url, before), 30)


def _all_later(url, before):
    now = dict(execute(url, "SELECT name, lease_until FROM owners"))
    return all(name in now and now[name] > at for name, at in before.items())


@pytest.mark.parametrize("shift", [YEAR, -YEAR])
def test_the_first_lease_of_a_process_is_no_longer_and_no_shorter(shift, postgres_url):
    """It is looked at before its first renewal."""
    with Clocked(postgres_url, shift, lease=120.0):
        [(left,)] = execute(postgres_url, "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM owners")
        assert 0 < left <= 120


def test_a_wrong_clock_takes_nobody_for_dead(clocked, postgres_url):
    """Whether it is the observer's or the observed one's, at the first sign of life and after later ones."""
    names = [process.name for process in clocked]
    for _ in range(2):
        for process in clocked:
            assert process.ask("alive", *names) == [True] * 3
            assert process.ask("workers") == 3
            process.ask("sweep")
        assert execute(postgres_url, "SELECT count(*) FROM owners") == [(3,)]
        within = f"clock_timestamp() AND clock_timestamp() + interval '{LEASE} s'"
        assert execute(postgres_url, f"SELECT count(*) FROM owners WHERE lease_until BETWEEN {within}") == [(3,)]
        renewed(postgres_url)


@pytest.mark.parametrize("dead", [0, 1])
def test_a_wrong_clock_keeps_no_dead_process_alive(dead, clocked, postgres_url):
    """Its lease runs out by the database's clock, and each of the others may settle what it left."""
    gone = clocked.pop(dead)
    gone.process.kill()
    gone.process.wait()
    for process in clocked:
        wait_until(lambda process=process: process.ask("alive", gone.name) == [False], 30)
        assert process.ask("workers") == 2
    clocked[0].ask("sweep")
    assert sorted(execute(postgres_url, "SELECT name FROM owners")) == sorted((each.name,) for each in clocked)
