"""Shards and what became of them: damage is found out before anybody acts on it."""

import asyncio

import pytest

from metrix_channels.errors import LedgerError
from metrix_channels.ledger import Counts, Draft, LocalRunBook

EXCHANGED = {
    "what became of them": ("shard_statuses", "shard", "statuses"),
    "what is to be sent": ("shards", "id", "batches"),
}


@pytest.mark.parametrize("what", EXCHANGED)
def test_rows_that_changed_places_are_damaged(what, file_ledger):
    """Each as it was written, and in the other's place: one run's recipients would be sent what another says."""
    table, key, content = EXCHANGED[what]

    async def run(step):
        database = file_ledger.open()
        try:
            return await step(LocalRunBook(database))
        finally:
            await database.close()

    async def planned(book):
        for name in ("one", "two"):
            record = await book.draft(name, f"{name}.yaml", {})
            draft = Draft(f'[[{{}}, ["{name}"]]]', 1)
            await book.add(record.id, [draft], [], Counts(rows=1, pending=1, batches=1))

    async def read(book):
        return await book.shards(1)

    asyncio.run(run(planned))
    assert [batch.recipients for shard in asyncio.run(run(read)) for batch in shard.batches] == [["one"]]
    exchanged = ", ".join(
        f"{column} = (SELECT {column} FROM {table} AS other WHERE other.{key} = 3 - {table}.{key})"
        for column in (content, "checksum")
    )
    file_ledger.execute(f"UPDATE {table} SET {exchanged}")
    with pytest.raises(LedgerError) as caught:
        asyncio.run(run(read))
    assert caught.value.code == "ledger_corrupt"
