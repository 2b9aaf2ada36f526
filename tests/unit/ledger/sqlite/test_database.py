"""The ledger's file: durable, private, and refused with a clear reason when it cannot be trusted."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, closing

import pytest

from helpers.ledgers import statement
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import SqliteDatabase
from metrix_channels.ledger.sqlite import connection as sqlite
from metrix_channels.ledger.sqlite import database

WAL, ROLLBACK = ("WAL", "FULL"), ("TRUNCATE", "EXTRA")


def in_ledger(path, *works):
    """Run each of `works` as a transaction of its own; return what the last came to."""

    async def run():
        ledger, result = SqliteDatabase(path), None
        try:
            for work in works:
                result = await ledger.transact(work)
        finally:
            await ledger.close()
        return result

    return asyncio.run(run())


async def adopt(path):
    """Whether the file was a copy before it was adopted."""
    ledger = SqliteDatabase(path)
    try:
        return await ledger.adopt()
    finally:
        await ledger.close()


def in_sqlite(path, script):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path, *works):
    with pytest.raises(LedgerError) as caught:
        in_ledger(path, *(works or (statement("SELECT 1"),)))
    assert caught.value.remedy
    return caught.value


@pytest.fixture(params=[WAL, ROLLBACK], ids=["log", "rollback"])
def settings(request, monkeypatch):
    """Each kind of journal that a ledger may have, whatever the file system of the tests."""
    monkeypatch.setattr(sqlite, "durable_settings", lambda path: request.param)
    return request.param


@pytest.mark.usefixtures("settings")
def test_everything_that_belongs_to_the_ledger_is_private(tmp_path):
    """Ledger, journal and write-ahead log are 0600, whatever the umask says."""
    path = tmp_path / "l.db"
    before = os.umask(0)
    try:
        seen = in_ledger(
            path,
            statement("SELECT 1"),
            lambda connection: [
                connection.execute("UPDATE rate_limits SET next = 1"),
                {each.name: mode(each) for each in tmp_path.iterdir()},
            ],
        )[1]
    finally:
        os.umask(before)
    assert set(seen.values()) == {0o600}
    assert len(seen) >= 2


def test_sqlite_itself_never_makes_the_file(tmp_path, monkeypatch):
    """It would make one that others may read: a file that vanished before it was opened is an error."""
    monkeypatch.setattr(SqliteDatabase, "_create_file", lambda self: None)
    assert refusal(tmp_path / "l.db").code == "ledger_unavailable"
    assert not (tmp_path / "l.db").exists()


def test_opening_it_once_more_drops_no_lock(tmp_path, monkeypatch):
    """A process loses its locks on a file as soon as it closes any descriptor of it, as `open` without EXCL would."""
    monkeypatch.setattr(sqlite, "durable_settings", lambda path: WAL)  # while logging ahead, connections keep a lock
    path = tmp_path / "l.db"
    last_one_out = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM salt'); c.close()"

    async def run():
        first, second = SqliteDatabase(path), SqliteDatabase(path)
        await first.transact(statement("UPDATE rate_limits SET next = 1"))
        await second.transact(statement("UPDATE rate_limits SET next = 2"))
        subprocess.run([sys.executable, "-c", last_one_out, str(path)], check=True, timeout=60)
        assert path.with_name("l.db-wal").exists(), "another process took itself for the last user of the file"
        await first.close()
        await second.close()

    asyncio.run(run())


def test_a_newer_schema_is_refused(tmp_path):
    """A ledger of a later version is not touched."""
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    in_sqlite(path, "PRAGMA user_version = 99")
    error = refusal(path)
    assert (error.code, "99" in error.message) == ("ledger_newer", True)


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    """The path of another program's database is a mistake, not a ledger."""
    path = tmp_path / "shop.db"
    in_sqlite(path, "CREATE TABLE orders (id); INSERT INTO orders VALUES (7)")
    assert refusal(path).code == "ledger_corrupt"
    with closing(sqlite3.connect(path)) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")] == ["orders"]


def test_garbage_is_refused(tmp_path):
    """A file that is no database at all."""
    path = tmp_path / "l.db"
    path.write_bytes(b"not a database, but long enough to look like one " * 40)
    assert refusal(path).code == "ledger_corrupt"


