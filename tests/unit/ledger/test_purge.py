"""Forgetting: what is over loses its recipients and values, also in the file; what may go on keeps them."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from metrix_channels.errors import LedgerError, problem
from metrix_channels.ledger import (
    OVER,
    Changes,
    Counts,
    Draft,
    Entry,
    FailedAttempt,
    LocalRunBook,
    RunState,
    SendBook,
    Skip,
    SkipReason,
    SqliteDatabase,
)
from metrix_channels.ledger.purge import purge
from metrix_channels.ledger.runs.book import note, seal_run
from metrix_channels.ledger.sqlite import connection as sqlite
from metrix_channels.outcomes import Outcome, Receipt, iso_utc

NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=1)
PERSONAL = (b"recipient-1", b"Dear Zahra")
ENTRY = Entry("s1", "app", "k", b"text", "sms", "otp", ("recipient-1",), '"Dear Zahra"' * 2_000)
"""Its text takes several pages of the file."""


@pytest.fixture
def _sqlite_leaves_deleted_rows(monkeypatch):
    """Let SQLite begin as its authors ship it. Debian's, for one, is built to overwrite what is deleted."""

    class AsShipped(sqlite.SqliteConnection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.execute("PRAGMA secure_delete = OFF")

    monkeypatch.setattr(sqlite, "SqliteConnection", AsShipped)


@pytest.mark.usefixtures("_sqlite_leaves_deleted_rows")
def test_what_is_forgotten_is_overwritten_in_the_file(tmp_path):
    """However SQLite was built: also the copies that updates left behind before the purge are gone."""
    path = tmp_path / "l.db"
    receipt = Receipt("s1", "sms", ("recipient-1",), Outcome.ACCEPTED, 1, 200, False, NOW, None)

    async def run():
        database = SqliteDatabase(path)
        book = SendBook(database)
        await book.claim(ENTRY)
        await book.finish("s1", [receipt])
        assert all(word in written(path) for word in PERSONAL)
        assert (await purge(database, SOON)).sends == 1
        assert not any(word in written(path) for word in PERSONAL)
        await database.close()

    asyncio.run(run())
    assert not any(word in written(path) for word in PERSONAL)


def written(path):
    """All that is in the ledger's files."""
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def forget_everything(ledger):
    async def run():
        database = ledger.open()
        try:
            return await purge(database, SOON)
        finally:
            await database.close()

    return asyncio.run(run())


def sent(ledger, outcome=Outcome.REJECTED):
    """Put a message with one attempt into a ledger; None leaves it open, as a dead process does."""
    why = problem("rejected", "Metrix answered 400: 'recipient-1 quoted back'.")
    receipt = Receipt("s1", "sms", ("recipient-1",), Outcome.REJECTED, 1, 400, False, NOW, why)

    async def run():
        database = ledger.open()
        book = SendBook(database)
        await book.claim(ENTRY)
        number = await book.intend("s1", ("recipient-1",))
        said = "recipient-1 quoted back"
        named = ("recipient-1",)
        await book.settle("s1", number, named, disposition="refused", status=400, explanation=said, answer=said)
        await (book.finish("s1", [receipt]) if outcome else book.abandon("s1"))
        await database.close()

    asyncio.run(run())


def test_of_a_message_its_outcome_and_its_key_are_kept(ledger):
    """Not whom it named, what it said, and what Metrix said of it, in its attempts neither."""
    sent(ledger)
    assert forget_everything(ledger).sends == 1
    rows = [
        *ledger.execute("SELECT app_id, key, recipients, message, receipts FROM sends"),
        *ledger.execute("SELECT recipients, disposition, status, explanation, answer FROM attempts"),
    ]
    assert "recipient-1" not in repr(rows)
    assert (rows[0][:2], rows[1][1:]) == (("app", "k"), ("refused", 400, None, None))


def test_a_message_without_an_outcome_is_left_alone(ledger):
    """Whoever takes it up needs to know whom it is for: it is counted, and nothing of it forgotten."""
    sent(ledger, outcome=None)
    purged = forget_everything(ledger)
    assert (purged.sends, purged.unfinished) == (0, 1)
    assert ledger.execute("SELECT recipients FROM sends") == [('["recipient-1"]',)]


@pytest.mark.parametrize("damage", ["UPDATE sends SET template = 'other'", "UPDATE attempts SET disposition = NULL"])
def test_a_damaged_row_is_not_sealed_anew(damage, ledger):
    """Written back with a fitting checksum, it would never be found out again."""
    sent(ledger)
    ledger.execute(damage)
    with pytest.raises(LedgerError) as caught:
        forget_everything(ledger)
    assert caught.value.code == "ledger_corrupt"


def planned(ledger, state):
    """Put a run into a ledger's file, as a process leaves it that sent it."""

    def leave(connection, run):
        note(connection, run, "suppressed", "recipient-1")
        over = iso_utc(NOW) if state in OVER else None
        seal_run(connection, run, state=state.value, owner=None, finished_at=over)

    async def run():
        database = ledger.open()
        book = LocalRunBook(database)
        pins = {"context": {"greeting": "Dear Zahra"}, "channel": {"name": "sms"}}
        record = await book.draft("eid", "eid.yaml", {})
        counts = Counts(rows=2, pending=1, skipped={"invalid": 1}, batches=1)
        draft = Draft('[[{"first_name": "Dear Zahra"}, ["recipient-1"]]]', 1)
        await book.add(record.id, [draft], [Skip(SkipReason.INVALID, [(2, " recipient-1")])], counts)
        await book.complete(record.id, pins, {}, counts)
        said = "recipient-1 quoted back"
        trouble = FailedAttempt(1, 0, iso_utc(NOW), "refused", 400, said, said)
        await book.claim(record.id).commit(Changes(failed_attempts=[trouble]), counts)
        await database.transact(partial(leave, run=record.id))
        await database.close()
        return counts

    return asyncio.run(run())


QUOTING = "SELECT pins FROM runs", "SELECT detail FROM run_journal", "SELECT explanation, answer FROM failed_attempts"


def rows_with_recipients(ledger):
    return [ledger.execute(f"SELECT count(*) FROM {table}")[0][0] for table in ("shards", "shard_statuses", "skips")]


@pytest.mark.parametrize("state", [RunState.FINISHED_WITH_ERRORS, RunState.CANCELLED])
def test_of_a_campaign_its_counts_are_kept(state, file_ledger):
    """Not its recipients and values, and nothing that quotes them: answers, the journal, the context."""
    counts = planned(file_ledger, state)
    assert forget_everything(file_ledger).campaigns == 1
    left = repr([file_ledger.execute(query) for query in QUOTING])
    assert "recipient-1" not in left
    assert "Dear Zahra" not in left
    assert rows_with_recipients(file_ledger) == [0, 0, 0]
    assert file_ledger.execute("SELECT counts FROM run_counts") == [(counts.dump(),)]


@pytest.mark.parametrize("state", [RunState.HALTED, RunState.PAUSED, RunState.INTERRUPTED])
def test_a_campaign_that_may_go_on_keeps_its_recipients(state, file_ledger):
    """However old it is; it is counted."""
    planned(file_ledger, state)
    purged = forget_everything(file_ledger)
    assert (purged.campaigns, purged.unfinished) == (0, 1)
    assert rows_with_recipients(file_ledger) == [1, 1, 1]
    assert "Dear Zahra" in file_ledger.execute("SELECT pins FROM runs")[0][0]


def test_a_damaged_run_is_not_sealed_anew(file_ledger):
    """As little as a message."""
    planned(file_ledger, RunState.FINISHED)
    file_ledger.execute("UPDATE runs SET file = 'other.yaml'")
    with pytest.raises(LedgerError) as caught:
        forget_everything(file_ledger)
    assert caught.value.code == "ledger_corrupt"
