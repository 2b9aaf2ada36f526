"""Who is alive: an owner is, as long as its process is, whatever files are deleted meanwhile."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest

from metrix_channels.errors import LedgerError
from metrix_channels.ledger.sqlite import liveness as owners
from metrix_channels.ledger.sqlite.liveness import Owner, is_same_file

REGISTER = """
import os, sys
from pathlib import Path
from metrix_channels.ledger.sqlite.liveness import Owner
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
    """A ledger's file, which SQLite knows."""
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE words (word)")
    return path


@pytest.fixture
def observer(ledger):
    """An owner of this process, who looks at the others."""
    owner = Owner.register(ledger)
    yield owner
    owner.leave()


def descriptors(ledger):
    """How many descriptors of the ledger's file this process has."""
    found = 0
    for number in range(1024):
        with suppress(OSError):
            found += os.path.samestat(os.fstat(number), ledger.stat())
    return found


def is_locked(ledger):
    """Tell whether another process may not write."""
    script = (
        "import sqlite3, sys\n"
        "try: sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')\n"
        "except sqlite3.OperationalError: print('locked')\n"
    )
    return subprocess.check_output([sys.executable, "-c", script, str(ledger)]) == b"locked\n"


def test_an_owner_lives_until_it_leaves(ledger, observer):
    """Also in the eyes of its own process; it may leave twice."""
    owner = Owner.register(ledger)
    assert owner.is_alive(owner.name)
    assert observer.is_alive(owner.name)
    owner.leave()
    assert not observer.is_alive(owner.name)
    assert observer.is_alive(observer.name)
    owner.leave()


def test_an_owner_dies_with_its_process_however_it_ends(ledger, observer):
    """SIGKILL runs no code of ours; the lock goes all the same."""
    with start(ledger, REGISTER + "sys.stdin.readline()") as process:
        name = process.stdout.readline().strip()
        assert observer.is_alive(name)
        process.kill()
        process.wait()
        assert not observer.is_alive(name)


def test_no_deleted_file_ends_an_owner(ledger, observer):
    """Everything around the ledger may go; who moves the ledger on its file system moves the locks with it."""
    with start(ledger, REGISTER + "sys.stdin.readline()") as process:
        name = process.stdout.readline().strip()
        for each in ledger.parent.iterdir():
            if each != ledger:
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        ledger.rename(ledger.with_name("moved.db"))
        assert observer.is_alive(name)
        later = Owner.register(ledger.with_name("moved.db"))
        assert later.is_alive(name)
        later.leave()
        process.kill()


def test_an_owner_leaves_no_file(ledger):
    """Nothing to tidy up, and nothing for others to tidy up too early."""
    with start(ledger, REGISTER) as process:
        process.stdout.readline()
    assert list(ledger.parent.iterdir()) == [ledger]


def test_a_forked_child_does_not_keep_a_dead_parent_alive(ledger, observer):
    """A child of a prefork server inherits the descriptor, and must not inherit the name."""
    with start(ledger, REGISTER + FORK + "sys.stdin.readline()") as process:
        name, child = process.stdout.readline().strip(), int(process.stdout.readline())
        assert observer.is_alive(name)
        process.kill()
        process.wait()
        os.kill(child, 0)
        assert not observer.is_alive(name)


def test_a_forked_child_that_ends_does_not_end_its_parent(ledger, observer):
    """It gives up its own copy of the descriptor alone."""
    with start(ledger, REGISTER + "if os.fork() == 0: sys.exit()\nos.wait(); print(flush=True); input()") as process:
        name = process.stdout.readline().strip()
        process.stdout.readline()
        assert observer.is_alive(name)
        process.kill()


