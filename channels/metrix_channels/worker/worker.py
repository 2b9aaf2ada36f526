"""One worker process: fetches jobs, renews its lease, recovers the work of dead workers, and shuts down cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, ParamSpec

import psycopg
from procrastinate.exceptions import ProcrastinateException

from ..campaign.execution.shard_runner import ShardRunner
from ..config import ConfigFile
from ..errors import LedgerError, MetrixChannelsError
from ..ledger.database import PASSING
from ..ledger.postgres.liveness import LEASE_SECONDS
from ..ledger.runs.distributed import DistributedRunBook
from ..ledger.sends.outbox import OutboxBook
from ..logs import say
from ..notifier.services import Services
from ..process.signals import ending_signals
from .health import Worker, serve_health
from .jobs import JobQueue
from .readiness import OnProblem, Readiness

P = ParamSpec("P")

_SWEEP_SECONDS: Final = 2.0
_IDLE_SECONDS: Final = 10.0
"""The search for missing jobs takes at most this fraction (1 of N) of the time, however many messages wait."""
_LOOK_SECONDS: Final = 1.0
_ORDERLY: Final = 0.9

OnReady = Callable[[str], None]
"""Called with the worker's name when it is ready for work."""


def work(
    file: ConfigFile,
    *,
    concurrency: int,
    lease: float = LEASE_SECONDS,
    health: socket.socket | None = None,
    on_ready: OnReady,
    on_problem: OnProblem,
) -> bool:
    """Run a worker until SIGINT, SIGTERM, SIGHUP or SIGQUIT. Call it from the main thread.

    Args:
        file: the configuration, whose ledger is in PostgreSQL.
        concurrency: shards sent in parallel; the configuration limits the requests.
        lease: seconds without a sign of life after which other workers take over its claims.
        health: a listening socket for the health endpoint; None for none.
        on_ready: called when the worker is ready for work.
        on_problem: called once for each reason why this worker cannot send something and leaves it to others.

    Returns:
        Whether it shut down cleanly: everything that it had claimed has an outcome or was released.

    Raises:
        ConfigError: from the file; ledger_not_shared if the ledger is not in PostgreSQL.
        LedgerError: the ledger cannot be reached.
    """
    return asyncio.run(_Worker(file, concurrency, lease).run(health, on_ready, on_problem))


class _Worker:
    def __init__(self, file: ConfigFile, concurrency: int, lease: float) -> None:
        self._services = Services(file)
        self._concurrency = concurrency
        self._lease = lease
        self._database = self._services.engine.book_file.for_worker(lease)
        self._book = DistributedRunBook(self._database)

    async def run(self, health: socket.socket | None, on_ready: OnReady, on_problem: OnProblem) -> bool:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say_untold)
        for number in ending_signals():
            loop.add_signal_handler(number, stop.set)
        async with contextlib.aclosing(self._services.engine) as engine:
            outbox = self._services.outbox
            runner = ShardRunner(engine.resources(), self._book)
            readiness = Readiness(engine, outbox, on_problem)
            look_at_once = asyncio.Event()

            async def post(send: str, tries: int) -> None:
                await outbox.post(send, tries)
                if outbox.refusal is not None:
                    look_at_once.set()

            await self._book.work_here()
            on_ready(self._database.owner)
            queue = JobQueue(self._database, self._concurrency, self._guard(runner.work_on), self._guard(post))
            tasks = [
                asyncio.create_task(self._take_work(queue, readiness, look_at_once)),
                asyncio.create_task(self._look_after(outbox.sends)),
            ]
            if health is not None:
                worker = Worker(runner, outbox, readiness, queue, self._database)
                tasks.append(asyncio.create_task(serve_health(health, worker)))
            ended = asyncio.create_task(stop.wait())
            await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            engine.stop()
            orderly = await self._end(tasks)
            await runner.close()
        return orderly

    async def _take_work(self, queue: JobQueue, readiness: Readiness, look_at_once: asyncio.Event) -> None:
        """Fetch the jobs that this worker can do until this is cancelled; then finish the started ones."""
        queues: frozenset[str] = frozenset()
        fetching: asyncio.Task[None] | None = None
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                look_at_once.clear()
                wanted = queues
                with contextlib.suppress(LedgerError):  # the ledger is not reachable; the lease is checked all the same
                    wanted = await readiness.look()
                if wanted != queues:
                    if fetching is not None:
                        fetching.cancel()  # it finishes the started jobs
                    queues, fetching = wanted, None
                if queues and fetching is None:
                    fetching = asyncio.create_task(queue.run(queues))
                    tasks.add(fetching)
                tasks = await self._pause(tasks, look_at_once)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pause(self, tasks: set[asyncio.Task[None]], at_once: asyncio.Event) -> set[asyncio.Task[None]]:
        """Wait until the next check; return the tasks that are still running.

        Raises:
            Exception: the exception of a task that ended.
        """
        asked = asyncio.create_task(at_once.wait())
        await asyncio.wait([asked, *tasks], timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        return {task for task in tasks if not task.done()}

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> bool:
        """Let the work in progress finish within the lease; after that, other workers take it over."""
        for task in tasks:
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=self._lease * _ORDERLY)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        return not late

    def _guard(self, job: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
        """Wrap a job so that its errors are logged and do not reach the queue; the sweep recovers its work."""

        async def guarded(*arguments: P.args, **named: P.kwargs) -> None:
            try:
                await job(*arguments, **named)
            except MetrixChannelsError as error:
                self._change_name()
                if error.code not in PASSING - {"ledger_locked"}:  # the loss of the database is logged elsewhere
                    say(logging.ERROR, error.message, code=error.code)
            except Exception as error:  # noqa: BLE001 - a bug must not get lost in the log of the queue
                self._change_name()
                _log_fault("A job", error)

        return guarded

    def _change_name(self) -> None:
        """Give up the claims of this process, whose state is uncertain, and continue under a new name.

        The sweep settles the work under the old name.
        """
        self._database.give_up_name()

    async def _look_after(self, sends: OutboxBook) -> None:
        """Register this worker, and sweep regularly."""
        clock = asyncio.get_running_loop().time
        again = 0.0
        while True:
            with contextlib.suppress(LedgerError):
                await self._book.work_here()
                await self._book.sweep()
                await sends.sweep()
                if (began := clock()) >= again:
                    await sends.defer_missing()
                    again = clock() + _IDLE_SECONDS * (clock() - began)
            await asyncio.sleep(min(_SWEEP_SECONDS, self._lease / 5))


def _say_untold(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log the exception of a background task in one line, where asyncio would print a traceback."""
    error = context.get("exception")
    if isinstance(error, ProcrastinateException | psycopg.Error):
        return  # the job queue lost the database, which is logged elsewhere
    if isinstance(error, Exception):
        _log_fault("A task", error)
    else:
        say(logging.ERROR, str(context.get("message")), code="internal")


def _log_fault(what: str, error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" at {Path(place[0].filename).name}:{place[0].lineno}" if place else ""
    say(logging.ERROR, f"{what} failed with {type(error).__name__}{where}.", code="internal")
