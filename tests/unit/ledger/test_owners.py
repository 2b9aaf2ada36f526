"""Who is alive: an owner is, as long as its process is."""

import os
import subprocess
import sys

import pytest

from metrix_channels.errors import LedgerError
from metrix_channels.ledger.owners import Owner, is_alive

REGISTER = """
import os, sys
from pathlib import Path
from metrix_channels.ledger.owners import Owner
owner = Owner.register(Path(sys.argv[1]))
print(owner.name, flush=True)
"""
FORK = """
child = os.fork()
if child == 0:
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
"""


def start(ledger, script):
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(ledger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "l.db"


def test_an_owner_lives_until_it_leaves(ledger):
    """Also in the eyes of its own process; and what it leaves behind is nothing."""
    owner = Owner.register(ledger)
    assert is_alive(ledger, owner.name)
    owner.leave()
    assert not is_alive(ledger, owner.name)
    assert list((ledger.parent / "l.db-owners").iterdir()) == []
    owner.leave()


def test_an_owner_dies_with_its_process_however_it_ends(ledger):
    """SIGKILL runs no code of ours; the lock goes all the same."""
    with start(ledger, REGISTER + "sys.stdin.readline()") as process:
        name = process.stdout.readline().strip()
        assert is_alive(ledger, name)
        process.kill()
        process.wait()
        assert not is_alive(ledger, name)
    assert list((ledger.parent / "l.db-owners").iterdir()) == []


def test_an_owner_tidies_up_at_exit(ledger):
    """Its file goes when the process ends in order."""
    with start(ledger, REGISTER) as process:
        name = process.stdout.readline().strip()
    assert not (ledger.parent / "l.db-owners" / name).exists()


def test_a_forked_child_does_not_keep_a_dead_parent_alive(ledger):
    """A child of a prefork server inherits the descriptor, and must not inherit the name."""
    with start(ledger, REGISTER + FORK + "sys.stdin.readline()") as process:
        name, child = process.stdout.readline().strip(), int(process.stdout.readline())
        assert is_alive(ledger, name)
        process.kill()
        process.wait()
        os.kill(child, 0)
        assert not is_alive(ledger, name)


def test_a_forked_child_that_ends_does_not_end_its_parent(ledger):
    """It gives up its own copy of the lock alone."""
    with start(ledger, REGISTER + "if os.fork() == 0: sys.exit()\nos.wait(); print(flush=True); input()") as process:
        name = process.stdout.readline().strip()
        process.stdout.readline()
        assert is_alive(ledger, name)
        process.kill()


def test_a_program_that_the_owner_starts_does_not_keep_it_alive(ledger):
    """The lock's descriptor is closed on exec."""
    more = (
        "import subprocess\np = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\nprint(p.pid, flush=True)"
    )
    with start(ledger, REGISTER + more + "\nsys.stdin.readline()") as process:
        name, child = process.stdout.readline().strip(), int(process.stdout.readline())
        process.kill()
        process.wait()
        assert not is_alive(ledger, name)
        os.kill(child, 9)


def test_an_unknown_owner_is_dead(ledger):
    """Nothing is known of it, so nobody holds its lock."""
    assert not is_alive(ledger, "0" * 32)


def test_no_place_for_the_lock_is_an_error(ledger):
    """Without it, others would take this process for dead."""
    ledger.with_name("l.db-owners").touch()
    with pytest.raises(LedgerError, match="cannot be made") as caught:
        Owner.register(ledger)
    assert caught.value.code == "ledger_unavailable"
