"""The ledger's file: durable, private, and refused with a clear reason when it cannot be trusted."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from metrix_channels.errors import LedgerError
from metrix_channels.ledger import SqliteDatabase, sqlite
from metrix_channels.ledger.sqlite import durable_settings

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


def statement(sql):
    return lambda connection: connection.execute(sql).fetchall()


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


@pytest.mark.parametrize(
    ("version", "settings"),
    [
        ((3, 37, 0), ROLLBACK),
        ((3, 40, 1), ROLLBACK),
        ((3, 44, 5), ROLLBACK),
        ((3, 44, 6), WAL),
        ((3, 45, 0), ROLLBACK),
        ((3, 50, 6), ROLLBACK),
        ((3, 50, 7), WAL),
        ((3, 51, 2), ROLLBACK),
        ((3, 51, 3), WAL),
        ((3, 52, 0), WAL),
        ((4, 0, 0), WAL),
    ],
)
def test_write_ahead_logging_is_used_only_where_it_loses_nothing(version, settings):
    """The versions with the WAL-reset fix log ahead; all others sync a rollback journal and its folder."""
    assert durable_settings(version) == settings


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 3)])
def test_the_settings_are_in_force(version, tmp_path, monkeypatch):
    """What `durable_settings` says is what the connection uses, every commit synced."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    journal, synchronous = durable_settings(version)
    found = in_ledger(
        tmp_path / "l.db",
        lambda connection: [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ],
    )
    assert found == [journal.lower(), {"FULL": 2, "EXTRA": 3}[synchronous]]


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 3)])
def test_everything_that_belongs_to_the_ledger_is_private(version, tmp_path, monkeypatch):
    """Ledger, journal and write-ahead log are 0600, the folder of the owners 0700, whatever the umask says."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    path = tmp_path / "l.db"
    before = os.umask(0)
    try:
        seen = in_ledger(
            path,
            statement("SELECT 1"),
            lambda connection: [
                connection.execute("UPDATE pace SET next = 1"),
                {each.name: mode(each) for each in tmp_path.iterdir()},
            ],
        )[1]
    finally:
        os.umask(before)
    assert seen.pop("l.db-owners") == 0o700
    assert set(seen.values()) == {0o600}
    assert len(seen) >= 2


def test_many_processes_make_one_schema(tmp_path):
    """Processes that meet at a new ledger all end with the same one, none with an error."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from metrix_channels.ledger import SqliteDatabase\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "work = lambda c: c.execute('SELECT hex(value) FROM salt').fetchone()[0]\n"
        "print(asyncio.run(SqliteDatabase(Path(sys.argv[1])).transact(work)))\n"
    )
    path = tmp_path / "l.db"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    salts = {child.communicate(timeout=60)[0] for child in children}
    assert [child.returncode for child in children] == [0] * 5
    assert len(salts) == 1


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
        assert refusal(path, statement("UPDATE pace SET next = 1")).code == "ledger_unavailable"
    finally:
        (tmp_path / which).chmod(0o700)


def test_an_owner_that_cannot_register_gets_no_ledger(tmp_path):
    """Without a lock of its own a process could not be told from a dead one."""
    (tmp_path / "l.db-owners").touch()
    assert refusal(tmp_path / "l.db").code == "ledger_unavailable"


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


def test_five_seconds_are_waited_for_another_process():
    """Long enough for any commit, short enough to be told."""
    assert sqlite.BUSY_SECONDS == 5.0


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_ledger_that_goes_away_while_in_use_is_noticed(how, tmp_path):
    """Nobody would ever read what is written to the old file."""
    path = tmp_path / "l.db"

    def vanish(connection):
        path.rename(tmp_path / "elsewhere.db")
        if how == "replaced":
            path.write_bytes((tmp_path / "elsewhere.db").read_bytes())

    error = refusal(path, statement("SELECT 1"), vanish, statement("SELECT 1"))
    assert (error.code, "deleted or replaced" in error.message) == ("ledger_unavailable", True)


