"""Threads for disk and network waits; they accept work until the process has ended.

A `ThreadPoolExecutor` refuses work as soon as the main thread has ended. Other threads may still be sending then, and
the outcomes of their requests could not be recorded.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

from ..errors import MetrixChannelsError

P = ParamSpec("P")
T = TypeVar("T")


def start_thread(thread: Thread) -> None:
    """Start a thread.

    Raises:
        MetrixChannelsError: thread_refused; Python 3.12 and newer start no threads after the main thread has ended,
            and the system may have a limit.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise MetrixChannelsError(f"No more threads can be started: {error}.", code="thread_refused") from error


class _Pool:
    """What threads share with the `Threads` that they belong to; they do not keep that alive.

    Attributes:
        lock: for the other attributes.
        queue: pieces of work; None ends a thread.
        threads: that were started.
        idle: threads without work; negative for pieces of work that have to wait for a thread.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.threads: list[Thread] = []
        self.idle = 0

    def work(self) -> None:
        """Do what is in the queue, until the end."""
        while (work := self.queue.get()) is not None:
            work()
            del work  # a waiting thread must not keep references to its last work
            with self.lock:
                self.idle += 1

    def end(self) -> None:
        """End the threads after their queued work."""
        for _ in self.threads:
            self.queue.put(None)


class Threads(Executor):
    """Daemon threads, started on demand, that run one piece of work after the other.

    Args:
        most: maximum number of threads.
        name: of the threads.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._pool = _Pool()
        self._is_shut = False
        # Nothing to do at exit: daemon threads end with the process.
        weakref.finalize(self, self._pool.end).atexit = False

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run work in a thread.

        Raises:
            MetrixChannelsError: thread_refused; the work was not run.
        """
        future: Future[T] = Future()
        self.start(partial(_settle, future, partial(work, *arguments, **named)))
        return future

    def start(self, work: Callable[[], None]) -> None:
        """Run work that raises nothing in a thread; nobody is told when it ends, which costs less than a future.

        Raises:
            MetrixChannelsError: thread_refused; the work was not run.
        """
        pool = self._pool
        with pool.lock:
            if self._is_shut:
                raise RuntimeError("the threads were shut down")
            if pool.idle > 0 or len(pool.threads) >= self._most or not self._add_thread():
                pool.idle -= 1
            pool.queue.put(work)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work, and end the threads after their queued work.

        Args:
            wait: wait until they have ended.
            cancel_futures: not supported; queued work is always run.
        """
        with self._pool.lock:
            if not self._is_shut:
                self._is_shut = True
                self._pool.end()
        if wait:
            for thread in self._pool.threads:
                thread.join()

    def _add_thread(self) -> bool:
        """Start a thread; return False if that failed and others have to do the work."""
        pool = self._pool
        thread = Thread(target=pool.work, name=f"{self._name}_{len(pool.threads)}", daemon=True)
        try:
            start_thread(thread)
        except MetrixChannelsError:
            if not pool.threads:
                raise
            return False
        pool.threads.append(thread)
        return True


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - passed on to the caller
        future.set_exception(error)
    else:
        future.set_result(result)
