"""What a signal does to a verb."""

import subprocess
import sys

HALF_LOST = """
import asyncio, signal, threading, time
from pathlib import Path
from metrix_channels.cli.signals import run_interruptibly

def interrupt_here():
    stat = Path(f"/proc/self/task/{threading.main_thread().native_id}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

async def waits_for_ever():
    asyncio.get_running_loop().call_soon(threading.Thread(target=interrupt_here).start)
    await asyncio.Event().wait()

try:
    run_interruptibly(waits_for_ever())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_that_wakes_nobody_ends_a_verb_nevertheless():
    """It comes in another thread, while the loop sleeps and has nothing to wake up for."""
    found = subprocess.run([sys.executable, "-c", HALF_LOST], capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr) == ("interrupted\n", "")
