"""What SIGINT and SIGTERM mean while something is being sent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..notifier import Notifier


@contextmanager
def stopped_by_signals(notifier: Notifier) -> Iterator[threading.Event]:
    """Let the first signal end the work after the attempts in flight, the second one the process.

    Yields:
        What is set by the first.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    interrupted = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        notifier.stop()
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
