"""The write-ahead log is copied back while nobody can commit, and kept only where one machine has the file."""

import sqlite3
from contextlib import closing

import pytest

from metrix_channels.ledger.sqlite import write_ahead
from metrix_channels.ledger.sqlite.write_ahead import checkpoint, durable_settings, files_of, place_of


@pytest.fixture
def path(tmp_path):
    """A database with a log."""
    path = tmp_path / "l.db"
    with closing(opened(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE numbers (number)")
    return path


def opened(path):
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def numbers(path):
    """What is in the file itself, without its log."""
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        return connection.execute("SELECT number FROM numbers").fetchall()


def test_a_checkpoint_copies_the_log_back(path):
    """And the file's count of changes goes up with it."""
    with closing(opened(path)) as connection:
        connection.execute("INSERT INTO numbers VALUES (7)")
        assert numbers(path) == []
        counted = path.read_bytes()[24:28]
        assert checkpoint(connection, path)
        assert numbers(path) == [(7,)]
        assert path.read_bytes()[24:28] > counted


def test_no_checkpoint_is_made_while_somebody_writes(path):
    """A commit that resets the log meanwhile is what older versions of SQLite lose."""
    with closing(opened(path)) as connection, closing(opened(path)) as writer:
        connection.execute("INSERT INTO numbers VALUES (7)")
        writer.execute("BEGIN IMMEDIATE")
        assert not checkpoint(connection, path)
        assert numbers(path) == []
        writer.execute("ROLLBACK")
        assert checkpoint(connection, path)


def test_nobody_can_commit_while_a_checkpoint_is_made(path):
    """Nor begin to write."""
    seen = []

    class Watched(sqlite3.Connection):
        def execute(self, statement, *values):
            if "wal_checkpoint" in statement:
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    writer.execute("BEGIN IMMEDIATE")
                seen.append(statement)
            return super().execute(statement, *values)

    with (
        closing(sqlite3.connect(path, isolation_level=None, factory=Watched)) as connection,
        closing(opened(path)) as writer,
    ):
        assert checkpoint(connection, path)
        assert seen
        writer.execute("BEGIN IMMEDIATE")


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - {root} /dev/vda rw
23 22 0:40 / /srv/shared\\040files rw - nfs4 server:/export rw
24 22 0:41 / /srv/سهم rw - fuse.sshfs me@there rw
25 22 0:42 / /srv/twice rw - ext4 /dev/vdb rw
26 22 0:43 / /srv/twice rw - virtiofs host rw
"""


@pytest.mark.parametrize(
    ("root", "ledger", "journal"),
    [
        ("ext4", "/home/me/l.db", "WAL"),
        ("overlay", "/app/l.db", "WAL"),
        ("9p", "/app/l.db", "TRUNCATE"),
        ("nfs", "/app/l.db", "TRUNCATE"),
        ("ext4", "/srv/shared files/app/l.db", "TRUNCATE"),
        ("ext4", "/srv/shared/app/l.db", "WAL"),
        ("ext4", "/srv/سهم/l.db", "TRUNCATE"),
        ("ext4", "/srv/twice/l.db", "TRUNCATE"),
    ],
)
def test_a_log_is_kept_only_on_file_systems_of_one_machine(root, ledger, journal, tmp_path, monkeypatch):
    """Processes share it through memory; elsewhere a rollback journal is synced with its folder."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(root=root), encoding="utf-8")
    monkeypatch.setattr(write_ahead, "_MOUNTS", mounts)
    synchronous = {"WAL": "FULL", "TRUNCATE": "EXTRA"}[journal]
    assert durable_settings(tmp_path.__class__(ledger)) == (journal, synchronous)


def test_where_nobody_tells_the_file_systems_there_is_no_log(tmp_path, monkeypatch):
    """Such as on macOS."""
    monkeypatch.setattr(write_ahead, "_MOUNTS", tmp_path / "missing")
    assert durable_settings(tmp_path / "l.db") == ("TRUNCATE", "EXTRA")


def test_a_ledger_with_a_log_has_three_files(path):
    """Each has a place while the ledger is in use; the files of a log that is not there have none."""
    assert [place_of(file) is None for file in files_of(path)] == [False, True, True]
    with closing(opened(path)) as connection:
        connection.execute("INSERT INTO numbers VALUES (7)")
        assert [each.name for each in sorted(path.parent.iterdir())] == ["l.db", "l.db-shm", "l.db-wal"]
        places = [place_of(file) for file in files_of(path)]
        assert None not in places
        assert len(set(places)) == 3
