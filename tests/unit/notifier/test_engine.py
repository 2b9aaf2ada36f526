"""The engine, in one event loop after the other."""

import asyncio
from contextlib import suppress

from metrix_channels.config import ConfigFile
from metrix_channels.delivery import Part
from metrix_channels.notifier.engine import Engine
from metrix_channels.templating import Templates


class Hanging:
    """A journal whose ledger never answers."""

    async def intend(self, recipients):
        await asyncio.Event().wait()


async def post(recipients, seconds):
    raise AssertionError("nothing may be sent without an intent")


def test_a_deadline_ends_a_wait_in_a_second_event_loop(metrix_config):
    """Also of events and of the outbox, which begin with a delivery: the first loop's timer does not serve them."""
    file = ConfigFile(metrix_config())
    config = file.current()
    engine = Engine(file, config, Templates(config.templates))

    async def end_in_time():
        delivery = engine.delivery(post, Hanging(), channel=None)
        [result] = await delivery.run([Part(("u1",))], asyncio.get_running_loop().time() + 0.2)
        return result.problem.code

    async def leave_early():
        delivery = engine.delivery(post, Hanging(), channel=None)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await delivery.run([Part(("u1",))], asyncio.get_running_loop().time() + 0.1)

    async def finish():
        async with asyncio.timeout(60):
            return await end_in_time()

    asyncio.run(leave_early())
    assert asyncio.run(finish()) == "deadline_passed"
