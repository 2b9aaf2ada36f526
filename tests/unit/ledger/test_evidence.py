"""Failed attempts are kept whole, within an age and a size."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from metrix_channels.errors import UsageError
from metrix_channels.ledger import Evidence, EvidenceBook


def evidence(name="a1", *, reference="send-1", at=None, request='{"recipients":["u1"]}'):
    return Evidence(
        id=name,
        began_at=at or datetime.now(UTC).replace(microsecond=0),
        seconds=0.25,
        reference=reference,
        path="/push",
        request=request,
        code="unavailable",
        explanation="Metrix answered 503.",
        status=503,
        answer="busy",
        lines=("one", "دو"),
    )


def kept(ledger, *some, days=30, size=1_000_000):
    """Keep some, and return the ids of those that are left, the newest first."""

    async def run():
        database = ledger.open()
        book = EvidenceBook(database, days=days, size=size)
        for each in some:
            book.keep(each)
        found = await book.recent()
        await database.close()
        return found

    return asyncio.run(run())


def found(ledger, name):
    async def run():
        database = ledger.open()
        try:
            return await EvidenceBook(database, days=30, size=1_000_000).find(name)
        finally:
            await database.close()

    return asyncio.run(run())


def test_what_was_kept_comes_back_as_it_was(ledger):
    """Request, answer, log lines, times."""
    one = evidence()
    assert kept(ledger, one) == [one]


def test_an_attempt_is_found_by_its_own_name_by_its_send_and_as_the_last(ledger):
    """Of several of one send or campaign the last one counts."""
    kept(ledger, evidence("a1", reference="x"), evidence("a2", reference="x"), evidence("a3", reference="y"))
    assert [found(ledger, name).id for name in ("a1", "x", None)] == ["a1", "a2", "a3"]


def test_what_is_not_there_is_said(ledger):
    """Whether or not there are others."""
    with pytest.raises(UsageError) as caught:
        found(ledger, None)
    assert caught.value.code == "attempt_missing"
    with pytest.raises(UsageError, match="'a9'"):
        found(ledger, "a9")


def test_the_old_are_forgotten(ledger):
    """After `keep_attempts.days`."""
    old = datetime.now(UTC) - timedelta(days=31)
    assert [each.id for each in kept(ledger, evidence("a1", at=old), evidence("a2"))] == ["a2"]


def test_beyond_a_size_the_oldest_go_first(ledger):
    """Looked at now and then, the first time at once."""
    kept(ledger, *(evidence(f"a{at}") for at in range(10)))
    left = [each.id for each in kept(ledger, evidence("b"), size=300)]
    assert left[0] == "b"
    assert 1 < len(left) < 8
    assert left[1:] == [f"a{at}" for at in range(9, 10 - len(left), -1)]
