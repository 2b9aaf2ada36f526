"""The job queue of a worker: its tasks, and how it fetches jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from ..errors import LedgerError
from ..ledger.database import WorkerDatabase
from ..ledger.postgres.connecting import KEEPALIVE, SETTINGS, served_within
from ..ledger.postgres.errors import explained
from ..ledger.postgres.jobs import MESSAGE_TASK, QUEUE, SHARD_TASK
from ..logs import say

_POLL_SECONDS: Final = 1.0
_HEARTBEAT_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0

SendShard = Callable[[int], Awaitable[None]]
"""Claims a shard of the run with the given id and sends it."""
Post = Callable[[str, int], Awaitable[None]]
"""Sends a message, given its id and the number of earlier attempts."""


class JobQueue:
    """Fetches and runs jobs.

    It uses two connections: one is notified of new jobs, the other runs statements.

    Args:
        database: of the ledger.
        concurrency: jobs that run at the same time.
        send_shard: claims a shard of a run and sends it.
        post: sends a message.

    Attributes:
        trouble: why no jobs can be fetched now; None if they can.
    """

    def __init__(self, database: WorkerDatabase, concurrency: int, send_shard: SendShard, post: Post) -> None:
        self.trouble: LedgerError | None = None
        self._database = database
        self._concurrency = concurrency
        self._send_shard = send_shard
        self._post = post

    async def run(self, queues: Collection[str]) -> None:
        """Run jobs until this is cancelled; then finish the jobs that were started.

        Procrastinate stops when it loses the database, so it is started again until this is cancelled.

        Args:
            queues: the names of the queues.
        """
        for library in ("procrastinate", "psycopg"):
            # Procrastinate logs a long traceback for each lost connection; here it is one line.
            logging.getLogger(library).setLevel(logging.CRITICAL)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            with contextlib.suppress(ProcrastinateException, psycopg.Error, PoolTimeout, OSError):
                await self._work(queues)  # it does not say why it ended, so `_find_trouble` finds out
            _raise_if_cancelled()
            pause = _FIRST_PAUSE_SECONDS if self.trouble is None else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await self._find_trouble()
            _raise_if_cancelled()
            await asyncio.sleep(pause)

    async def _work(self, queues: Collection[str]) -> None:
        app = self._app()
        try:
            # Not `async with`: it does not close a pool whose opening is cancelled, so its tasks never end.
            await app.open_async()
            await app.run_worker_async(
                queues=sorted(queues),
                concurrency=self._concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=_POLL_SECONDS,
                update_heartbeat_interval=_HEARTBEAT_SECONDS,
                delete_jobs="successful",
            )
        finally:
            await app.close_async()

    async def _find_trouble(self) -> None:
        """Find out why jobs cannot be fetched, and log it once."""
        url = self._database.url
        try:
            connection = await psycopg.AsyncConnection.connect(make_conninfo(url, **KEEPALIVE))
            async with connection:
                await self._configure(connection)
        except psycopg.Error as error:
            why = explained(error, url)
            if self.trouble is None and self._database.trouble is None:
                say(logging.WARNING, f"No jobs can be fetched: {why.message} The worker tries again.", code=why.code)
            self.trouble = why

    async def _configure(self, connection: psycopg.AsyncConnection[Any]) -> None:
        with served_within(connection):
            await connection.execute(SETTINGS)
            await connection.commit()

    async def _begin(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await self._configure(connection)
        self.trouble = None

    def _app(self) -> App:
        connector = PsycopgConnector(
            conninfo=make_conninfo(self._database.url, **KEEPALIVE),
            min_size=1,
            max_size=1,
            timeout=_PATIENCE_SECONDS,
            # Not with the connection parameter `options`, which PgBouncer refuses.
            configure=self._begin,
        )
        app = App(connector=connector)
        send_shard, post = self._send_shard, self._post

        @app.task(name=SHARD_TASK, queue=QUEUE)
        async def work_on(run: int, **_: Any) -> None:
            await send_shard(run)

        @app.task(name=MESSAGE_TASK, queue=QUEUE)
        async def send(send: str, tries: int, **_: Any) -> None:
            await post(send, tries)

        return app


def _raise_if_cancelled() -> None:
    """End a cancelled task if a library replaced its CancelledError with another error.

    Raises:
        asyncio.CancelledError: the task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
