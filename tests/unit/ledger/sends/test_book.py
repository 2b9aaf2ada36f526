"""The book of sends: who may send under a key, what is on record, and a rate that processes share."""

import asyncio
import shutil
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from attrs import evolve

from helpers.command_line import eventually, wait_until
from helpers.ledgers import WITH_HELPERS, FileLedger, PostgresLedger
from metrix_channels.errors import LedgerError, problem
from metrix_channels.ledger import Busy, Claimed, Entry, Finished, KeyUsed, SendBook
from metrix_channels.outcomes import Outcome, Receipt

NOW = datetime(2026, 3, 20, 6, 30, tzinfo=UTC)


@asynccontextmanager
async def opened(ledger):
    """A book as a process of its own would hold it."""
    database = ledger.open()
    try:
        yield SendBook(database)
    finally:
        await database.close()


def entry(send="s1", key="k", content=b"text", recipients=("u1",), app_id="a"):
    return Entry(send, app_id, key, content, "sms", "otp", recipients, '{"body": "***"}')


def receipt(outcome=Outcome.ACCEPTED, recipients=("u1",), send="s1"):
    why = None if outcome is Outcome.ACCEPTED else problem("outcome_unknown", "It was so.")
    return Receipt(send, "sms", tuple(recipients), outcome, 1, 200, False, NOW, why)


async def attempt(book, disposition, recipients=("u1",), send="s1"):
    number = await book.intend(send, recipients)
    if disposition:
        said = f"Was {disposition}."
        await book.settle(send, number, recipients, disposition=disposition, status=200, explanation=said, answer="{}")


def test_an_intent_whose_caller_goes_away_during_the_commit_is_taken_back(file_ledger, monkeypatch):
    """Nothing left, so that no doubt stays: whoever calls next finds no attempt."""
    begun, go_on = threading.Event(), threading.Event()

    async def run():
        async with opened(file_ledger) as book:
            await book.claim(entry())
            own = book._own
            monkeypatch.setattr(book, "_own", lambda *given: (begun.set(), go_on.wait(60), own(*given))[-1])
            intent = asyncio.create_task(book.intend("s1", ("u1",)))
            await asyncio.to_thread(begun.wait, 60)
            intent.cancel()
            await asyncio.wait([intent])
            go_on.set()
            await book.abandon("s1")
            assert await book.claim(entry("s2")) == Claimed("s1")

    asyncio.run(run())
    assert file_ledger.execute("SELECT id FROM attempts") == []


def test_of_two_calls_one_sends_and_the_other_waits_for_its_receipt(ledger):
    """Two processes that ask at once never both send."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            assert await mine.claim(entry("s1")) == Claimed("s1")
            assert await theirs.claim(entry("s2")) == Busy()
            assert await mine.claim(entry("s3")) == Busy()
            await mine.finish("s1", [receipt()])
            assert await theirs.claim(entry("s2")) == Finished((receipt(),))

    asyncio.run(run())


def test_of_many_calls_at_once_one_may_send(ledger):
    """None of the others is told of an error: each waits for that one's receipt."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await mine.check_writable()
            await theirs.check_writable()
            calls = [
                book.claim(entry(f"s{at}{number}")) for at in range(8) for number, book in enumerate((mine, theirs))
            ]
            found = await asyncio.gather(*calls)
            assert sum(isinstance(each, Claimed) for each in found) == 1
            assert found.count(Busy()) == len(found) - 1

    asyncio.run(run())


def test_who_takes_a_send_up_sees_the_last_word_of_its_owner(postgres_url):
    """The owner, taken for dead, writes its outcome at that moment: its receipt stands, and nothing is sent again."""
    ledger = PostgresLedger(postgres_url)
    row = "state, owner, receipts, checksum"

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await mine.claim(entry("s1"))
            [left_open] = ledger.execute(f"SELECT {row} FROM sends")
            await mine.finish("s1", [receipt()])
            [settled] = ledger.execute(f"SELECT {row} FROM sends")
            ledger.take_everybody_for_dead()
            set_to = f"UPDATE metrix_channels.sends SET ({row}) = (%s, %s, %s, %s)"
            with psycopg.connect(postgres_url, autocommit=True) as owner, psycopg.connect(postgres_url) as look:
                owner.execute(set_to, left_open)
                with owner.transaction():
                    owner.execute("SELECT pg_advisory_xact_lock(hashtextextended('metrix_channels send s1', 0))")
                    takes_up = asyncio.create_task(theirs.claim(entry("s2")))
                    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                    await asyncio.to_thread(wait_until, lambda: takes_up.done() or look.execute(waiting).fetchall())
                    owner.execute(set_to, settled)
                assert await takes_up == Finished((receipt(),))

    asyncio.run(run())