@pytest.mark.parametrize("where", ["file/l.db", "missing/l.db", "folder", "x" * 300])
def test_a_place_where_no_file_can_be_is_refused(where, tmp_path):
    """Below a file, in no folder, a folder itself, a name too long: one clear error, no raw OSError."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path / where).code == "ledger_unavailable"


@pytest.mark.parametrize("which", ["l.db", "."])
def test_a_read_only_ledger_is_refused(which, tmp_path):
    """Neither a file nor a folder that may not be written holds books."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    (tmp_path / which).chmod(0o500)
    try:
        assert refusal(path, statement("UPDATE rate_limits SET next = 1")).code == "ledger_unavailable"
    finally:
        (tmp_path / which).chmod(0o700)


def test_a_ledger_that_stays_locked_is_named_so(tmp_path, monkeypatch):
    """Another process that holds the ledger for too long gives ledger_locked, after the patience and not before."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    script = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        holder.stdout.readline()
        assert refusal(path).code == "ledger_locked"
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 5.0)
        threading.Timer(0.2, holder.stdin.close).start()
        in_ledger(path, statement("SELECT 1"))


def test_an_older_schema_is_refused(tmp_path):
    """What an earlier version wrote is left as it is, with a word on what to do."""
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    in_sqlite(path, "PRAGMA user_version = 1")
    assert refusal(path).code == "ledger_older"


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_ledger_that_goes_away_while_in_use_is_noticed(how, tmp_path):
    """By the very transaction: nobody would ever read what is written to the old file."""
    path = tmp_path / "l.db"

    def vanish(connection):
        path.rename(tmp_path / "elsewhere.db")
        if how == "replaced":
            path.write_bytes((tmp_path / "elsewhere.db").read_bytes())

    error = refusal(path, statement("SELECT 1"), vanish)
    assert (error.code, "deleted or replaced" in error.message) == ("ledger_unavailable", True)


@pytest.mark.parametrize("which", ["l.db-wal", "l.db-shm"])
def test_a_log_that_goes_away_while_in_use_is_noticed(which, tmp_path, monkeypatch):
    """What is committed to a deleted file is lost; nothing is sent on the strength of it."""
    monkeypatch.setattr(sqlite, "durable_settings", lambda path: WAL)
    works = (statement("SELECT 1"), lambda _: (tmp_path / which).unlink())
    error = refusal(tmp_path / "l.db", *works)
    assert (error.code, "deleted or replaced" in error.message) == ("ledger_unavailable", True)


@pytest.mark.parametrize("by", ["link", "folder"])
def test_a_ledger_that_went_away_between_two_transactions_is_noticed(by, tmp_path):
    """Also when the folder around it was moved."""
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "l.db"

    async def run():
        ledger = SqliteDatabase(path)
        await ledger.transact(statement("SELECT 1"))
        if by == "folder":
            path.parent.rename(tmp_path / "there")
        else:
            path.rename(tmp_path / "real.db")
            path.symlink_to("/dev/null")
        with pytest.raises(LedgerError, match="deleted or replaced"):
            await ledger.transact(statement("UPDATE rate_limits SET next = 1"))
        await ledger.close()

    asyncio.run(run())


def test_an_older_state_that_is_written_over_the_file_is_noticed(settings, tmp_path, monkeypatch):
    """It is the same file, by all that the file system says, and does not know what was sent since.

    A log still has all that was committed since it was last copied back.
    """
    monkeypatch.setattr(database, "COMMITS_BETWEEN_CHECKPOINTS", 1)
    path = tmp_path / "l.db"

    def write(connection):
        connection.execute("UPDATE rate_limits SET next = next + 1")

    async def run():
        ledger = SqliteDatabase(path)

        async def write_and_copy_back():
            await ledger.transact(write)
            # The log is copied back after the answer, in the ledger's only thread.
            await asyncio.get_running_loop().run_in_executor(ledger._commits.threads, int)

        await write_and_copy_back()
        before = path.read_bytes()
        for _ in range(3):
            await write_and_copy_back()
        with path.open("r+b") as file:
            file.write(before)
            file.truncate()
        with pytest.raises(LedgerError) as caught:
            await ledger.transact(write)
        await ledger.close()
        return caught.value.code

    assert asyncio.run(run()) in ("ledger_unavailable", "ledger_corrupt")


@asynccontextmanager
async def opened(*paths):
    """Ledgers in the files, which are closed in the end."""
    ledgers = [SqliteDatabase(path) for path in paths]
    try:
        yield ledgers
    finally:
        for ledger in ledgers:
            await ledger.close()


async def refused(ledger):
    """Why nothing can be sent from a ledger."""
    with pytest.raises(LedgerError) as caught:
        await ledger.transact(lambda _: ledger.owner)
    return caught.value.code


async def refusal_after_writing_over(ledger, content):
    """The same, after something else was written over its file."""
    with ledger.path.open("r+b") as file:
        file.write(content)
    return await refused(ledger)


def ledger_and_copy(tmp_path):
    """A ledger, and a copy of its file."""
    path, copy = tmp_path / "l.db", tmp_path / "copy.db"
    in_ledger(path, statement("UPDATE rate_limits SET next = 4"))
    shutil.copy(path, copy)
    return path, copy


def test_nobody_has_a_name_in_a_copy_until_it_is_adopted(tmp_path):
    """So nothing is sent from it; it can be looked at, and the original is none the worse."""
    path, copy = ledger_and_copy(tmp_path)

    async def run():
        async with opened(copy, copy) as (ledger, other):
            assert await ledger.transact(statement("SELECT next FROM rate_limits")) == [(4.0,)]
            with pytest.raises(LedgerError) as caught:
                await ledger.transact(lambda _: ledger.owner)
            assert await other.adopt()
            await ledger.transact(lambda _: ledger.owner)
            assert not await other.adopt()
            return caught.value

    error = asyncio.run(run())
    assert (error.code, error.exit_status, "ledger adopt" in error.remedy) == ("ledger_copied", 2, True)
    in_ledger(copy, statement("SELECT 1"))
    assert not asyncio.run(adopt(path))


@pytest.mark.usefixtures("settings")
def test_a_copy_in_use_is_noticed_to_be_adopted(tmp_path):
    """By another process, at any moment: the next transaction may send."""
    _, copy = ledger_and_copy(tmp_path)

    async def run():
        async with opened(copy, copy) as (ledger, other):
            for _ in range(2):
                with pytest.raises(LedgerError, match="is a copy"):
                    await ledger.transact(lambda _: ledger.owner)
            await other.adopt()
            assert await ledger.transact(lambda _: ledger.owner)

    asyncio.run(run())


def test_another_ledger_that_is_written_over_the_file_is_noticed(tmp_path, monkeypatch):
    """Although the file is the same, and its content no older: nothing is sent from it until it is adopted."""
    monkeypatch.setattr(sqlite, "durable_settings", lambda path: ROLLBACK)
    path, other = tmp_path / "l.db", tmp_path / "other.db"
    in_ledger(other, *[statement("UPDATE rate_limits SET next = next + 1")] * 9)

    async def run():
        async with opened(path) as (ledger,):
            await ledger.transact(lambda _: ledger.owner)
            return await refusal_after_writing_over(ledger, other.read_bytes())

    assert asyncio.run(run()) == "ledger_copied"


def test_a_ledger_of_the_same_age_that_is_written_over_the_file_is_noticed(tmp_path, monkeypatch):
    """Two new ledgers have the same counters, and the same size."""
    monkeypatch.setattr(sqlite, "durable_settings", lambda path: WAL)
    monkeypatch.setattr(database, "COMMITS_BETWEEN_CHECKPOINTS", 1)

    async def write(ledger):
        await ledger.transact(lambda connection: connection.execute("UPDATE rate_limits SET next = 0") and None)
        await ledger.truncate_journal()  # the thread of the ledger has copied its log back

    async def run():
        async with opened(tmp_path / "l.db", tmp_path / "other.db") as (ledger, other):
            await write(other)
            await write(ledger)
            content = other.path.read_bytes()
            assert content[24:40] == ledger.path.read_bytes()[24:40]
            await write(ledger)
            return await refusal_after_writing_over(ledger, content)

    assert asyncio.run(run()) == "ledger_copied"


def test_a_copy_that_could_not_be_read_at_first_is_noticed(tmp_path, monkeypatch):
    """Only its first page had been written over the file when it was read: a failed look is repeated."""
    monkeypatch.setattr(sqlite, "durable_settings", lambda path: ROLLBACK)
    path, other = tmp_path / "l.db", tmp_path / "other.db"
    in_ledger(other, *[statement("UPDATE rate_limits SET next = next + 1")] * 9)
    content = other.read_bytes()

    async def run():
        async with opened(path) as (ledger,):
            await ledger.transact(lambda _: ledger.owner)
            damaged = content[:4096].ljust(len(content), b"\0")
            return [await refusal_after_writing_over(ledger, damaged), await refused(ledger)]

    assert asyncio.run(run()) == ["ledger_corrupt", "ledger_corrupt"]


def test_a_ledger_that_moves_is_no_copy(tmp_path):
    """Under whatever name, as long as it is the same file."""
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    (tmp_path / "folder").mkdir()
    moved = path.rename(tmp_path / "folder" / "moved.db")
    (tmp_path / "hard.db").hardlink_to(moved)
    for each in (moved, tmp_path / "hard.db"):
        assert not asyncio.run(adopt(each)), "the file under its other name passes for a copy"


FORK_IN_A_TRANSACTION = """
import asyncio, os, signal, sys, threading, time
from pathlib import Path
from metrix_channels.ledger import SqliteDatabase
path, begun = Path(sys.argv[1]), threading.Event()
ledger = SqliteDatabase(path)

