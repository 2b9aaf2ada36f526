"""Group commit: work that arrives during a commit shares the next transaction and its wait for the disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Lock
from typing import Any, Final, TypeVar

from attrs import define

from .database import Connection, Left, Question, Work
from .threads import Threads

T = TypeVar("T")

_MOST: Final = 256
"""Maximum pieces of work in one transaction."""
_GATHER_SECONDS: Final = 0.001_5
"""Wait at most this long until as many pieces of work are there as recent transactions had."""
_RECENT: Final = 8
"""Number of recent transactions."""
_GOING_ON: Final[set[asyncio.Task[Any]]] = set()


@define(eq=False)
class Asked:
    """A piece of work that a caller waits for.

    Attributes:
        work: runs within a transaction.
        future: gets the result, in the event loop of the caller.
        together: whether it may share its transaction with others.
        is_wanted: tells whether the caller still waits for it.
        left: gets the result and the error if the caller was cancelled.
        result: what the work returned.
        error: the exception that it raised, or that its transaction failed with.
        is_answered: whether the event loop got the result or the error.
        ended: gets a result with it, if the caller was cancelled before.
    """

    work: Work[Any]
    future: asyncio.Future[Any]
    together: bool
    is_wanted: Question
    left: Left[Any]
    result: Any = None
    error: BaseException | None = None
    is_answered: bool = False
    ended: asyncio.Future[None] | None = None


class GroupCommit:
    """Runs pieces of work in threads; all waiting work that may share a transaction runs in one.

    A lone caller is served at once. While there are several, a thread waits a moment between two transactions, until as
    many of them are there as before, so that they share the next one.

    Args:
        most: maximum of concurrent transactions.
        commit: runs pieces of work in one transaction, and sets the result or error of each.
        afterwards: runs after the callers were answered, before the next transaction of the thread.

    Attributes:
        threads: for the transactions.
    """

    def __init__(
        self, most: int, commit: Callable[[Sequence[Asked]], None], afterwards: Callable[[], None] = lambda: None
    ) -> None:
        self.threads: Threads = Threads(most, "metrix-channels-ledger")
        self._most = most
        self._commit = commit
        self._afterwards = afterwards
        self._lock = Lock()
        self._enough = Condition(self._lock)
        self._sizes: deque[int] = deque(maxlen=_RECENT)
        self._wanted = 1
        self._waiting: deque[Asked] = deque()
        self._running = 0
        self._unanswered = 0

    @property
    def is_idle(self) -> bool:
        """Whether all work is done and all callers were answered."""
        return not self._unanswered

    async def run(self, work: Work[T], *, together: bool, is_wanted: Question, left: Left[T]) -> T:
        """Run `work` and wait until it is committed; it continues even if the caller is cancelled.

        The arguments are as for `Database.transact`.

        Raises:
            MetrixChannelsError: thread_refused; the work was not run.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._running < self._most:
                self.threads.start(self._serve)
                self._running += 1
            asked = Asked(work, future, together, is_wanted, left)
            self._waiting.append(asked)
            self._unanswered += 1
            if len(self._waiting) >= self._wanted > 1:
                self._enough.notify()
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled():  # the answer came at the same moment
                left(asked.result, asked.error)
            elif not asked.is_answered:
                asked.ended = asyncio.get_running_loop().create_future()
                going_on = asyncio.create_task(_wait_for(asked.ended))
                _GOING_ON.add(going_on)
                going_on.add_done_callback(_GOING_ON.discard)
            raise

    def _serve(self) -> None:
        while group := self._next_group():
            try:
                self._commit(group)
            except BaseException as error:  # noqa: BLE001 - a bug: the callers must not wait for ever
                for asked in group:
                    asked.error = error
            self._answer(group)
            self._afterwards()

    def _next_group(self) -> list[Asked]:
        """Return waiting work that may share a transaction; nothing if this thread is no longer needed."""
        with self._lock:
            if self._wanted > 1:
                self._enough.wait_for(lambda: len(self._waiting) >= self._wanted, _GATHER_SECONDS)
            if not self._waiting:
                self._running -= 1
                self._sizes.clear()
                self._wanted = 1
                return []
            group = [self._waiting.popleft()]
            while group[0].together and len(group) < _MOST and self._waiting and self._waiting[0].together:
                group.append(self._waiting.popleft())
            self._sizes.append(len(group))
            self._wanted = max(self._sizes)
        return group

    def _answer(self, group: Sequence[Asked]) -> None:
        """Answer the callers; wake each event loop once."""
        waiting: dict[asyncio.AbstractEventLoop, list[Asked]] = {}
        for asked in group:
            waiting.setdefault(asked.future.get_loop(), []).append(asked)
        for loop, its in waiting.items():
            try:
                loop.call_soon_threadsafe(self._settle, its)
            except RuntimeError:  # the event loop was closed
                self._count_answered(its)

    def _settle(self, group: Sequence[Asked]) -> None:
        self._count_answered(group)
        for asked in group:
            asked.is_answered = True
            if asked.ended is not None and not asked.ended.done():
                asked.ended.set_result(None)
            if asked.future.done():  # the caller was cancelled
                asked.left(asked.result, asked.error)
            elif asked.error is not None:
                asked.future.set_exception(asked.error)
            else:
                asked.future.set_result(asked.result)

    def _count_answered(self, group: Sequence[Asked]) -> None:
        with self._lock:
            self._unanswered -= len(group)


async def _wait_for(ended: asyncio.Future[None]) -> None:
    """Wait in a task: a loop that waits for its tasks before it closes then also waits for this commit."""
    await ended


class NotTogether(Exception):
    """One of several pieces of work failed, so each must run in its own transaction."""


def run_all(connection: Connection, group: Sequence[Asked]) -> list[Any]:
    """Run the pieces of work of one transaction; return their results.

    Raises:
        NotTogether: one of several failed.
        Exception: the error of a single piece of work.
    """
    if len(group) == 1:
        return [group[0].work(connection)]
    try:
        return [asked.work(connection) for asked in group]
    except BaseException as error:
        raise NotTogether from error


def give(group: Sequence[Asked], results: Sequence[Any]) -> None:
    """Set the result of each piece of work after the commit."""
    for asked, result in zip(group, results, strict=True):
        asked.result = result
