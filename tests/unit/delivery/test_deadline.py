"""Waits that end with a send's deadline, while the work goes on."""

import asyncio

import pytest

from metrix_channels.delivery import Deadlines, seconds_until, wait_at_most


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


def from_now(seconds):
    """The time on the event loop's clock."""
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize("ends", [-5, 0, 0.01])
def test_who_waits_beyond_a_deadline_gets_a_timeout(ends):
    """Also when it had passed already; the task is not left cancelled."""

    async def run():
        with pytest.raises(TimeoutError), Deadlines().until(from_now(ends)) as wait:
            await asyncio.Event().wait()
        assert wait.has_expired
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(run())


def test_each_of_many_waits_ends_at_its_own_deadline():
    """In whatever order they began, and while others end in time or are let go."""

    async def run():
        deadlines, ended, may = Deadlines(), [], asyncio.Event()

        async def wait(name, seconds, event, *, release=False):
            try:
                with deadlines.until(from_now(seconds)) as part:
                    if release:
                        part.release()
                    await event.wait()
            except TimeoutError:
                ended.append(name)
            else:
                ended.append(f"{name} in time")

        never = asyncio.Event()
        waits = [
            wait("third", 0.3, never), wait("first", 0.01, never), wait("second", 0.15, never),
            wait("released", 0.02, may, release=True), wait("hour", 3600, may),
        ]  # fmt: skip
        tasks = [asyncio.create_task(work) for work in waits]
        await asyncio.gather(*tasks[:3])
        may.set()
        await asyncio.gather(*tasks)
        return ended

    assert asyncio.run(run()) == ["first", "second", "third", "released in time", "hour in time"]


def test_a_cancellation_by_its_owner_stays_one():
    """Even when the deadline passes at the same moment."""

    async def run():
        deadlines, reached = Deadlines(), asyncio.Event()

        async def work(seconds):
            with deadlines.until(from_now(seconds)):
                reached.set()
                await asyncio.Event().wait()

        for seconds in (3600, 0):
            reached.clear()
            task = asyncio.create_task(work(seconds))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_another_timeout_within_is_told_apart():
    """`has_expired` says whose it was; an error that the cancellation met is passed on as it is."""

    async def fail_when_cancelled():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError("k") from None

    async def run():
        with pytest.raises(TimeoutError), Deadlines().until(from_now(3600)) as wait:
            raise TimeoutError
        assert not wait.has_expired
        with pytest.raises(KeyError), Deadlines().until(from_now(0)):
            await fail_when_cancelled()
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(run())


def test_waits_that_end_in_time_leave_one_timer_at_most():
    """Whatever their number; that is what they are for."""

    async def run():
        deadlines, loop = Deadlines(), asyncio.get_running_loop()
        asked, call_at = [], loop.call_at
        loop.call_at = lambda when, *rest: asked.append(when) or call_at(when, *rest)
        for _ in range(100):
            with deadlines.until(from_now(3600)):
                await asyncio.sleep(0)
        return len(asked)

    assert asyncio.run(run()) == 1