def slow(connection):
    connection.execute("UPDATE rate_limits SET next = next + 1")
    begun.set()
    time.sleep(0.2)

thread = threading.Thread(target=lambda: asyncio.run(ledger.transact(slow)))
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    signal.alarm(10)
    ledger = SqliteDatabase(path)  # the parent's is thrown away here
    asyncio.run(ledger.transact(lambda c: c.execute("UPDATE rate_limits SET next = next + 10")))
    os._exit(0)
status = os.waitpid(child, 0)[1]
thread.join()
assert status == 0, status
"""


FORKED = """
import asyncio, os, subprocess, sys
from pathlib import Path
from metrix_channels.ledger import SqliteDatabase
path, last_one_out = Path(sys.argv[1]), sys.argv[2]

def add(ledger, count):
    asyncio.run(ledger.transact(lambda c: c.execute("UPDATE rate_limits SET next = next + ?", (count,))))

parent = SqliteDatabase(path)
add(parent, 1)
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    ledger = SqliteDatabase(path)
    add(ledger, 10)
    os.read(reading, 1)  # the parent has closed its own
    subprocess.run([sys.executable, "-c", last_one_out, path], check=True)
    assert Path(f"{path}-wal").exists(), "another process took itself for the last user of the file"
    add(ledger, 100)
    os._exit(0)
