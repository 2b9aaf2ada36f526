"""Threads for what waits on disks and networks; they take work until the process itself has ended.

A `ThreadPoolExecutor` refuses work as soon as the main thread has ended. Other threads may be in the middle of a send
then, and what Metrix took of them could not be written down.
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
        MetrixChannelsError: thread_refused: Python 3.12 and newer start none once the main thread has ended, and the
            system may have a limit.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise MetrixChannelsError(f"No more threads can be started: {error}.", code="thread_refused") from error


class Threads(Executor):
    """Daemon threads, started when they are needed, that do one piece of work after the other.

    Args:
        most: threads at one time.
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
        # At exit there is nothing to do: daemon threads go with the process.
        weakref.finalize(self, _end, self._queue, self._threads).atexit = False

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Let a thread do some work.

        Raises:
            MetrixChannelsError: thread_refused; the work is not done.
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
        """Take no more work, and end the threads after what they were given.

        Args:
            wait: until they have ended.
            cancel_futures: not offered; whatever was given is done.
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
            except BaseException as error:  # noqa: BLE001 - it is the caller's to handle
                future.set_exception(error)
            else:
                future.set_result(result)
                del result
        del given, future, work  # a thread that waits for work holds nothing of the last
        idle.release()


def _end(queue: _Queue, threads: list[Thread]) -> None:
    for _ in threads:
        queue.put(None)
