"""Sensitive values stand in a campaign's plan until the run is over, and then nowhere in the ledger."""

import asyncio
import secrets
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project
from helpers.cluster import Workers, on_postgres
from helpers.postgres import execute
from metrix_channels import CampaignError
from metrix_channels.ledger import SqliteDatabase, check_ledger
from metrix_channels.ledger.postgres.connection import PostgresDatabase
from metrix_channels.ledger.sqlite import connection as sqlite

CODE, PIN = "zqcode", "zqpin-77120"
"""Every code begins with the first; the other is in the campaign's context."""
CODES = {f"u{number}": f"{CODE}-{secrets.token_hex(20)}" for number in range(300)}
"""More than one shard of them, and each takes several pages of SQLite's file."""
TEMPLATE = "---\nsensitive: [first_name, pin]\n---\nکد {{ first_name }} {{ pin }}"
REFUSE_ALL = Taken(403, taken=False, body=b"Forbidden")
ODD = Taken(400, taken=False, body=b"Bad recipient")


class Stage:
    """A campaign with sensitive values on a ledger of one kind.

    Attributes:
        project: its files.
        url: of PostgreSQL; None for a file.
    """

    def __init__(self, folder: Path, url: str | None) -> None:
        self.project = Project(folder)
        self.url = url
        self.refuse = {"u7"}
        self.is_closed = False
        self.project.template(TEMPLATE)
        self.project.audience(list(CODES.items()))
        self.project.campaign(context={"pin": PIN})

    def answer(self, recipients, _message, _body):
        """Accept, but for those who are refused, and for everybody while it is closed."""
        if self.is_closed:
            return REFUSE_ALL
        return ODD if self.refuse.intersection(recipients) else Taken()

    @contextmanager
    def sending(self):
        """Give a notifier and the server, with whoever sends the run."""
        with AccountingServer(self.answer) as server:
            self.project.configure(server.url, batch_size=1)
            if self.url is None:
                with self.project.notifier() as notifier:
                    yield notifier, server
            else:
                on_postgres(self.project, self.url)
                with Workers(self.project) as workers, self.project.notifier() as notifier:
                    workers.start(1)
                    yield notifier, server

    def run(self, notifier, name="offer"):
        """Run the campaign; returns the state in which it is left."""
        return notifier.campaigns.run(self.project.folder / f"{name}.yaml").state

    def stored(self):
        """Return all that the ledger stores: raw bytes, and every shard in them decompressed."""
        if self.url is not None:
            return b"".join(_cells(self.url))
        path = self.project.folder / "metrix-channels.db"
        raw = b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))
        return raw + b"".join(_inflated(raw))

    def holds(self):
        """Tell which of the values are stored."""
        stored = self.stored()
        return [value for value in (CODE, PIN) if value.encode() in stored]


def _cells(url):
    tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog')"
    for (table,) in execute(url, f"{tables} AND schemaname <> 'information_schema'"):
        for row in execute(url, f"SELECT * FROM {table}"):
            for cell in row:
                yield zlib.decompress(cell) if _is_compressed(cell) else repr(cell).encode()


def _is_compressed(cell):
    return isinstance(cell, bytes) and cell[:2] == b"\x78\x01"


def _inflated(raw):
    """Give what each piece of a zlib stream in a file holds, however early it breaks off."""
    at = -1
    while (at := raw.find(b"\x78\x01", at + 1)) >= 0:
        stream = zlib.decompressobj()
        for place in range(at, len(raw), 64):
            try:
                yield stream.decompress(raw[place : place + 64])
            except zlib.error:
                break
            if stream.eof:
                break


@pytest.fixture(params=["rollback journal", "write-ahead log", "postgresql"])
def stage(request, tmp_path, monkeypatch):
    """A ledger of each kind; SQLite in both of its modes, whatever its version."""
    if request.param == "postgresql":
        return Stage(tmp_path, request.getfixturevalue("postgres_url"))
    journal = ("WAL", "FULL") if request.param == "write-ahead log" else ("TRUNCATE", "EXTRA")
    monkeypatch.setattr(sqlite, "durable_settings", lambda _version: journal)
    return Stage(tmp_path, None)


def test_a_run_that_may_go_on_keeps_them_and_resumes_with_them(stage):
    """Halted and paused, they are needed; each recipient gets its own code afterwards, and then they are gone."""
    stage.refuse = set()
    with stage.sending() as (notifier, server):
        stage.is_closed = True
        assert stage.run(notifier) == "halted"
        assert stage.holds() == [CODE, PIN]
        assert notifier.campaigns.pause("offer").state == "paused"
        assert stage.holds() == [CODE, PIN]
        stage.is_closed = False
        assert notifier.campaigns.resume("offer").state == "finished"
        assert {user: text["body"] for user, text in server.texts.items()} == {
            user: f"کد {code} {PIN}" for user, code in CODES.items()
        }
        assert stage.holds() == []


def test_a_cancelled_run_forgets_those_of_whom_it_sent_nothing(stage):
    """They are needed as little as those that were sent."""
    with stage.sending() as (notifier, _):
        stage.is_closed = True
        assert stage.run(notifier) == "halted"
        assert stage.holds() == [CODE, PIN]
        assert notifier.campaigns.cancel("offer").state == "cancelled"
        assert stage.holds() == []


def test_what_was_rejected_is_sent_under_another_name(stage):
    """A retry is refused before a request is made; rows, counts and the recount need no values."""
    with stage.sending() as (notifier, server):
        assert stage.run(notifier) == "finished_with_errors"
        assert stage.holds() == []
        made = len(server.requests)
        with pytest.raises(CampaignError) as caught:
            notifier.campaigns.retry("offer", "rejected")
        assert (caught.value.code, len(server.requests)) == ("run_values_forgotten", made)
        assert "audience: {except: [offer]}" in caught.value.remedy
        assert notifier.campaigns.status("offer").state == "finished_with_errors"
        rows = list(notifier.campaigns.rows("offer"))
        assert [row.recipient for row in rows if row.outcome == "rejected"] == ["u7"]
        assert len(rows) == len(CODES)
        stage.refuse = set()
        audience = {"file": "audience.csv", "except": ["offer"]}
        stage.project.campaign("again", context={"pin": PIN}, audience=audience)
        assert stage.run(notifier, "again") == "finished"
        assert server.requests[made:] == [["u7"]]
        assert server.texts["u7"]["body"] == f"کد {CODES['u7']} {PIN}"
        assert stage.holds() == []
    assert asyncio.run(_is_ok(stage))


async def _is_ok(stage):
    path = stage.project.folder / "metrix-channels.db"
    database = PostgresDatabase(stage.url) if stage.url else SqliteDatabase(path)
    try:
        return (await check_ledger(database)).is_ok
    finally:
        await database.close()


def test_a_run_without_sensitive_names_is_left_as_it_is(stage):
    """Its values stay, and what was rejected can be tried again."""
    stage.project.template("کد {{ first_name }} {{ pin }}")
    with stage.sending() as (notifier, _):
        assert stage.run(notifier) == "finished_with_errors"
        assert stage.holds() == [CODE, PIN]
        stage.refuse = set()
        assert notifier.campaigns.retry("offer", "rejected").state == "finished"
