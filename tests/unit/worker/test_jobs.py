"""The job queue of a worker: it goes on whatever the database does, and ends when it is told to."""

import asyncio
import subprocess
import sys

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


CANCELLED_WHILE_IT_OPENS = """
import asyncio
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.worker.jobs import JobQueue

async def nothing(*_, **__):
    pass

async def main():
    reached = asyncio.Event()

    async def accept(reader, writer):
        reached.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    queue = JobQueue(PostgresDatabase(f"postgresql://u@127.0.0.1:{port}/db"), 2, nothing, nothing)
    fetching = asyncio.create_task(queue.run(["q"]))
    await reached.wait()
    fetching.cancel()
    await asyncio.wait([fetching])
    server.close()  # it does not wait for its connections, as `async with` would

asyncio.run(main())
"""


def test_a_process_ends_whose_queue_was_cancelled_while_it_opened():
    """A server that never answers, and a signal: the tasks of a pool of connections ignore cancellation."""
    subprocess.run([sys.executable, "-c", CANCELLED_WHILE_IT_OPENS], check=True, timeout=60)
