"""Waits that end with a send's deadline, while the work goes on."""

import asyncio

import pytest

from metrix_channels.delivery import seconds_until, wait_at_most


async def _work(may, done):
    await may.wait()
    done.append(True)
    return "result"


def test_work_that_is_done_in_time_gives_its_result():
    """And what it raises is raised."""

    async def fail():
        raise KeyError("k")

    async def run():
        may = asyncio.Event()
        may.set()
        assert await wait_at_most(60, _work(may, [])) == "result"
        with pytest.raises(KeyError):
            await wait_at_most(60, fail())

    asyncio.run(run())


@pytest.mark.parametrize("late", ["timeout", "cancelled"])
def test_work_goes_on_when_nobody_waits_for_it_any_more(late):
    """Whether it took too long, or its caller was cancelled."""

    async def run():
        may, done = asyncio.Event(), []
        caller = asyncio.create_task(wait_at_most(0 if late == "timeout" else 60, _work(may, done)))
        if late == "cancelled":
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            caller.cancel()
        with pytest.raises(TimeoutError if late == "timeout" else asyncio.CancelledError):
            await caller
        may.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        assert done == [True]

    asyncio.run(run())


def test_a_deadline_in_the_past_leaves_no_seconds():
    """Never a negative number, which a wait would take amiss."""

    async def run():
        now = asyncio.get_running_loop().time()
        assert seconds_until(now - 5) == 0
        assert 0 < seconds_until(now + 5) <= 5

    asyncio.run(run())
