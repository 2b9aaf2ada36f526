"""Waits until a send's deadline. Work that must not be cancelled, such as the ledger's, continues after it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

GRACE_SECONDS: Final = 0.5
"""Extra time after the deadline to record an outcome, which would often be lost otherwise."""

_RUNNING: Final[set[asyncio.Task[Any]]] = set()


class Deadlines:
    """The deadlines of one event loop. One timer serves them all, because almost all waits end in time."""

    def __init__(self) -> None:
        self._waits: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None

    def until(self, ends: float) -> Wait:
        """Return a context that raises TimeoutError at a time on the event loop's clock; see `asyncio.timeout_at`."""
        return Wait(self, ends)

    def add(self, wait: Wait) -> None:
        """Cancel the task of `wait` when its deadline passes, unless it is removed before."""
        self._waits.add(wait)
        if self._timer is None or wait.ends < self._timer.when():
            self._set_timer(wait.ends)

    def remove(self, wait: Wait) -> None:
        """Let `wait` take as long as it needs."""
        self._waits.discard(wait)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._look, when)

    def _look(self, when: float) -> None:
        self._timer = None
        now = max(when, asyncio.get_running_loop().time())
        for wait in [wait for wait in self._waits if wait.ends <= now]:
            self._waits.remove(wait)
            wait.expire()
        if self._waits:
            self._set_timer(min(wait.ends for wait in self._waits))


class Wait:
    """A part of a task that takes until a deadline at most; see `Deadlines.until`.

    Attributes:
        ends: the deadline, on the event loop's clock.
        has_expired: whether the deadline passed within it.
    """

    __slots__ = ("_cancelling", "_deadlines", "_task", "ends", "has_expired")

    def __init__(self, deadlines: Deadlines, ends: float) -> None:
        self.ends: float = ends
        self.has_expired: bool = False
        self._deadlines = deadlines
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._deadlines.add(self)
        return self

    def release(self) -> None:
        """Let the rest of it take as long as it needs."""
        self._deadlines.remove(self)

    def expire(self) -> None:
        """Cancel the task, so that it leaves the context with a TimeoutError."""
        self.has_expired = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        # Another cancellation of the task, by its owner, must not become a TimeoutError.
        if self.has_expired and self._task is not None:
            is_ours = self._task.uncancel() <= self._cancelling
            if is_ours and kind is asyncio.CancelledError:
                raise TimeoutError from error


def seconds_until(ends: float) -> float:
    """Return the seconds until a time on the event loop's clock; 0 if it has passed."""
    return max(ends - asyncio.get_running_loop().time(), 0.0)


async def wait_at_most(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work`; it continues in the background if it takes too long or the caller is cancelled.

    Args:
        seconds: how long to wait.
        work: the work; it starts even if `seconds` is 0.

    Raises:
        TimeoutError: the work takes longer.
    """
    task = asyncio.create_task(work)
    _RUNNING.add(task)
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    _RUNNING.discard(task)
    if not task.cancelled():
        task.exception()  # marks it as seen: the caller got it, or no longer waits