def test_a_failed_transaction_leaves_nothing(tmp_path):
    """All or nothing, and the ledger works on."""
    path = tmp_path / "l.db"

    def half(connection):
        connection.execute("UPDATE pace SET next = 5")
        raise LedgerError("no", code="ledger_corrupt")

    refusal(path, half)
    assert in_ledger(path, statement("SELECT next FROM pace")) == [(0.0,)]


def test_deferred_work_comes_with_the_next_transaction_in_order(tmp_path):
    """It is not written by itself, and not later than what follows it."""
    path = tmp_path / "l.db"

    async def run():
        ledger = SqliteDatabase(path)
        for number in (1, 2):
            ledger.defer(statement(f"UPDATE pace SET next = next * 10 + {number}"))
        assert not path.exists()
        found = await ledger.transact(statement("SELECT next FROM pace"))
        again = await ledger.transact(statement("SELECT next FROM pace"))
        ledger.defer(statement("UPDATE pace SET next = 7"))
        await ledger.close()
        return found, again

    assert asyncio.run(run()) == ([(12.0,)], [(12.0,)])
    assert in_ledger(path, statement("SELECT next FROM pace")) == [(7.0,)]


def test_deferred_work_survives_a_transaction_that_fails(tmp_path):
    """It is part of whichever transaction succeeds first."""

    async def run():
        ledger = SqliteDatabase(tmp_path / "l.db")
        ledger.defer(statement("UPDATE pace SET next = 3"))
        with pytest.raises(LedgerError):
            await ledger.transact(statement("SELECT * FROM nothing"))
        found = await ledger.transact(statement("SELECT next FROM pace"))
        await ledger.close()
        return found

    assert asyncio.run(run()) == [(3.0,)]


def test_closing_lets_go_even_when_the_last_words_cannot_be_written(tmp_path):
    """The error is told, the owner's lock is given up, and the object may be used again."""

    async def run():
        ledger = SqliteDatabase(tmp_path / "l.db")
        await ledger.transact(statement("SELECT 1"))
        ledger.defer(statement("SELECT * FROM nothing"))
        with pytest.raises(LedgerError):
            await ledger.close()
        assert list((tmp_path / "l.db-owners").iterdir()) == []
        await ledger.transact(statement("SELECT 1"))
        await ledger.close()

    asyncio.run(run())


FORK_IN_A_TRANSACTION = """
import asyncio, os, signal, sys, threading, time
from pathlib import Path
from metrix_channels.ledger import SqliteDatabase
path, begun = Path(sys.argv[1]), threading.Event()
ledger = SqliteDatabase(path)

def slow(connection):
    connection.execute("UPDATE pace SET next = next + 1")
    begun.set()
    time.sleep(0.2)

thread = threading.Thread(target=lambda: asyncio.run(ledger.transact(slow)))
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    signal.alarm(10)
    ledger = SqliteDatabase(path)  # the parent's is thrown away here
    asyncio.run(ledger.transact(lambda c: c.execute("UPDATE pace SET next = next + 10")))
    os._exit(0)
status = os.waitpid(child, 0)[1]
thread.join()
assert status == 0, status
"""


def test_a_fork_waits_for_the_transaction_under_way(tmp_path):
    """The child neither inherits the parent's locks nor undoes its transaction."""
    path = tmp_path / "l.db"
    in_ledger(path, statement("SELECT 1"))
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK_IN_A_TRANSACTION, str(path)],
        check=True,
        timeout=60,
    )
    assert in_ledger(path, statement("SELECT next FROM pace")) == [(11.0,)]


def test_a_link_leads_to_one_ledger(tmp_path):
    """Reached by two names, it has one folder of owners, beside the file itself, and is private all the same."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "l.db").symlink_to(tmp_path / "volume/real.db")
    in_ledger(tmp_path / "l.db", statement("UPDATE pace SET next = 4"))
    assert in_ledger(tmp_path / "volume/real.db", statement("SELECT next FROM pace")) == [(4.0,)]
    assert mode(tmp_path / "volume/real.db") == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith("-owners")] == []


def test_any_name_will_do_for_the_file(tmp_path):
    """Also one with characters that mean something in a URI."""
    path = tmp_path / "دفتر %41?mode=ro#1.db"
    in_ledger(path, statement("UPDATE pace SET next = 4"))
    assert path.exists()
