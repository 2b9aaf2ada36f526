"""Waits until a send's deadline. Work that must not be cancelled, such as the ledger's, continues after it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

GRACE_SECONDS: Final = 0.5
"""Extra time after the deadline to record an outcome, which would often be lost otherwise."""

_RUNNING: Final[set[asyncio.Task[Any]]] = set()


def seconds_until(ends: float) -> float:
    """Return the seconds until a time on the event loop's clock; 0 if it has passed."""
    return max(ends - asyncio.get_running_loop().time(), 0.0)


async def wait_at_most(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work`; it continues in the background if it takes too long or the caller is cancelled.

    Args:
        seconds: how long to wait.
        work: the work; it starts even if `seconds` is 0.

    Raises:
        TimeoutError: the work takes longer.
    """
    task = asyncio.create_task(work)
    _RUNNING.add(task)
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    _RUNNING.discard(task)
    if not task.cancelled():
        task.exception()  # marks it as seen: the caller got it, or no longer waits
