"""A private event loop on a thread of its own, through which synchronous code drives the one engine."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar, TypeVarTuple
from weakref import WeakSet

from ..errors import MetrixChannelsError
from ..ledger.threads import Threads, start_thread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LOOK_SECONDS: Final = 0.2
_THREADS: Final = 8

_PORTALS: WeakSet[Portal] = WeakSet()


class Portal:
    """Starts its loop when first called, and anew in a forked child, where the parent's thread does not exist.

    Args:
        stop: called in the loop when the process ends while work is under way: begin nothing new, end what was begun.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._is_process_ending = False
        self.forget()
        _PORTALS.add(self)

    def forget(self) -> None:
        """Be as new: in a forked child the loop has no thread, and the lock may be held for ever."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and return its result; an exception of a signal handler here cancels it there."""
        future = self.begin(work)
        try:
            while True:
                try:
                    return future.result(_LOOK_SECONDS)
                except TimeoutError:
                    # A signal that comes just before this thread falls asleep wakes nobody: so it looks up at times.
                    if future.done():
                        return future.result()
        except BaseException:
            future.cancel()
            raise

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let `work` run in the loop while the caller goes on."""
        # Under the lock, so that a closing loop either knows of the work or is no longer given any.
        with self._lock:
            try:
                loop = self._running_loop()
            except MetrixChannelsError:
                work.close()
                raise
            return asyncio.run_coroutine_threadsafe(work, loop)

    def soon(self, action: Callable[[], None]) -> None:
        """Call `action` in the loop without waiting for it; safe in a signal handler."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(action)

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """Run `last` in the loop, end it, and wait for that; a later call starts a new one."""
        thread = self._thread
        self.wind_down(last)
        if thread is not None:
            thread.join()

    def wind_down(self, last: Callable[[], Awaitable[None]]) -> None:
        """The same without waiting: safe wherever the garbage collector calls."""
        with self._lock:
            loop, self._loop, self._thread = self._loop, None, None
            if loop is not None:
                asyncio.run_coroutine_threadsafe(_finish(loop, last), loop)

    def drain(self) -> None:
        """Let work of daemon threads end before the process does: what was sent has to be written down.

        After that only the main thread is served, whose functions of `atexit` may still send.
        """
        with self._lock:
            self._is_process_ending = True
            if self._loop is None:
                return
            drained = asyncio.run_coroutine_threadsafe(self._end_work(), self._loop)
        drained.result()

    async def _end_work(self) -> None:
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            self._stop()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._is_process_ending and threading.current_thread() is not threading.main_thread():
            raise MetrixChannelsError("The process is ending and takes no more work.", code="thread_refused")
        if self._loop is None:
            loop = _Loop()
            thread = threading.Thread(target=_run, args=(loop,), name="metrix-channels-engine", daemon=True)
            try:
                start_thread(thread)
            except MetrixChannelsError:
                loop.close()
                raise
            self._loop, self._thread = loop, thread
        return self._loop


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's loop with threads that take work, such as the look-up of a name, until the process has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = Threads(_THREADS, "metrix-channels-work")

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """See `asyncio`."""
        return super().run_in_executor(executor or self._threads, func, *args)

    def close(self) -> None:
        """See `asyncio`."""
        super().close()
        self._threads.shutdown(wait=False)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _finish(loop: asyncio.AbstractEventLoop, last: Callable[[], Awaitable[None]]) -> None:
    try:
        # What is under way ends first: its outcome has to be written down, and other threads wait for it.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        await last()
    finally:
        loop.stop()


def _forget_all() -> None:
    for portal in list(_PORTALS):
        portal.forget()


def _drain_all() -> None:
    for portal in list(_PORTALS):
        portal.drain()


os.register_at_fork(after_in_child=_forget_all)
atexit.register(_drain_all)
