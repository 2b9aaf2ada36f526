"""A connection to the ledger's file: how it is set up, and how its transactions begin and end."""

import sqlite3
import threading
from contextlib import closing

import pytest

from metrix_channels.ledger.database import always
from metrix_channels.ledger.sqlite import connection as module
from metrix_channels.ledger.sqlite.connection import connect, in_transaction, truncate_log


@pytest.fixture(params=[("WAL", "FULL"), ("TRUNCATE", "EXTRA")], ids=["log", "rollback"])
def settings(request, monkeypatch):
    """Each kind of journal."""
    monkeypatch.setattr(module, "durable_settings", lambda path: request.param)
    return request.param


@pytest.fixture
def path(tmp_path):
    """An empty file."""
    path = tmp_path / "l.db"
    path.touch()
    return path


def test_the_settings_are_in_force(settings, path):
    """Every commit is synced as `durable_settings` says; references hold, and a foreign schema runs no functions."""
    names = ("journal_mode", "synchronous", "wal_autocheckpoint", "fullfsync", "foreign_keys", "trusted_schema")
    with closing(connect(path, "1.1", always)) as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert found == [settings[0].lower(), {"FULL": 2, "EXTRA": 3}[settings[1]], 0, 1, 1, 0]


@pytest.mark.usefixtures("settings")
def test_a_commit_waits_for_those_who_read(path):
    """A rollback journal lets nobody read while it is written; a log does."""
    with closing(connect(path, "1.1", always)) as connection, closing(sqlite3.connect(path)) as reader:
        reading = reader.execute("SELECT name FROM sqlite_schema")
        reading.fetchone()
        ended = threading.Event()

        def write():
            in_transaction(connection, lambda c: c.execute("UPDATE rate_limits SET next = 7"), always)
            ended.set()

        writer = threading.Thread(target=write)
        writer.start()
        ended.wait(0.1)
        reading.close()
        writer.join()
        assert connection.execute("SELECT next FROM rate_limits").fetchall() == [(7.0,)]


def test_a_wait_ends_when_nobody_wants_it_any_more(path):
    """Not after all of the patience."""
    with (
        closing(connect(path, "1.1", always)) as connection,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        asked = []
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            in_transaction(connection, lambda c: None, lambda: asked.append(1) or len(asked) < 3)
        assert len(asked) == 3


def test_a_log_is_cut_off(path, monkeypatch):
    """No copy of what was overwritten stays in it."""
    monkeypatch.setattr(module, "durable_settings", lambda path: ("WAL", "FULL"))
    with closing(connect(path, "1.1", always)) as connection:
        in_transaction(connection, lambda c: c.execute("UPDATE rate_limits SET next = 7"), always)
        log = path.with_name("l.db-wal")
        assert log.stat().st_size > 0
        truncate_log(connection)
        assert log.stat().st_size == 0


def test_five_seconds_are_waited_for_another_process():
    """Long enough for any commit, short enough to be told."""
    assert module.BUSY_SECONDS == 5.0
