"""What both kinds of ledger promise of a transaction, whoever waits for it."""

import asyncio
import threading

import pytest


def test_a_transaction_is_made_though_its_caller_no_longer_waits(ledger):
    """A caller that is cancelled while others use the ledger loses nothing that it asked to be written down."""

    async def run():
        database = ledger.open()
        await database.transact(lambda connection: connection.execute("UPDATE rate_limits SET next = 1"))
        begun, go_on = threading.Event(), threading.Event()

        def hold(_):
            begun.set()
            go_on.wait(60)

        # As many as a ledger's threads: the next one waits for its turn.
        holding = [asyncio.create_task(database.transact(hold)) for _ in range(4)]
        await asyncio.to_thread(begun.wait, 60)
        asked = asyncio.create_task(
            database.transact(lambda connection: connection.execute("UPDATE rate_limits SET next = 2"))
        )
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        go_on.set()
        await asyncio.gather(*holding)
        await database.close()

    asyncio.run(run())
    assert ledger.execute("SELECT next FROM rate_limits") == [(2.0,)]
