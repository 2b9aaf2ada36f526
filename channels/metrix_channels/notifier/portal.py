"""Runs a private event loop in its own thread, so that synchronous code can use the asynchronous engine."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor, Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, cast
from weakref import WeakSet

from ..errors import MetrixChannelsError
from ..ledger.threads import Threads, start_thread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LOOK_SECONDS: Final = 0.2
_THREADS: Final = 8

_PORTALS: WeakSet[Portal] = WeakSet()


class _Call(Generic[T]):
    """Work that a thread waits for. A `Future` would cost more: it is created and waited for with two more locks.

    Args:
        work: what the loop runs, in the context of the caller.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        self._context = copy_context()
        self._task: asyncio.Task[None] | None = None
        self._result: T | None = None
        self._error: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the work; call it in the loop."""
        self._task = loop.create_task(self._run(), context=self._context)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            self._result = await self._work
        except BaseException as error:  # noqa: BLE001 - passed on to the caller
            self._error = error
        finally:
            self._running.release()

    def wait(self, loop: asyncio.AbstractEventLoop) -> T:
        """Wait for the result. If a signal handler raises here, the work is cancelled.

        Args:
            loop: which starts it.
        """
        try:
            # A signal just before this thread sleeps would not wake it, so it wakes up regularly.
            while not self._running.acquire(timeout=_LOOK_SECONDS):
                pass
        except BaseException:
            with suppress(RuntimeError):  # the loop was closed: the work has ended
                loop.call_soon_threadsafe(self._cancel)
            raise
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback refers to this frame
        return cast("T", self._result)


class Portal:
    """Starts its loop at the first call, and again in a forked child, where the parent's thread does not exist.

    Args:
        stop: called in the loop if the process ends while work is in progress. It must prevent new work.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._is_process_ending = False
        self.forget()
        _PORTALS.add(self)

    def forget(self) -> None:
        """Reset everything: in a forked child, the loop has no thread, and the lock may never be released."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ending: threading.Thread | None = None
        self._handed: list[_Call[Any]] = []

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and return its result. If a signal handler raises here, `work` is cancelled."""
        call = _Call(work)
        self._wait_for_end(work)
        with self._lock:
            loop = self._loop_for(work)
            if not self._handed:  # the loop takes all of them at once
                loop.call_soon_threadsafe(self._start_handed, loop, self._handed)
            # After the loop was told: if a signal handler raises before, later calls must not rely on it.
            self._handed.append(call)
        return call.wait(loop)

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start `work` in the loop, and return at once."""
        self._wait_for_end(work)
        # Under the lock, so that a closing loop either knows about the work or gets no more work.
        with self._lock:
            return asyncio.run_coroutine_threadsafe(work, self._loop_for(work))

    def soon(self, action: Callable[[], None]) -> None:
        """Call `action` in the loop without waiting for it; safe in a signal handler."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(action)

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """Run `last` in the loop, end the loop, and wait for its end; a later call starts a new one."""
        thread = self._thread
        self.wind_down(last)
        if thread is not None:
            thread.join()

    def wind_down(self, last: Callable[[], Awaitable[None]]) -> None:
        """Close without waiting, which is safe when the garbage collector calls it."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop, self._thread, self._handed = None, None, []
            if loop is not None:
                self._ending = thread
                asyncio.run_coroutine_threadsafe(_finish(loop, last), loop)

    def _wait_for_end(self, work: Coroutine[Any, Any, object]) -> None:
        """Wait until the loop before has ended, because what it uses serves one running loop at a time."""
        if self._ending is None:
            return
        try:
            self._ending.join()
        except BaseException:  # a signal handler raised
            work.close()
            raise

    def drain(self) -> None:
        """Wait for the work of daemon threads before the process ends, because outcomes must be recorded.

        After that, only the main thread is served: its `atexit` functions may still send.
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

    def _start_handed(self, loop: asyncio.AbstractEventLoop, handed: list[_Call[Any]]) -> None:
        with self._lock:
            calls = handed.copy()
            handed.clear()
        for call in calls:
            call.start(loop)

    def _loop_for(self, work: Coroutine[Any, Any, object]) -> asyncio.AbstractEventLoop:
        """Return the running loop, or close the work if there can be none."""
        try:
            return self._running_loop()
        except MetrixChannelsError:
            work.close()
            raise

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
    """asyncio's loop with threads that do work, such as DNS lookups, until the process has ended."""

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
        # Running work ends first: its outcome must be recorded, and other threads wait for it.
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
