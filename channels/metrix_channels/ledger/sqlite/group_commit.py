"""Group commit: what is asked of the ledger while it commits shares the next transaction, and one wait for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final, TypeVar

from attrs import define

from ..database import Connection, Work
from ..threads import Threads

T = TypeVar("T")

_MOST: Final = 256
"""Pieces of work in one transaction."""


@define(eq=False)
class Asked:
    """A piece of work that somebody waits for.

    Attributes:
        work: runs within a transaction that it may share with others.
        future: gets the result, in the event loop of whoever waits.
        result: what the work returned.
        error: what it raised, or why its transaction failed.
    """

    work: Work[Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Gives pieces of work to one thread, as many in one transaction as wait for it.

    It does not wait for others to come: a single piece of work is served at once.

    Args:
        threads: the one thread that talks to the ledger.
        commit: runs some pieces of work in one transaction, and gives each of them its result or error.
    """

    def __init__(self, threads: Threads, commit: Callable[[Sequence[Asked]], None]) -> None:
        self._threads = threads
        self._commit = commit
        self._lock = Lock()
        self._waiting: deque[Asked] = deque()
        self._is_running = False

    async def run(self, work: Work[T]) -> T:
        """Run `work` and wait until it is committed; it goes on when the caller is cancelled meanwhile.

        Raises:
            MetrixChannelsError: thread_refused; the work is not done.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        asked = Asked(work, future)
        with self._lock:
            if not self._is_running:
                self._threads.submit(self._serve)
                self._is_running = True
            self._waiting.append(asked)
        return await future

    def _serve(self) -> None:
        while group := self._next_group():
            self._commit(group)
            _answer(group)

    def _next_group(self) -> list[Asked]:
        """Return what waits; nothing when the thread is no longer needed."""
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST))]
            self._is_running = bool(group)
        return group


def _answer(group: Sequence[Asked]) -> None:
    """Tell whoever waits; each event loop is woken once."""
    waiting: dict[asyncio.AbstractEventLoop, list[Asked]] = {}
    for asked in group:
        waiting.setdefault(asked.future.get_loop(), []).append(asked)
    for loop, its in waiting.items():
        with contextlib.suppress(RuntimeError):  # it was closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, its)


def _settle(group: Sequence[Asked]) -> None:
    for asked in group:
        if asked.future.done():
            continue  # whoever waited was cancelled
        if asked.error is not None:
            asked.future.set_exception(asked.error)
        else:
            asked.future.set_result(asked.result)


class NotApart(Exception):
    """A piece of work failed in a way that may have undone the whole transaction: each has to run in one of its own."""


def run_all(connection: Connection, group: Sequence[Asked]) -> None:
    """Run the pieces of work of a transaction; what one of several raises undoes that one alone.

    Raises:
        NotApart: nothing of the transaction may be kept.
    """
    if len(group) == 1:
        group[0].result = group[0].work(connection)
        return
    for asked in group:
        connection.execute("SAVEPOINT work")
        try:
            asked.result = asked.work(connection)
        except sqlite3.Error as error:
            raise NotApart from error
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            asked.error = error
            connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
