"""The job queue as a worker sees it: which tasks there are, and how they are fetched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from psycopg.conninfo import make_conninfo

from ..ledger.jobs import POST, QUEUE, SHARE
from ..ledger.postgres import KEEPALIVE
from ..ledger.postgres_schema import SCHEMA
from ..logs import say

_POLL: Final = 1.0
_HEARTBEAT: Final = 5.0
_AGAIN: Final = 1.0

Share = Callable[[int], Awaitable[None]]
"""Sends a share of a run, named by its number."""
Post = Callable[[str, int], Awaitable[None]]
"""Sends a message, named by its id, that was tried so many times before."""


async def fetch_jobs(url: str, concurrency: int, queues: Collection[str], share: Share, post: Post) -> None:
    """Fetch jobs and do them, until this is cancelled; then end those that were begun.

    Procrastinate stops by design when it loses the database: so it is started again, for as long as this goes on.

    Args:
        url: of the database.
        concurrency: jobs at one time.
        queues: whose jobs.
        share: sends a share of a run.
        post: sends a message.
    """
    asyncio.get_running_loop().set_exception_handler(_say_of_lost_task)
    for library in ("procrastinate", "psycopg"):
        # Each loss of the database would be a page of traceback; what it means is said here, in a line.
        logging.getLogger(library).setLevel(logging.CRITICAL)
    while True:
        app = _app(url, concurrency, share, post)
        try:
            async with app.open_async():
                await app.run_worker_async(
                    queues=sorted(queues),
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=_POLL,
                    update_heartbeat_interval=_HEARTBEAT,
                    delete_jobs="successful",
                )
        except (ProcrastinateException, psycopg.Error, OSError) as error:
            say(logging.WARNING, f"The job queue was lost, and is looked for again: {type(error).__name__}")
        await asyncio.sleep(_AGAIN)


def _say_of_lost_task(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say in a line what asyncio would print as a traceback: the queue leaves tasks when it loses the database."""
    error = context.get("exception")
    say(logging.WARNING, f"{context['message']}: {type(error).__name__}" if error else context["message"])


def _app(url: str, concurrency: int, share: Share, post: Post) -> App:
    conninfo = make_conninfo(url, options=f"-c search_path={SCHEMA}", **KEEPALIVE)
    connector = PsycopgConnector(conninfo=conninfo, min_size=1, max_size=min(concurrency, 4) + 1, timeout=5.0)
    app = App(connector=connector)

    @app.task(name=SHARE, queue=QUEUE)
    async def work_on(run: int, **_: Any) -> None:
        await share(run)

    @app.task(name=POST, queue=QUEUE)
    async def send(send: str, tries: int, **_: Any) -> None:
        await post(send, tries)

    return app
