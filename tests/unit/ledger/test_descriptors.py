"""How many connections fit, and descriptors that are kept for the ledger."""

import json
import subprocess
import sys

PROGRAM = """
import json, os, resource
from metrix_channels.ledger.descriptors import Spares, fitting_connections, none_is_left
said = [fitting_connections(32)]
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
said += [fitting_connections(32), fitting_connections(4)]
spares = Spares()
spares.take()
held = []
while not none_is_left():
    held.append(os.open("/dev/null", os.O_RDONLY))
said += [fitting_connections(32), spares.release(), none_is_left(), spares.release()]
print(json.dumps(said))
"""


def test_connections_are_fitted_to_what_is_left():
    """Never more than wanted and never none; spares give way when they are let go of."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    wanted, fitting, few, least, released, left, again = json.loads(found.stdout)
    assert (wanted, few, least) == (32, 4, 1)
    assert 16 < fitting < 24
    assert (released, left, again) == (True, False, False)


LEDGER = """
import asyncio, os, resource, sys
from pathlib import Path
from metrix_channels.errors import LedgerError
from metrix_channels.ledger.descriptors import none_is_left
from metrix_channels.ledger.sqlite.database import SqliteDatabase
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

async def write():
    ledger, other = SqliteDatabase(Path(sys.argv[1])), SqliteDatabase(Path(sys.argv[2]))
    count = lambda connection: connection.execute("UPDATE rate_limits SET next = next + 1 RETURNING next").fetchall()
    await ledger.transact(count)
    held = []
    for _ in range(3):
        while not none_is_left():
            held.append(os.open("/dev/null", os.O_RDONLY))
        print((await asyncio.gather(*(ledger.transact(count) for _ in range(3))))[-1])
    try:
        await other.transact(count)
    except LedgerError as error:
        print(error.code, "no file descriptor left" in error.message, "ulimit -n" in error.remedy)
    for descriptor in held:
        os.close(descriptor)
    await ledger.close()

asyncio.run(write())
"""


def test_the_ledger_is_written_though_no_descriptor_is_left(tmp_path):
    """By those that it keeps; a ledger that was not open yet says what is missing."""
    command = [sys.executable, "-c", LEDGER, str(tmp_path / "ledger.db"), str(tmp_path / "other.db")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    assert lines == ["[(4,)]", "[(7,)]", "[(10,)]", "ledger_unavailable True True"]