def test_a_key_stands_for_one_content_in_one_application(ledger):
    """Other content is an error, whatever became of the first; another application has keys of its own."""

    async def run():
        async with opened(ledger) as book:
            await book.claim(entry("s1"))
            with pytest.raises(LedgerError) as caught:
                await book.claim(entry("s2", content=b"other"))
            assert caught.value.code == "key_reused"
            await book.finish("s1", [receipt()])
            with pytest.raises(LedgerError) as caught:
                await book.claim(entry("s2", content=b"other"))
            assert caught.value.code == "key_reused"
            assert await book.claim(entry("s3", app_id="b", content=b"other")) == Claimed("s3")

    asyncio.run(run())


def test_what_was_not_sent_frees_the_key(ledger):
    """Also for another content; what happened stays on record."""

    async def run():
        async with opened(ledger) as book:
            await book.claim(entry("s1"))
            await attempt(book, "not_taken")
            await book.finish("s1", [receipt(Outcome.NOT_SENT)])
            assert await book.claim(entry("s2", content=b"other")) == Claimed("s2")

    asyncio.run(run())
    assert ledger.execute("SELECT id, key, state FROM sends ORDER BY id") == [
        ("s1", None, "settled"),
        ("s2", "k", "open"),
    ]
    assert ledger.execute("SELECT send, disposition FROM attempts") == [("s1", "not_taken")]


def test_only_those_not_sent_are_taken_up_later(ledger):
    """What the first call settled, an unknown among it, stands as its receipts say."""
    people = ("u1", "u2", "u3")

    async def run():
        async with opened(ledger) as book:
            await book.claim(entry("s1", recipients=people))
            done = [receipt(Outcome.ACCEPTED, ("u1",)), receipt(Outcome.UNKNOWN, ("u3",))]
            await book.finish("s1", [*done, receipt(Outcome.NOT_SENT, ("u2",))])
            claim = await book.claim(entry("s2", recipients=people))
            assert (claim.id, claim.settled, claim.still_open(people)) == ("s1", tuple(done), ("u2",))
            await book.finish("s1", [*done, receipt(recipients=("u2",))])
            assert isinstance(await book.claim(entry("s3", recipients=people)), Finished)

    asyncio.run(run())


