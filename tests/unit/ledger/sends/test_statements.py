"""Statements for a connection of the caller's own: what may happen between two of them."""

import asyncio
import sqlite3

from metrix_channels.ledger import Entry, SqliteDatabase
from metrix_channels.ledger.sends.outbox import OutboxBook
from metrix_channels.ledger.sends.statements import enqueue_steps, withdraw_steps

ENTRY = Entry("s1", "app", "k", b"text", "sms", "otp", ("u1",), None)


def run(steps, connection, before_update=lambda: None):
    """Run statements, each in a transaction of its own; return what they come to."""
    found = None
    try:
        while True:
            sql, values = next(steps) if found is None else steps.send(found)
            if sql.startswith("UPDATE"):
                before_update()
            found = connection.execute(sql.replace("%s", "?"), values).fetchall()
    except StopIteration as end:
        return end.value


def test_what_another_process_takes_between_two_statements_is_not_withdrawn(tmp_path):
    """A connection to a file may commit after each statement: the last one looks again."""
    path = tmp_path / "ledger.db"
    with asyncio.Runner() as runner:
        book = OutboxBook(SqliteDatabase(path))
        tables = runner.run(book.tables())
        connection = sqlite3.connect(path, isolation_level=None)
        run(enqueue_steps(ENTRY, {"message": {}}, tables), connection)

        def take():
            assert runner.run(book.take("s1")) is not None

        assert run(withdraw_steps("app", "k", tables), connection, take) is False
        assert connection.execute("SELECT state, key FROM sends").fetchall() == [("open", "k")]
        runner.run(book.abandon("s1"))
        assert run(withdraw_steps("app", "k", tables), connection) is True
        runner.run(book._database.close())
        connection.close()
