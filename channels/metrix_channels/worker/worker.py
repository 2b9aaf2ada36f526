"""One worker process: it fetches jobs, shows that it lives, looks after what others left, and ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, ParamSpec

from ..campaign.crew import Crew
from ..config import ConfigFile
from ..errors import ConfigError, LedgerError, MetrixChannelsError
from ..ledger.cluster import ClusterRunBook
from ..ledger.leases import LEASE_SECONDS
from ..ledger.postgres import PostgresDatabase
from ..ledger.queued import QueuedSends
from ..logs import say
from ..notifier import AsyncNotifier
from ..notifier.queueing import Queueing
from .health import Worker, serve_health
from .jobs import fetch_jobs
from .readiness import OnProblem, Readiness

P = ParamSpec("P")

_SWEEP: Final = 2.0
_IDLE: Final = 10.0
"""The look for missing jobs takes no more of the time than one in so many, however many messages wait."""
_LOOK: Final = 1.0
_ORDERLY: Final = 0.9

Told = Callable[[str], None]
"""Is told the worker's name once it takes work."""


def work(
    file: ConfigFile,
    *,
    concurrency: int,
    lease: float = LEASE_SECONDS,
    health: socket.socket | None = None,
    on_ready: Told,
    on_problem: OnProblem,
) -> bool:
    """Take work until SIGINT or SIGTERM. Call it from the main thread.

    Args:
        file: the configuration, whose ledger is in PostgreSQL.
        concurrency: shares of runs at one time; requests are bounded by the configuration.
        lease: seconds after its last sign of life in which others leave alone what this worker has claimed.
        health: a listening socket, on which it tells how it is; None for nowhere.
        on_ready: called once it takes work.
        on_problem: told once of each reason why it cannot send what waits, and leaves it to others.

    Returns:
        Whether it ended in good order: everything that it had claimed has an outcome or is free.

    Raises:
        ConfigError: of the file; the ledger is no cluster's.
        LedgerError: the ledger cannot be reached.
    """
    return asyncio.run(_Worker(file, concurrency, lease).run(health, on_ready, on_problem))


class _Worker:
    def __init__(self, file: ConfigFile, concurrency: int, lease: float) -> None:
        self._notifier = AsyncNotifier(file)
        self._concurrency = concurrency
        self._lease = lease
        engine = self._notifier.engine()
        if not isinstance(engine.book_file, PostgresDatabase):
            raise ConfigError(
                "Workers need a ledger in PostgreSQL; this one is a file, which `campaign run` sends from by itself.",
                code="ledger_not_shared",
            )
        self._database = engine.book_file
        self._database.lease_seconds = lease
        self._database.is_patient = True
        self._book = ClusterRunBook(self._database)

    async def run(self, health: socket.socket | None, on_ready: Told, on_problem: OnProblem) -> bool:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with self._notifier:
            engine = self._notifier.engine()
            crew, queueing = Crew(engine.office(), self._book), engine.queueing
            readiness = Readiness(engine, queueing, on_problem)
            await self._book.work_here()
            on_ready(self._database.owner)
            tasks = [
                asyncio.create_task(self._take_work(crew, queueing, readiness)),
                asyncio.create_task(self._look_after(queueing.sends)),
            ]
            if health is not None:
                tasks.append(
                    asyncio.create_task(serve_health(health, Worker(crew, queueing, readiness, self._database)))
                )
            ended = asyncio.create_task(stop.wait())
            await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            self._notifier.stop()
            orderly = await self._end(tasks)
            await crew.close()
        return orderly

    async def _take_work(self, crew: Crew, queueing: Queueing, readiness: Readiness) -> None:
        """Fetch the jobs that this worker can do, until this is cancelled; then end those that were begun."""
        look_at_once = asyncio.Event()

        async def post(send: str, tries: int) -> None:
            await queueing.post(send, tries)
            if queueing.refusal is not None:
                look_at_once.set()

        share, send = self._guarded(crew.work_on), self._guarded(post)
        queues: frozenset[str] = frozenset()
        fetching: asyncio.Task[None] | None = None
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                look_at_once.clear()
                wanted = queues
                with contextlib.suppress(LedgerError):  # it is away: whether the lease holds is told anyway
                    wanted = await readiness.look()
                if wanted != queues:
                    if fetching is not None:
                        fetching.cancel()  # it ends the jobs that were begun
                    queues, fetching = wanted, None
                if queues and fetching is None:
                    jobs = fetch_jobs(self._database.url, self._concurrency, queues, share, send)
                    fetching = asyncio.create_task(jobs)
                    tasks.add(fetching)
                tasks = await self._pause(tasks, look_at_once)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pause(self, tasks: set[asyncio.Task[None]], at_once: asyncio.Event) -> set[asyncio.Task[None]]:
        """Wait for the time of the next look; return the tasks that go on.

        Raises:
            Exception: what ended one of them.
        """
        asked = asyncio.create_task(at_once.wait())
        await asyncio.wait([asked, *tasks], timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        return {task for task in tasks if not task.done()}

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> bool:
        """Let what is under way end, within the lease: later than that others take it over."""
        for task in tasks:
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=self._lease * _ORDERLY)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        return not late

    def _guarded(self, job: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
        """Let no error of a job reach the queue: what it left is the sweep's, and its reason is logged."""

        async def guarded(*arguments: P.args, **named: P.kwargs) -> None:
            try:
                await job(*arguments, **named)
            except MetrixChannelsError as error:
                self._start_anew(error.message, error.code)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not go under in the queue's own log
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(place.filename).name}:{place.lineno}"
                self._start_anew(f"A job ended in {type(error).__name__} at {where}.", "internal")

        return guarded

    def _start_anew(self, message: str, code: str) -> None:
        """Drop what this process holds, of which it no longer knows all; by another name it goes on.

        The sweep settles what is under the old one.
        """
        self._database.give_up_name()
        say(logging.ERROR, message, code=code)

    async def _look_after(self, sends: QueuedSends) -> None:
        """Show that this is a worker, and sweep now and then."""
        clock = asyncio.get_running_loop().time
        again = 0.0
        while True:
            with contextlib.suppress(LedgerError):
                await self._book.work_here()
                await self._book.sweep()
                await sends.sweep()
                if (began := clock()) >= again:
                    await sends.defer_missing()
                    again = clock() + _IDLE * (clock() - began)
            await asyncio.sleep(min(_SWEEP, self._lease / 5))
