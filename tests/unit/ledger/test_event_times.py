"""Times of events: no two of one user are equal, and none is lost to what was certainly not sent."""

import asyncio
import time

import pytest

from metrix_channels.ledger import EventTimes, Wanted

AHEAD = 60_000
OLD = 1_700_000_000_000


def run(ledger, steps, ahead=AHEAD):
    """Run `steps(times)` over a ledger of its own opening."""

    async def opened():
        database = ledger.open()
        try:
            return await steps(EventTimes(database, ahead))
        finally:
            await database.close()

    return asyncio.run(opened())


def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture
def clock(monkeypatch):
    """Sets the wall clock, in Unix milliseconds."""

    def set_to(moment):
        monkeypatch.setattr(time, "time_ns", lambda: moment * 1_000_000)

    return set_to


def test_free_times_are_now_and_the_milliseconds_after(ledger, clock):
    """Later ones follow the last, also in another process; another user's begin at now."""
    clock(OLD)

    async def steps(times):
        return await times.take([Wanted("a", [None] * 3), Wanted("b", [None])])

    assert run(ledger, steps) == [[OLD, OLD + 1, OLD + 2], [OLD]]
    assert run(ledger, steps) == [[OLD + 3, OLD + 4, OLD + 5], [OLD + 1]]
    clock(OLD + 1000)
    assert run(ledger, steps) == [[OLD + 1000, OLD + 1001, OLD + 1002], [OLD + 1000]]


def test_a_given_time_that_the_user_has_is_not_given_again(ledger):
    """Nor twice in one call; another user may have it."""

    async def steps(times):
        first = await times.take([Wanted("a", [OLD, None, OLD])])
        await times.settle([("a", OLD)], [], [])
        return first, await times.take([Wanted("a", [OLD, OLD + 1]), Wanted("b", [OLD])])

    [[old, free, twice]], again = run(ledger, steps)
    assert (old, twice) == (OLD, None)
    assert abs(free - now_ms()) < 5000
    assert again == [[None, OLD + 1], [OLD]]


def test_a_time_under_way_is_taken(ledger):
    """Another task of this process sends it right now."""

    async def steps(times):
        await times.take([Wanted("a", [OLD])])
        return await times.take([Wanted("a", [OLD])])

    assert run(ledger, steps) == [[None]]


def test_a_time_of_a_dead_process_is_taken_over(ledger):
    """Nobody knows whether its event left: sent again it does no harm, since Metrix drops the second."""

    async def die(times):
        await times.take([Wanted("a", [OLD])])

    async def again(times):
        return await times.take([Wanted("a", [OLD])])

    run(ledger, die)
    assert run(ledger, again) == [[OLD]]


def test_a_doubtful_time_goes_to_the_same_event_alone(ledger, clock):
    """Given, it is granted; free times keep clear of it."""
    clock(OLD)

    async def steps(times):
        await times.take([Wanted("a", [None])])
        await times.settle([], [("a", OLD)], [])
        return await times.take([Wanted("a", [None])]), await times.take([Wanted("a", [OLD])])

    assert run(ledger, steps) == ([[OLD + 1]], [[OLD]])


def test_a_freed_time_is_free(ledger, clock):
    """Its event was certainly not taken."""
    clock(OLD)

    async def steps(times):
        await times.take([Wanted("a", [OLD - 5])])
        await times.settle([], [], [("a", OLD - 5)])
        return await times.take([Wanted("a", [OLD - 5])])

    assert run(ledger, steps) == [[OLD - 5]]


def test_no_free_time_lies_more_than_a_minute_ahead(ledger, clock):
    """Then there is none for now, and nothing of the call was taken; later there is."""
    clock(OLD)

    async def steps(times):
        return await times.take([Wanted("a", [None] * 50)]), await times.take(
            [Wanted("b", [None]), Wanted("a", [None] * 60)]
        )

    first, second = run(ledger, steps, ahead=100)
    assert first[0][-1] == OLD + 49
    assert second is None
    clock(OLD + 10)
    assert run(ledger, lambda times: times.take([Wanted("b", [None])])) == [[OLD + 10]]
    assert run(ledger, lambda times: times.take([Wanted("a", [None] * 60)]), ahead=100) == [
        list(range(OLD + 50, OLD + 110))
    ]


def test_a_clock_that_went_back_does_not_stop_the_events(ledger, clock):
    """What was taken a year ahead by mistake blocks those milliseconds alone."""
    year = 365 * 86_400_000
    clock(OLD + year)
    run(ledger, lambda times: times.take([Wanted("a", [None] * 2)]))
    clock(OLD)
    assert run(ledger, lambda times: times.take([Wanted("a", [None])])) == [[OLD]]
    clock(OLD + year - 1)
    assert run(ledger, lambda times: times.take([Wanted("a", [None] * 2)])) == [[OLD + year + 2, OLD + year + 3]]


def test_a_minute_that_is_partly_taken_is_filled(ledger, clock):
    """A given time near the limit does not use up what lies before it."""
    clock(OLD)
    run(ledger, lambda times: times.take([Wanted("a", [OLD + 100])]), ahead=100)
    assert run(ledger, lambda times: times.take([Wanted("a", [None] * 3)]), ahead=100) == [[OLD, OLD + 1, OLD + 2]]


def test_the_ledger_does_not_name_the_users(ledger):
    """A digest with the ledger's own salt stands for them."""
    run(ledger, lambda times: times.take([Wanted("user-42", [None])]))
    [(user,)] = ledger.execute('SELECT "user" FROM event_times')
    assert b"user-42" not in user
    assert len(user) == 16


def test_processes_that_ask_at_once_are_given_different_times(ledger):
    """Of two equal ones Metrix would drop an event, behind a 200."""

    async def asked():
        databases = [ledger.open() for _ in range(2)]
        books = [EventTimes(database, AHEAD) for database in databases]
        await books[0].take([Wanted("b", [None])])
        taken = await asyncio.gather(*(book.take([Wanted("a", [None] * 5)]) for book in books * 10))
        for database in databases:
            await database.close()
        return [moment for [moments] in taken for moment in moments]

    given = asyncio.run(asked())
    assert len(set(given)) == len(given) == 100


def test_a_doubt_is_written_down_at_once(ledger):
    """And a time that is free again, for others to use; what Metrix has comes with whatever is written next."""

    def owners():
        return [owner for (owner,) in ledger.execute("SELECT owner FROM event_times ORDER BY time")]

    async def steps(times):
        [moments] = await times.take([Wanted("a", [OLD, OLD + 1, OLD + 2])])
        taken, doubtful, freed = (("a", moment) for moment in moments)
        await times.settle([taken], [], [])
        assert None not in owners()
        await times.settle([], [doubtful], [freed])
        assert owners() == [None, ""]

    run(ledger, steps)
