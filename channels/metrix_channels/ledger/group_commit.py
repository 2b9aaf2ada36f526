"""Group commit: what is asked of the ledger while it commits shares the next transaction, and one wait for the disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final, TypeVar

from attrs import define

from .database import Connection, Question, Work
from .threads import Threads

T = TypeVar("T")

_MOST: Final = 256
"""Pieces of work in one transaction."""


@define(eq=False)
class Asked:
    """A piece of work that somebody waits for.

    Attributes:
        work: runs within a transaction.
        future: gets the result, in the event loop of whoever waits.
        together: it may share its transaction with others.
        is_wanted: somebody still waits for it.
        result: what the work returned.
        error: what it raised, or why its transaction failed.
    """

    work: Work[Any]
    future: asyncio.Future[Any]
    together: bool
    is_wanted: Question
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Gives pieces of work to threads, as many in one transaction as wait and may share it.

    It does not wait for others to come: a single piece of work is served at once.

    Args:
        most: transactions at one time.
        commit: runs some pieces of work in one transaction, and gives each of them its result or error.
        afterwards: runs when they have been told, before the next transaction of this thread.

    Attributes:
        threads: that talk to the ledger, as many as transactions.
    """

    def __init__(
        self, most: int, commit: Callable[[Sequence[Asked]], None], afterwards: Callable[[], None] = lambda: None
    ) -> None:
        self.threads: Threads = Threads(most, "metrix-channels-ledger")
        self._most = most
        self._commit = commit
        self._afterwards = afterwards
        self._lock = Lock()
        self._waiting: deque[Asked] = deque()
        self._running = 0

    async def run(self, work: Work[T], *, together: bool, is_wanted: Question) -> T:
        """Run `work` and wait until it is committed; it goes on when the caller is cancelled meanwhile.

        The arguments are those of `Database.transact`.

        Raises:
            MetrixChannelsError: thread_refused; the work is not done.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._running < self._most:
                self.threads.submit(self._serve)
                self._running += 1
            self._waiting.append(Asked(work, future, together, is_wanted))
        return await future

    def _serve(self) -> None:
        while group := self._next_group():
            try:
                self._commit(group)
            except BaseException as error:  # noqa: BLE001 - a fault of ours: who waits must not wait for ever
                for asked in group:
                    asked.error = error
            _answer(group)
            self._afterwards()

    def _next_group(self) -> list[Asked]:
        """Return what waits and may share a transaction; nothing when this thread is no longer needed."""
        with self._lock:
            if not self._waiting:
                self._running -= 1
                return []
            group = [self._waiting.popleft()]
            while group[0].together and len(group) < _MOST and self._waiting and self._waiting[0].together:
                group.append(self._waiting.popleft())
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


class NotTogether(Exception):
    """One of several pieces of work failed, and the transaction with it: each has to run in one of its own."""


def run_all(connection: Connection, group: Sequence[Asked]) -> list[Any]:
    """Run the pieces of work of one transaction; return what each of them returned.

    Raises:
        NotTogether: one of several failed.
        Exception: a single one failed, by this error.
    """
    if len(group) == 1:
        return [group[0].work(connection)]
    try:
        return [asked.work(connection) for asked in group]
    except BaseException as error:
        raise NotTogether from error


def give(group: Sequence[Asked], results: Sequence[Any]) -> None:
    """Give each piece of work its result, once it is committed."""
    for asked, result in zip(group, results, strict=True):
        asked.result = result
