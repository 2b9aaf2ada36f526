"""Rate limits that all processes of a ledger share: places one after the other, whatever the clocks do."""

import asyncio
import subprocess
import sys
import time

import pytest

from helpers.ledgers import WITH_HELPERS, database_at
from metrix_channels.ledger import RateLimits, SendBook


def paced(ledger, rate, times, patience=60.0):
    async def run():
        database = database_at(ledger.place)
        try:
            limit = RateLimits(database).limit(rate)
            booked = [await limit.book(patience) for _ in range(times)]
            return [booking and booking.seconds for booking in booked]
        finally:
            await database.close()

    return asyncio.run(run())


def test_a_rate_is_shared_by_all_processes(ledger):
    """Places are booked one after the other, whoever asks."""
    script = (
        "import asyncio, sys\n"
        "from metrix_channels.ledger import RateLimits\n"
        "from helpers.ledgers import database_at\n"
        "async def main():\n"
        "    limit = RateLimits(database_at(sys.argv[1])).limit(0.01)\n"
        "    print([await limit.book(3600.0) for _ in range(4)][-1].seconds)\n"
        "asyncio.run(main())\n"
    )
    theirs = subprocess.run(
        [sys.executable, "-c", script, ledger.place],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
        env=WITH_HELPERS,
    )
    assert float(theirs.stdout) == pytest.approx(300, abs=50)
    assert paced(ledger, 0.01, 4, 3600.0) == pytest.approx([400, 500, 600, 700], abs=50)


@pytest.mark.parametrize(("rate", "patience", "places"), [(1 / 3600, 60, 1), (1 / 60, 90, 2), (1 / 10, 200, 21)])
def test_a_place_beyond_the_callers_patience_is_not_booked(rate, patience, places, ledger):
    """However slow the rate, nobody goes early, and those who give up take nobody's place."""
    waits = paced(ledger, rate, places + 20, patience)
    assert waits[0] == 0
    assert None not in waits[:places]
    # Meanwhile a place or two may have come near.
    assert waits.count(None) >= 15
    assert max(wait for wait in waits if wait is not None) <= patience


@pytest.mark.parametrize("booked", [0.0, 1e12, 86_400.0 * 365])
def test_a_clock_that_began_anew_costs_no_wait(booked, file_ledger):
    """The wall clock is not asked; a place booked before the machine started again lies too far ahead to be real."""
    paced(file_ledger, 1.0, 1)
    file_ledger.execute(f"UPDATE rate_limits SET next = {(time.monotonic() if booked else 0.0) + booked}")
    assert paced(file_ledger, 1.0, 1) == [0]


def test_the_wall_clock_does_not_matter_to_the_rate(ledger, monkeypatch):
    """It jumps by a year, forwards and back, and the next place is a hundred seconds away."""
    paced(ledger, 0.01, 1, 3600.0)
    for year in (31_536_000, -31_536_000):
        monkeypatch.setattr(time, "time", lambda year=year: 1.8e9 + year)
        assert 0 < paced(ledger, 0.01, 1, 3600.0)[0] <= 200


def test_no_two_that_ask_at_once_get_one_place(ledger):
    """Ten seconds apart, so that it does not matter how long the asking takes."""

    async def run():
        mine, theirs = database_at(ledger.place), database_at(ledger.place)
        try:
            await SendBook(mine).check_writable()
            await SendBook(theirs).check_writable()
            limits = (RateLimits(mine).limit(1 / 10), RateLimits(theirs).limit(1 / 10)) * 8
            booked = await asyncio.gather(*(each.book(1_000.0) for each in limits))
            return [booking.seconds for booking in booked]
        finally:
            await mine.close()
            await theirs.close()

    places = [round(wait / 10) for wait in asyncio.run(run())]
    assert sorted(places) == list(range(16))


def test_a_place_that_is_given_back_goes_to_the_next_of_any_process(ledger):
    """The first of them that is free, and each once."""

    async def run():
        mine, theirs = database_at(ledger.place), database_at(ledger.place)
        try:
            limit, other = RateLimits(mine).limit(1 / 100), RateLimits(theirs).limit(1 / 100)
            booked = [await limit.book(3_600.0) for _ in range(4)]
            await limit.give_back(booked[2])
            await limit.give_back(booked[1])
            again = [await other.book(3_600.0) for _ in range(3)]
            return [each.place for each in booked], [each.place for each in again]
        finally:
            await mine.close()
            await theirs.close()

    booked, again = asyncio.run(run())
    assert again == [booked[1], booked[2], pytest.approx(booked[3] + 100)]
