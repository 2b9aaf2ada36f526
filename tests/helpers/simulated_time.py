"""Hours of waiting in no time: an event loop, and a wall clock, that go forward when everything waits."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next moment that something waits for. Nothing in it may use threads."""

    def __init__(self) -> None:
        super().__init__(_Selector(self))
        self.now = 1_000.0

    def time(self) -> float:
        """See `asyncio.AbstractEventLoop`."""
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("Everything waits, and nothing will ever come.")
        # A little more than asked for, as a real clock: else rounding would let a timer wait for ever.
        self._loop.now += timeout and timeout + 1e-9
        return super().select(0)


class WallClock:
    """The wall clock, as `time.time` tells it: it goes with the loop's clock, and can be set.

    Attributes:
        ahead: seconds since 1970 when the loop's clock is at 0.
    """

    def __init__(self, now: Callable[[], float], ahead: float) -> None:
        self._now = now
        self.ahead = ahead

    def __call__(self) -> float:
        return self.ahead + self._now()


@contextmanager
def wall_clock(loop: SimulatedLoop, at: float) -> Iterator[WallClock]:
    """Let `time.time` tell the simulated time while the block runs.

    Args:
        loop: whose clock it follows.
        at: seconds since 1970, now.
    """
    clock = WallClock(lambda: loop.now, at - loop.now)
    with mock.patch.object(time, "time", clock):
        yield clock


def run(main: Coroutine[Any, Any, T], loop: SimulatedLoop | None = None) -> T:
    """Run to the end, on a loop of its own unless it is given one."""
    with asyncio.Runner(loop_factory=lambda: loop or SimulatedLoop()) as runner:
        return runner.run(main)