def test_what_a_dead_process_left_is_taken_up_with_its_attempts(ledger):
    """The intent without an end among them."""
    script = (
        "import asyncio, os, sys\n"
        "from metrix_channels.ledger import Entry, SendBook\n"
        "from helpers.ledgers import database_at\n"
        "async def main():\n"
        "    book = SendBook(database_at(sys.argv[1]))\n"
        "    await book.claim(Entry('s1', 'a', 'k', b'text', 'sms', 'otp', ('u1',), None))\n"
        "    await book.intend('s1', ('u1',))\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script, ledger.place], check=False, timeout=60, env=WITH_HELPERS)
    ledger.take_everybody_for_dead()  # a lease would run out by itself, in a while

    async def run():
        async with opened(ledger) as book:
            return await book.claim(entry("s2"))

    claim = asyncio.run(run())
    assert claim.id == "s1"
    [past] = claim.past
    assert (past.recipients, past.disposition, past.ended_at) == (("u1",), None, None)
    assert "process ended" in past.explanation


def test_a_process_taken_for_dead_may_not_go_on(ledger):
    """Its lock gone, another took the send up: no further intent, and no word over the other's outcome."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await mine.claim(entry("s1"))
            ledger.take_everybody_for_dead()
            assert await theirs.claim(entry("s2")) == Claimed("s1")
            await attempt(theirs, None)
            for late in (mine.intend("s1", ("u1",)), mine.finish("s1", [receipt()]), mine.abandon("s1")):
                with pytest.raises(LedgerError) as caught:
                    await late
                assert caught.value.code == "key_busy"
            await theirs.finish("s1", [receipt(Outcome.UNKNOWN)])
            assert await theirs.claim(entry("s3")) == Finished((receipt(Outcome.UNKNOWN),))

    asyncio.run(run())
    assert len(ledger.execute("SELECT 1 FROM attempts")) == 1


def test_a_call_given_up_frees_its_key_for_the_next(ledger):
    """In this process and in another."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await mine.claim(entry("s1"))
            await attempt(mine, "ambiguous")
            await mine.abandon("s1")
            claim = await theirs.claim(entry("s2"))
            assert [past.disposition for past in claim.past] == ["ambiguous"]

    asyncio.run(run())


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
def test_a_claim_that_is_cancelled_does_not_keep_its_key(after, ledger):
    """The transaction under way goes on without its caller, and would claim the key for nobody."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            await theirs.check_writable()
            await mine.check_writable()
            with ledger.locked():
                asked = asyncio.create_task(mine.claim(entry("s1")))
                await asyncio.sleep(after)
                asked.cancel()
                await asyncio.sleep(0.02)
            with pytest.raises(asyncio.CancelledError):
                await asked
            assert isinstance(await theirs.claim(entry("s2")), Claimed)

    asyncio.run(run())


@pytest.mark.parametrize("last", ["finish", "abandon"])
def test_the_last_word_that_cannot_be_written_now_is_written_later(last, file_ledger):
    """A ledger that was locked or full for a moment does not keep the key busy for as long as the process lives."""

    async def run():
        async with opened(file_ledger) as mine, opened(file_ledger) as theirs:
            await mine.claim(entry("s1"))
            with file_ledger.moved_away(), pytest.raises(LedgerError):
                await (mine.finish("s1", [receipt()]) if last == "finish" else mine.abandon("s1"))
            await mine.check_writable()
            claim = await theirs.claim(entry("s2"))
            assert claim == (Finished((receipt(),)) if last == "finish" else Claimed("s1"))

    asyncio.run(run())


def test_an_outcome_is_not_written_over_another_owners_send(ledger):
    """Who was frozen after his request does not take the send from who took it up."""

    async def run():
        async with opened(ledger) as book:
            book.open(entry("s1"))
            await attempt(book, "ambiguous")
            ledger.execute("UPDATE sends SET owner = 'somebody'")
            with pytest.raises(LedgerError):
                await book.finish("s1", [receipt()])

    asyncio.run(run())
    assert ledger.execute("SELECT owner, state FROM sends") == [("somebody", "open")]


def test_an_acceptance_is_written_with_what_follows_it(ledger):
    """One commit for the answer and the receipt; a refusal or a doubt is on disk at once."""

    async def run():
        async with opened(ledger) as book:
            await book.claim(entry("s1"))
            await attempt(book, "ambiguous")
            assert ledger.execute("SELECT disposition FROM attempts") == [("ambiguous",)]
            await attempt(book, "accepted")
            assert ledger.execute("SELECT disposition FROM attempts") == [("ambiguous",), (None,)]
            await book.finish("s1", [receipt()])
            assert ledger.execute("SELECT disposition FROM attempts") == [("ambiguous",), ("accepted",)]

    asyncio.run(run())


def test_a_send_without_a_key_is_on_record_with_its_first_intent(ledger):
    """And one that ended without an attempt is, with its outcome."""

    async def run():
        async with opened(ledger) as book:
            assert book.open(entry("s1", key=None)) == Claimed("s1")
            assert book.open(entry("s2", key=None)) == Claimed("s2")
            await attempt(book, "accepted")
            assert ledger.execute("SELECT id, key, state FROM sends") == [("s1", None, "open")]
            await book.finish("s1", [receipt()])
            await book.finish("s2", [receipt(Outcome.NOT_SENT, send="s2")])

    asyncio.run(run())
    assert ledger.execute("SELECT id, state, owner FROM sends") == [("s1", "settled", None), ("s2", "settled", None)]


def test_an_opened_send_claims_its_key_with_its_first_intent(ledger):
    """One commit for both: before it, the key is free; after it, others see the send and its attempt."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            assert mine.open(entry("s1")) == Claimed("s1")
            await mine.check_writable()
            assert ledger.execute("SELECT id FROM sends") == []
            await mine.intend("s1", ("u1",))
            assert ledger.execute("SELECT sends.id, key, send FROM sends, attempts") == [("s1", "k", "s1")]
            assert await theirs.claim(entry("s2")) == Busy()
            await mine.finish("s1", [receipt()])
            assert await theirs.claim(entry("s2")) == Finished((receipt(),))

    asyncio.run(run())


@pytest.mark.parametrize("step", ["intend", "finish"])
def test_an_opened_send_whose_key_was_used_writes_nothing(step, ledger):
    """Of two calls that opened the same key, one gets its intent; the other learns of it and may claim."""

    async def run():
        async with opened(ledger) as mine, opened(ledger) as theirs:
            mine.open(entry("s1"))
            theirs.open(entry("s2"))
            await attempt(mine, "accepted")
            with pytest.raises(KeyUsed):
                await (
                    theirs.intend("s2", ("u1",))
                    if step == "intend"
                    else theirs.finish("s2", [receipt(Outcome.NOT_SENT, send="s2")])
                )
            await mine.finish("s1", [receipt()])
            assert ledger.execute("SELECT id FROM sends") == [("s1",)]
            assert ledger.execute("SELECT send FROM attempts") == [("s1",)]
            assert await theirs.claim(entry("s2")) == Finished((receipt(),))

    asyncio.run(run())


def test_opened_sends_of_one_key_do_not_disturb_others_in_their_transaction(ledger):
    """One of them sends; those with other keys, which share its commit, send as well."""

    async def run():
        async with opened(ledger) as book:
            await book.check_writable()
            names = [f"s{number}" for number in range(12)]
            for number, name in enumerate(names):
                book.open(entry(name, key="same" if number % 2 else name))
            found = await asyncio.gather(*(book.intend(name, ("u1",)) for name in names), return_exceptions=True)
            assert sum(isinstance(each, KeyUsed) for each in found) == 5
            assert sum(isinstance(each, int) for each in found) == 7

    asyncio.run(run())
    assert ledger.execute("SELECT count(*) FROM sends") == [(7,)]
    assert ledger.execute("SELECT count(*) FROM attempts") == [(7,)]


def test_an_acceptance_that_is_written_twice_harms_nobody(file_ledger):
    """The file was moved away as it was committed, so that it counted as lost, and came back."""

    async def run():
        async with opened(file_ledger) as book:
            book.open(entry("s1"))
            await attempt(book, "accepted")
            away = Path(f"{file_ledger.place}.away")
            with pytest.raises(LedgerError):
                await book._database.transact(lambda _: Path(file_ledger.place).rename(away))
            away.rename(file_ledger.place)
            await book.finish("s1", [receipt()])
            await book.check_writable()

    asyncio.run(run())
    assert file_ledger.execute("SELECT state FROM sends") == [("settled",)]
    assert file_ledger.execute("SELECT disposition FROM attempts") == [("accepted",)]


@asynccontextmanager
async def left_during_its_commit(book, monkeypatch):
    """An opened send whose caller goes away during the commit of its first intent.

    The commit ends with the event in the block, or with the block.
    """
    commits, begun, go_on = book._database._commits, threading.Event(), threading.Event()
    commit, slow = commits._commit, [True]

    def slowly(group):
        commit(group)
        if slow and slow.pop():
            begun.set()
            go_on.wait(60)

    with monkeypatch.context() as changed:
        changed.setattr(commits, "_commit", slowly)
        intent = asyncio.create_task(book.intend("s1", ("u1",)))
        await asyncio.to_thread(begun.wait, 60)
        intent.cancel()
        await asyncio.wait([intent])
        try:
            yield go_on
        finally:
            go_on.set()


async def end_during_the_commit(book, key, monkeypatch, end, *, is_over):
    """Open a send, and end it after its caller left during the commit; `is_over`: the commit has ended before."""
    await book.check_writable()
    book.open(entry(key=key))
    async with left_during_its_commit(book, monkeypatch) as go_on:
        if is_over:
            go_on.set()
            await eventually(lambda: not book._unwritten)
        ended = asyncio.create_task(end())
        await asyncio.sleep(0)
    await ended
    # In PostgreSQL, the caller that left may get its answer after that.
    await eventually(lambda: book._database._commits.is_idle)


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize("is_over", [False, True])
def test_an_opened_send_that_is_abandoned_during_the_commit_leaves_no_doubt(is_over, key, ledger, monkeypatch):
    """Its key is free again, even while the process lives and writes nothing else."""

    async def run():
        async with opened(ledger) as book, opened(ledger) as theirs:
            await end_during_the_commit(book, key, monkeypatch, lambda: book.abandon("s1"), is_over=is_over)
            if ledger.backend == "postgresql" and not is_over:  # whose transactions do not wait for each other
                await book.check_writable()
            claimed = await theirs.claim(entry("s2"))
            assert isinstance(claimed, Claimed)
            assert claimed.past == ()
            await book.check_writable()
            assert ledger.execute("SELECT id FROM attempts") == []

    asyncio.run(run())


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize("is_over", [False, True])
def test_an_opened_send_that_is_finished_during_the_commit_is_on_record(is_over, key, ledger, monkeypatch):
    """Its deadline passed while the disk was slow: nothing was sent, and neither its own row nor a lack of it harms."""

    async def run():
        async with opened(ledger) as book, opened(ledger) as theirs:
            not_sent = [receipt(Outcome.NOT_SENT)]
            await end_during_the_commit(book, key, monkeypatch, lambda: book.finish("s1", not_sent), is_over=is_over)
            await book.check_writable()
            assert ledger.execute("SELECT id, key, state, owner FROM sends") == [("s1", None, "settled", None)]
            assert ledger.execute("SELECT id FROM attempts") == []
            assert await theirs.claim(entry("s2")) == Claimed("s2")

    asyncio.run(run())


def test_a_send_that_never_reached_the_ledger_leaves_nothing_behind(file_ledger):
    """While the ledger cannot be written, nothing piles up to be written later."""

    async def run():
        async with opened(file_ledger) as book:
            await book.check_writable()
            book.open(entry("s1", key=None))
            with file_ledger.moved_away(), pytest.raises(LedgerError):
                await book.intend("s1", ("u1",))
            await book.abandon("s1")
            await book.check_writable()

    asyncio.run(run())
    assert file_ledger.execute("SELECT * FROM sends") == []


FLIPS = {
    "a recipient's name": "UPDATE sends SET recipients = '[\"u3\"]'",
    "the state": "UPDATE sends SET state = 'settled', receipts = '[]'",
    "the owner": "UPDATE sends SET owner = 'someone'",
    "the fingerprint": "UPDATE sends SET fingerprint = salt.value FROM salt",
    "whom an attempt named": "UPDATE attempts SET recipients = '[\"u3\"]'",
    "what an attempt came to": "UPDATE attempts SET disposition = 'not_taken'",
    "the checksum itself": "UPDATE attempts SET checksum = checksum + 1",
}


@pytest.mark.parametrize("flip", FLIPS)
def test_a_changed_row_is_found_out_before_anybody_acts_on_it(flip, ledger):
    """SQLite's own check would not see it: the checksum does."""

    async def run(*steps):
        async with opened(ledger) as book:
            for step in steps:
                await step(book)

    asyncio.run(
        run(
            lambda book: book.claim(entry("s1", recipients=("u1", "u2"))),
            lambda book: attempt(book, "ambiguous"),
            lambda book: book.abandon("s1"),
        )
    )
    ledger.execute(FLIPS[flip])
    with pytest.raises(LedgerError) as caught:
        asyncio.run(run(lambda book: book.claim(entry("s2", recipients=("u1", "u2")))))
    assert caught.value.code == "ledger_corrupt"


@pytest.mark.parametrize("damage", ["UPDATE attempts SET recipients = '[\"u9\"]'", "DELETE FROM attempts"])
def test_an_attempt_that_changed_or_vanished_under_way_is_damage(damage, ledger):
    """Its end is not written over it."""

    async def run():
        async with opened(ledger) as book:
            await book.claim(entry("s1"))
            number = await book.intend("s1", ("u1",))
            ledger.execute(damage)
            with pytest.raises(LedgerError) as caught:
                await book.settle(
                    "s1", number, ("u1",), disposition="ambiguous", status=500, explanation="It broke.", answer=None
                )
            assert caught.value.code == "ledger_corrupt"

    asyncio.run(run())


def test_fingerprints_mean_nothing_outside_their_ledger(tmp_path):
    """Each ledger salts them: a list of guesses cannot be tried against one of them beforehand."""

    async def run(ledger):
        async with opened(ledger) as book:
            await book.claim(entry())

    found = set()
    for name in ("a.db", "b.db"):
        ledger = FileLedger(str(tmp_path / name))
        asyncio.run(run(ledger))
        found |= set(ledger.execute("SELECT fingerprint FROM sends"))
    assert len(found) == 2


def test_receipts_are_kept_as_they_were(ledger):
    """Every field of them, for a caller that comes much later."""
    kept = evolve(receipt(Outcome.UNKNOWN), possible_duplicate=True, attempts=3, status_code=None)

    async def run():
        async with opened(ledger) as book:
            await book.claim(entry("s1"))
            await book.finish("s1", [kept])
        async with opened(ledger) as book:
            return await book.claim(entry("s2"))

    assert asyncio.run(run()) == Finished((kept,))


def test_a_copy_of_a_ledger_cannot_be_written_to(file_ledger):
    """Who looks whether it can send is told at once, as is who sends: with a key or without."""

    async def refused(call):
        with pytest.raises(LedgerError) as caught:
            await call
        assert caught.value.code == "ledger_copied"

    async def run():
        async with opened(file_ledger) as book:
            await book.check_writable()
        copy = FileLedger(shutil.copy(file_ledger.place, file_ledger.place + ".copy"))
        async with opened(copy) as book:
            await refused(book.check_writable())
            await refused(book.claim(entry("s1")))
            book.open(evolve(entry("s2"), key=None))
            await refused(book.intend("s2", ("u1",)))

    asyncio.run(run())
    assert file_ledger.execute("SELECT 1 FROM sends") == []
