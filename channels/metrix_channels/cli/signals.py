"""What SIGINT, SIGTERM, SIGHUP and SIGQUIT mean to a verb, and that none of them is lost."""

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
    """Let the first signal end the work after the attempts in flight, the second one the process.

    A terminal that closes sends SIGHUP more than once: another one ends nothing.

    Yields:
        What is set by the first.
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
            if not (
                interrupted.is_set() and number == signal.SIGHUP
            ):  # which may come again until the process has ended
                signal.signal(number, handler)


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` as `asyncio.run` does, and let every Ctrl-C end it.

    Python handles a signal between two of its own instructions. One that comes just before the loop falls asleep, or in
    another thread, would wait until something else wakes the loop, which may never be: so it wakes the loop itself.

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
