"""A private event loop on a thread of its own, through which synchronous code drives the one engine."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.2

_PORTALS: WeakSet[Portal] = WeakSet()


class Portal:
    """Starts its loop when first called, and anew in a forked child, where the parent's thread does not exist."""

    def __init__(self) -> None:
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
            return asyncio.run_coroutine_threadsafe(work, self._running_loop())

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

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name="metrix-channels-engine", daemon=True)
            self._thread.start()
        return self._loop


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


os.register_at_fork(after_in_child=_forget_all)
