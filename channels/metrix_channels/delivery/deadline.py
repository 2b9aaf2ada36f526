"""Waits that end with a send's deadline, for work that must not be broken off: the ledger's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

GRACE_SECONDS: Final = 0.5
"""So long after the deadline the outcome of a request is still written down: else it would often be lost."""

_GOING_ON: Final[set[asyncio.Task[Any]]] = set()


def seconds_until(ends: float) -> float:
    """Return the seconds until a time of the event loop's clock; 0 when it has passed."""
    return max(ends - asyncio.get_running_loop().time(), 0.0)


async def wait_at_most(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work`; when that takes too long, or the caller is cancelled, it goes on by itself.

    Args:
        seconds: to wait.
        work: begins in any case.

    Raises:
        TimeoutError: it takes longer.
    """
    task = asyncio.create_task(work)
    _GOING_ON.add(task)
    task.add_done_callback(_let_go)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError
    return task.result()


def _let_go(task: asyncio.Task[Any]) -> None:
    _GOING_ON.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waited for it has seen it, or waits no longer
