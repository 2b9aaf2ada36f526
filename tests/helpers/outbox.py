"""Workers on an outbox within the test's own process: killed and frozen between two transactions of their ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from helpers.accounting_server import AccountingServer
from helpers.campaigns import Project
from helpers.cluster import on_postgres
from helpers.postgres import execute
from metrix_channels import AsyncNotifier, Receipt
from metrix_channels.config import ConfigFile
from metrix_channels.ledger import Connection
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.ledger.runs.distributed import DistributedRunBook
from metrix_channels.ledger.sends.outbox import Waiting
from metrix_channels.notifier.outbox.outbox import Outbox
from metrix_channels.notifier.services import Services
from metrix_channels.worker.readiness import Readiness

_NEVER = 100_000.0
"""Seconds of a lease that only the test lets run out."""
FETCH = """
    UPDATE procrastinate_jobs SET status = 'doing' WHERE id = (
        SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'metrix_channels.post'
            AND queue_name = ANY('{queues}') ORDER BY id LIMIT 1
    ) RETURNING id, args->>'send', (args->>'tries')::int"""
"""Fetches a job, as the queue does; but nobody waits for the time of the next try."""

Accident = Callable[[], Any]


class Killed(BaseException):
    """The process is no more: nothing in it runs on, whatever it catches."""


class OutboxWorker:
    """What `metrix-channels worker` does for messages, step by step.

    Args:
        config: its channels.yaml.
    """

    def __init__(self, config: Path) -> None:
        self._services = Services(ConfigFile(config))
        self._engine = self._services.engine
        assert isinstance(self._engine.book_file, PostgresDatabase)
        self.database = self._engine.book_file
        self.database.lease_seconds = _NEVER
        self._transact = self.database.transact
        self.database.transact = self._already_counted  # type: ignore[method-assign]
        self.is_dead = False
        self._before: dict[int, Accident] = {}
        self._made = 0
        self.problems: list[str] = []

    async def close(self) -> None:
        """End it."""
        self.database.transact = self._transact  # type: ignore[method-assign]
        await self._engine.aclose()

    async def sweep(self) -> None:
        """Do what every worker does each two seconds."""
        await DistributedRunBook(self.database).sweep()
        await self._outbox.sends.sweep()
        await self._outbox.sends.defer_missing()

    async def work(self, at: int | None = None, accident: Accident | None = None) -> bool:
        """Fetch one job that this worker can do, and do it.

        Args:
            at: the transaction, from 0, before which something happens.
            accident: what happens.

        Returns:
            Whether there was a job.
        """
        readiness = Readiness(self._engine, self._outbox, lambda problem: self.problems.append(problem.code))
        queues = "{" + ",".join(await readiness.look()) + "}"
        jobs = execute(self.database.url, FETCH.format(queues=queues))
        if not jobs:
            return False
        [(job, send, tries)] = jobs
        self._made, self._before = 0, {at: accident} if at is not None and accident is not None else {}
        try:
            await self._outbox.post(send, tries)
        except Killed:
            return True  # its job stays as it is
        finally:
            self._before = {}
        execute(self.database.url, f"DELETE FROM procrastinate_jobs WHERE id = {job}")
        return True

    async def waiting(self) -> list[Waiting]:
        """Return whose messages wait."""
        return await self._outbox.sends.waiting()

    def kill(self) -> None:
        """End it in the middle, as SIGKILL does, and let its lease run out."""
        self.is_dead = True
        self.freeze()
        raise Killed

    def freeze(self) -> None:
        """Let it sleep past its lease."""
        lease = self.database.lease
        lease._renewed = time.monotonic() - 2 * _NEVER
        execute(
            self.database.url, f"UPDATE owners SET lease_until = now() - interval '1 s' WHERE name = '{lease.name}'"
        )

    def wake(self) -> None:
        """Let it find out what its lease is worth, as the thread does that renews it."""
        lease = self.database.lease
        until = "now() + interval '1 day'"
        renewed = execute(
            self.database.url, f"UPDATE owners SET lease_until = {until} WHERE name = '{lease.name}' RETURNING 1"
        )
        if renewed:
            lease._renewed = time.monotonic()
        else:
            self.database.give_up_name()

    @property
    def _outbox(self) -> Outbox:
        return self._services.outbox

    async def _already_counted(self, work: Callable[[Connection], Any], **how: Any) -> Any:
        if self.is_dead:
            raise Killed
        accident = self._before.pop(self._made, None)
        self._made += 1
        if accident is not None:
            found = accident()
            if found is not None:
                await found
        return await self._transact(work, **how)


class StepwiseOutbox:
    """A ledger, a server, and workers in this process."""

    def __init__(self, project: Project, url: str, server: AccountingServer) -> None:
        self.project, self.url, self.server = project, url, server
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.workers: list[OutboxWorker] = []
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Write the configuration, and take a notifier with it."""
        self.project.configure(self.server.url, **{"max_attempts": 1, **settings})
        on_postgres(self.project, self.url)
        self.notifier = AsyncNotifier.from_config(self.project.config)

    def worker(self) -> OutboxWorker:
        """Start a worker."""
        self.workers.append(OutboxWorker(self.project.config))
        return self.workers[-1]

    def enqueue(self, to: str | list[str] = "u1", key: str | None = None, at: datetime | None = None) -> str:
        """Put a message into the ledger and commit."""
        with psycopg.connect(self.url) as connection:
            return self.run(
                self.notifier.enqueue("sms", to, "offer", {"first_name": "a"}, connection=connection, key=key, at=at)
            )

    def withdraw(self, key: str, connection: Any = None) -> bool:
        """Withdraw a message, in a transaction that is open, or in one of its own."""
        if connection is not None:
            return self.run(self.notifier.withdraw(key, connection=connection))
        with psycopg.connect(self.url) as own:
            return self.withdraw(key, own)

    def send(self, to: str | list[str] = "u1", key: str | None = None) -> Any:
        """Send a message at once."""
        return self.run(self.notifier.send("sms", to, "offer", {"first_name": "a"}, key=key))

    def receipts(self, message: str) -> tuple[Receipt, ...] | None:
        """Return what became of a message."""
        return self.run(self.notifier.receipts(message))

    def close(self) -> None:
        """End it."""
        for worker in self.workers:
            self.run(worker.close())
        self.run(self.notifier.close())
        self.runner.close()