def test_a_forked_child_may_become_an_owner_of_its_own(ledger, observer):
    """Its parent's name is alive for it as long as the parent is, and it has another one."""
    script = (
        REGISTER
        + "child = os.fork()\n"
        + "if child == 0:\n"
        + "    mine = Owner.register(Path(sys.argv[1]))\n"
        + "    print(mine.name, mine.is_alive(owner.name), flush=True)\n"
        + "    owner.leave()\n"
        + "    sys.stdin.readline(); os._exit(0)\n"
        + "os.wait()\n"
    )
    with start(ledger, script) as process:
        parent, (child, seen) = process.stdout.readline().strip(), process.stdout.readline().split()
        assert seen == "True"
        assert observer.is_alive(parent)
        assert observer.is_alive(child)
        process.stdin.close()


def test_a_program_that_the_owner_starts_does_not_keep_it_alive(ledger, observer):
    """The descriptor is closed on exec."""
    more = (
        "import subprocess\np = subprocess.Popen(['sleep', '5'], stdout=subprocess.DEVNULL)\nprint(p.pid, flush=True)"
    )
    with start(ledger, REGISTER + more + "\nsys.stdin.readline()") as process:
        name, child = process.stdout.readline().strip(), int(process.stdout.readline())
        process.kill()
        process.wait()
        assert not observer.is_alive(name)
        os.kill(child, 9)


@pytest.mark.parametrize("name", ["0" * 32, "", "no name of ours"])
def test_an_unknown_owner_is_dead(name, observer):
    """Nothing is known of it, so nobody holds its lock."""
    assert not observer.is_alive(name)


def test_owners_of_one_file_share_a_descriptor(ledger, observer):
    """However many there are; by the last one that leaves it is closed."""
    others = [Owner.register(ledger) for _ in range(5)]
    assert descriptors(ledger) == 1
    for each in (*others, observer):
        each.leave()
    assert descriptors(ledger) == 0


def test_an_owner_that_leaves_takes_no_lock_from_sqlite(ledger):
    """To close a descriptor gives up all locks that this process has on the file: so it stays, and goes later."""
    owner = Owner.register(ledger)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        Owner.register(ledger).leave()
        owner.leave()
        assert is_locked(ledger)
        connection.execute("ROLLBACK")
    Owner.register(ledger).leave()
    assert descriptors(ledger) == 0


def test_a_file_system_without_such_locks_is_an_error(ledger, monkeypatch):
    """Without a lock, others would take this process for dead."""

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(owners, "_lock", refuse)
    with pytest.raises(LedgerError, match="cannot be locked: Operation not supported") as caught:
        Owner.register(ledger)
    assert caught.value.code == "ledger_unavailable"


def test_no_link_is_followed(ledger):
    """The ledger's path is resolved before; a link that comes in its place since then leads elsewhere."""
    link = ledger.with_name("link.db")
    link.symlink_to(ledger)
    with pytest.raises(LedgerError, match="cannot be locked"):
        Owner.register(link)


def test_a_file_keeps_its_identity_when_it_moves_and_no_copy_has_it(ledger):
    """Not even one that is given the inode of the original once that is deleted."""

    def identity(path):
        owner = Owner.register(path)
        owner.leave()
        return owner.file.identity

    first = identity(ledger)
    moved = ledger.rename(ledger.with_name("moved.db"))
    assert is_same_file(first, identity(moved))
    shutil.copy(moved, ledger)
    assert not is_same_file(first, identity(ledger))
    moved.unlink()
    shutil.copy(ledger, moved)
    if not first.endswith(".0"):
        assert not is_same_file(first, identity(moved))


@pytest.mark.parametrize(
    ("recorded", "found", "same"),
    [
        ("7.5", "7.5", True),
        ("7.5", "8.5", False),
        ("7.5", "7.6", False),
        ("7.0", "7.6", True),
        ("7.5", "7.0", True),
        ("7.0", "8.0", False),
        ("damaged", "7.5", False),
    ],
)
def test_identities_are_compared_by_what_is_known(recorded, found, same):
    """Inode and generation, or the inode alone where there is no generation."""
    assert is_same_file(recorded, found) is same