add(parent, 1000)
asyncio.run(parent.close())
os.write(writing, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_has_locks_of_its_own(tmp_path):
    """It would rely on those of its parent, which end with it, and others would throw its log away."""
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    last_one_out = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM salt'); c.close()"
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, path, last_one_out]
    subprocess.run(command, check=True, timeout=60)
    assert in_ledger(path, statement("SELECT next FROM rate_limits")) == [(1111.0,)]


def test_a_fork_waits_for_the_transaction_under_way(tmp_path):
    """The child neither inherits the parent's locks nor undoes its transaction."""
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK_IN_A_TRANSACTION, str(path)],
        check=True,
        timeout=60,
    )
    assert in_ledger(path, statement("SELECT next FROM rate_limits")) == [(11.0,)]


def test_a_link_leads_to_one_ledger(tmp_path):
    """Reached by two names, it is the same file, and private all the same."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "l.db").symlink_to(tmp_path / "volume/real.db")
    in_ledger(tmp_path / "l.db", statement("UPDATE rate_limits SET next = 4"))
    assert in_ledger(tmp_path / "volume/real.db", statement("SELECT next FROM rate_limits")) == [(4.0,)]
    assert mode(tmp_path / "volume/real.db") == 0o600


def test_any_name_will_do_for_the_file(tmp_path):
    """Also one with characters that mean something in a URI."""
    path = tmp_path / "دفتر %41?mode=ro#1.db"
    in_ledger(path, statement("UPDATE rate_limits SET next = 4"))
    assert path.exists()
