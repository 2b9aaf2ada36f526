"""The loop on a thread of its own: what its callers can count on while they wait."""

import asyncio
import contextvars
import subprocess
import sys
import threading

import pytest

from helpers.command_line import wait_until
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


INTERRUPTED = """
import asyncio, os, signal, threading
from metrix_channels.notifier.portal import Portal

ended = threading.Event()

async def waits_for_ever():
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()

portal = Portal(lambda: None)
try:
    portal.call(waits_for_ever())
except KeyboardInterrupt:
    print(ended.wait(60))
"""


def test_work_whose_caller_was_interrupted_is_cancelled():
    """Nobody waits for its result any more."""
    found = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert found.stdout == "True\n"


def test_calls_of_many_threads_get_their_own_results_in_their_own_context():
    """The loop takes calls together, and each runs with the context variables of its caller."""
    who = contextvars.ContextVar("who", default="nobody")
    portal = Portal(lambda: None)
    found = []

    async def work(number):
        await asyncio.sleep(number % 3 / 1000)
        if number % 5 == 0:
            raise ValueError(number)
        return number, who.get()

    def call(number):
        who.set(number)
        for _ in range(20):
            try:
                found.append(portal.call(work(number)))
            except ValueError as error:
                found.append((error.args[0], number))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    portal.close(nothing)
    assert sorted(found) == sorted((number, number) for number in range(16) for _ in range(20))


def test_work_that_is_handed_over_while_the_loop_ends_is_done():
    """Whoever calls while another thread closes gets a result, from this loop or from the next."""
    portal = Portal(lambda: None)
    found = []

    async def seven():
        return 7

    def call():
        found.extend(portal.call(seven()) for _ in range(200))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        portal.close(nothing)
    for thread in threads:
        thread.join(60)
    portal.close(nothing)
    assert found == [7] * 800


def test_a_call_that_is_interrupted_as_it_is_handed_over_holds_up_no_other(monkeypatch):
    """A signal handler may raise at any moment; the loop still learns of the calls after it."""
    portal = Portal(lambda: None)
    found = []

    async def seven():
        return 7

    def interrupt(*_):
        raise KeyboardInterrupt

    portal.call(seven())
    work = seven()
    with monkeypatch.context() as changed:
        changed.setattr(portal._loop, "call_soon_threadsafe", interrupt)
        with pytest.raises(KeyboardInterrupt):
            portal.call(work)
    work.close()
    thread = threading.Thread(target=lambda: found.append(portal.call(seven())), daemon=True)
    thread.start()
    thread.join(60)
    assert found == [7]
    portal.close(nothing)


def test_a_call_after_the_end_of_the_loop_runs_in_the_next_one():
    """It waits for the loop that ends, which may not have taken over its last calls yet."""
    portal = Portal(lambda: None)
    busy, go_on = threading.Event(), threading.Event()
    loops, closed = {}, {}

    async def work(name):
        closed[name] = "first" in loops and loops["first"].is_closed()
        loops[name] = asyncio.get_running_loop()

    portal.call(work("first"))
    portal.soon(lambda: (busy.set(), go_on.wait(60)))
    assert busy.wait(60)
    threads = [threading.Thread(target=portal.call, args=(work("last"),))]
    threads[0].start()
    wait_until(lambda: portal._handed)
    portal.wind_down(nothing)
    threads.append(threading.Thread(target=portal.call, args=(work("next"),)))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert loops["first"] is loops["last"]
    assert loops["next"] is not loops["last"]
    assert closed == {"first": False, "last": False, "next": True}
    portal.close(nothing)
