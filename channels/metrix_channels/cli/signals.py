"""Handles SIGINT, SIGTERM, SIGHUP and SIGQUIT for verbs; no signal is lost."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..notifier import Notifier
from ..process.signals import ending_signals

T = TypeVar("T")


@contextmanager
def stopped_by_signals(notifier: Notifier) -> Iterator[threading.Event]:
    """Stop the work after the attempts in flight on the first signal; kill the process on the second.

    A closing terminal sends SIGHUP more than once, so further SIGHUPs are ignored.

    Yields:
        An event that the first signal sets.
    """
    numbers = ending_signals()
    interrupted = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        notifier.stop()
        for number in numbers:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            if not (interrupted.is_set() and number == signal.SIGHUP):  # may arrive again until the process ends
                signal.signal(number, handler)


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` like `asyncio.run`, but let every Ctrl-C end it.

    Python handles a signal between two bytecode instructions. A signal that arrives just before the event loop sleeps,
    or in another thread, would wait until something wakes the loop. Therefore the signal itself wakes the loop.

    Raises:
        KeyboardInterrupt: SIGINT came.
    """
    return asyncio.run(_woken_by_signals(work))


async def _woken_by_signals(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        loop.add_reader(reader, reader.recv, 1024)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            return await work
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(reader)
