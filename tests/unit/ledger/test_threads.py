"""Threads that work for the ledger and the event loop."""

import gc
import subprocess
import sys
import threading

import pytest

from helpers.command_line import wait_until
from metrix_channels.ledger.threads import Threads

NONE_LEFT = """
import resource, threading
from metrix_channels.errors import MetrixChannelsError
from metrix_channels.ledger.threads import Threads
from metrix_channels.notifier.portal import Portal

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 2**20,) * 2)
threading.stack_size(256 * 2**20)

async def work():
    pass

for attempt in (lambda: Threads(2, "test").submit(print), lambda: Portal(print).call(work())):
    try:
        attempt()
    except MetrixChannelsError as error:
        print(error.code, error.exit_status)
"""


def test_several_do_work_at_one_time_and_no_more_are_started_than_needed():
    """A thread that has nothing to do is given the next piece of work."""
    threads = Threads(2, "test")
    assert {threads.submit(threading.get_ident).result(60) for _ in range(5)} != set()
    first, second = threading.Event(), threading.Event()
    results = [threads.submit(lambda: (first.set(), second.wait(60))[1]), threads.submit(lambda: first.wait(60))]
    second.set()
    assert [result.result(60) for result in results] == [True, True]
    threads.shutdown()
    assert not any(thread.name.startswith("test_") for thread in threading.enumerate())


def test_work_that_had_to_wait_does_not_count_as_an_idle_thread():
    """After it, each of two pieces of work gets a thread of its own again."""
    threads, gate = Threads(2, "test"), threading.Event()
    busy = [threads.submit(gate.wait, 60) for _ in range(5)]
    gate.set()
    assert all(each.result(60) for each in busy)
    together = threading.Barrier(2)
    both = [threads.submit(together.wait, 60) for _ in range(2)]
    assert sorted(each.result(60) for each in both) == [0, 1]
    threads.shutdown()


def test_a_thread_is_started_for_work_while_the_others_are_busy():
    """What waited before does not make up an idle thread."""
    threads, gates = Threads(2, "test"), [threading.Event(), threading.Event()]
    first, waited = threads.submit(gates[0].wait, 60), threads.submit(lambda: 7)
    assert waited.result(60) == 7
    second = threads.submit(gates[1].wait, 60)
    gates[1].set()
    assert second.result(60)
    gates[0].set()
    assert first.result(60)
    threads.shutdown()


def test_an_error_of_the_work_is_its_callers():
    """The thread goes on."""
    threads = Threads(1, "test")
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(60)
    assert threads.submit(lambda: 7).result(60) == 7
    threads.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(print)


def test_what_was_given_is_done_before_the_end():
    """A shutdown does not overtake it."""
    threads, done = Threads(1, "test"), []
    gate = threading.Event()
    threads.submit(gate.wait, 60)
    for number in range(3):
        threads.submit(done.append, number)
    threads.shutdown(wait=False)
    gate.set()
    threads.shutdown()
    assert done == [0, 1, 2]


def test_threads_end_with_what_owned_them():
    """Nobody has to close them."""
    threads = Threads(1, "test-collected")
    threads.submit(print).result(60)
    del threads
    gc.collect()
    wait_until(lambda: not any(thread.name.startswith("test-collected") for thread in threading.enumerate()))


def test_where_no_thread_can_be_started_the_error_says_so():
    """It is one of ours, with a code, and the work was not begun."""
    found = subprocess.run([sys.executable, "-c", NONE_LEFT], capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr) == ("thread_refused 4\nthread_refused 4\n", "")
