"""The job queue of a worker: it goes on whatever the database does, and ends when it is told to."""

import asyncio

import pytest

from helpers.command_line import eventually
from helpers.postgres import execute
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.ledger.postgres.jobs import QUEUE
from metrix_channels.worker.jobs import JobQueue

REGISTERED = "SELECT id FROM procrastinate_workers"


async def nothing(*_, **__):
    """Do no work."""


@pytest.mark.parametrize("fails", [False, True])
def test_the_queue_ends_when_it_is_cancelled(fails, postgres_url):
    """Also when the library below fails while it ends, and raises that instead: else the process would never end."""

    async def run():
        database = PostgresDatabase(postgres_url)
        await database.transact(lambda _: database.owner)
        queue = JobQueue(database, 2, nothing, nothing)
        fetching = asyncio.create_task(queue.run([QUEUE]))
        await eventually(lambda: execute(postgres_url, REGISTERED))
        if fails:
            execute(postgres_url, "ALTER TABLE procrastinate_workers RENAME TO gone")
        fetching.cancel()
        done, _ = await asyncio.wait([fetching], timeout=60)
        assert done
        assert fetching.cancelled()
        await database.close()

    asyncio.run(run())
