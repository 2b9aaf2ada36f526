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
from threading import Lock, Semaphore, Thread
from typing import Any, ParamSpec, TypeVar

from ..errors import MetrixChannelsError

P = ParamSpec("P")
T = TypeVar("T")

_Queue = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


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


class Threads(Executor):
    """Daemon threads, started on demand, that run one piece of work after the other.

    Args:
        most: maximum number of threads.
        name: of the threads.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = Lock()
        self._idle = Semaphore(0)
        self._queue: _Queue = SimpleQueue()
        self._threads: list[Thread] = []
        self._is_shut = False
        # Nothing to do at exit: daemon threads end with the process.
        weakref.finalize(self, _end, self._queue, self._threads).atexit = False

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run work in a thread.

        Raises:
            MetrixChannelsError: thread_refused; the work was not run.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_shut:
                raise RuntimeError("the threads were shut down")
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
                self._add_thread()
            self._queue.put((future, partial(work, *arguments, **named)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work, and end the threads after their queued work.

        Args:
            wait: wait until they have ended.
            cancel_futures: not supported; queued work is always run.
        """
        with self._lock:
            if not self._is_shut:
                self._is_shut = True
                _end(self._queue, self._threads)
        if wait:
            for thread in self._threads:
                thread.join()

    def _add_thread(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = Thread(target=_do_work, args=(self._queue, self._idle), name=name, daemon=True)
        try:
            start_thread(thread)
        except MetrixChannelsError:
            if not self._threads:
                raise
        else:
            self._threads.append(thread)


def _do_work(queue: _Queue, idle: Semaphore) -> None:
    while (given := queue.get()) is not None:
        future, work = given
        if future.set_running_or_notify_cancel():
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - passed on to the caller
                future.set_exception(error)
            else:
                future.set_result(result)
                del result
        del given, future, work  # a waiting thread must not keep references to its last work
        idle.release()


def _end(queue: _Queue, threads: list[Thread]) -> None:
    for _ in threads:
        queue.put(None)
