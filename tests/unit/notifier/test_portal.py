"""The loop on a thread of its own: what its callers can count on while they wait."""

import asyncio
import subprocess
import sys

import pytest

from metrix_channels.notifier.portal import Portal

HALF_LOST = """
import asyncio, signal, threading
from metrix_channels.notifier.portal import Portal

async def waits_for_ever():
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    await asyncio.Event().wait()

try:
    Portal(lambda: None).call(waits_for_ever())
except KeyboardInterrupt:
    print("interrupted")
"""


async def nothing():
    """Do nothing."""


def test_a_signal_that_wakes_nobody_ends_the_wait_nevertheless():
    """It comes in the loop's thread, while the caller's sleeps and has nothing to wake up for."""
    found = subprocess.run([sys.executable, "-c", HALF_LOST], capture_output=True, text=True, timeout=60)
    assert found.stdout == "interrupted\n"


def test_a_timeout_of_the_work_itself_reaches_the_caller():
    """It is not taken for the end of one look."""

    async def gives_up():
        await asyncio.sleep(0.3)
        raise TimeoutError("of the work")

    portal = Portal(lambda: None)
    with pytest.raises(TimeoutError, match="of the work"):
        portal.call(gives_up())
    portal.close(nothing)


def test_work_that_outlasts_several_looks_is_waited_for():
    """Nothing is returned before its result."""

    async def slow():
        await asyncio.sleep(0.5)
        return 7

    portal = Portal(lambda: None)
    assert portal.call(slow()) == 7
    portal.close(nothing)
