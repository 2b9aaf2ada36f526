"""Deletes the sensitive values of a run in the transaction that ends it.

A plan stores the values of each message, so that a run can be resumed and workers can send it. When the run ends, the
values that the template declares sensitive are replaced with null.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from typing import Any, Final

from ...outcomes import iso_utc
from ...process import wall_clock
from ..database import Connection
from .book import seal_run, sealed_run
from .records import SENSITIVE, VALUES_FORGOTTEN
from .shards import pack, require_intact, sum_of

_AT_ONCE: Final = 50
"""Shards in memory."""


def forget_sensitive_values(connection: Connection, run: int) -> bool:
    """Replace the sensitive values of a run with null, in its shards and in its pinned context.

    Args:
        connection: the transaction that ends the run.
        run: its id.

    Returns:
        Whether the run has sensitive values; a run without them is not changed.

    Raises:
        LedgerError: ledger_corrupt; nothing was changed.
    """
    row = sealed_run(connection, run)
    facts, pins = json.loads(row["facts"]), json.loads(row["pins"])
    names = frozenset(facts.get(SENSITIVE, ()))
    if not names or VALUES_FORGOTTEN in facts:
        return False
    for page in _pages(connection, run):
        for shard, batches, checksum in page:
            require_intact(checksum == sum_of(run, batches), f"shard {shard}")
    for page in _pages(connection, run):
        emptied = [(_without(batches, names), shard) for shard, batches, _ in page]
        connection.executemany(
            "UPDATE shards SET batches = ?, checksum = ? WHERE id = ?",
            [(batches, sum_of(run, batches), shard) for batches, shard in emptied],
        )
    pins["context"] = _nulled(pins["context"], names)
    facts[VALUES_FORGOTTEN] = iso_utc(wall_clock.now())
    seal_run(connection, run, pins=json.dumps(pins), facts=json.dumps(facts, ensure_ascii=False))
    return True


def _pages(connection: Connection, run: int) -> Iterator[list[tuple[int, bytes, int]]]:
    after = 0
    while page := connection.execute(
        "SELECT p.id, p.batches, p.checksum FROM shard_statuses m JOIN shards p ON p.id = m.shard"
        " WHERE m.run = ? AND m.shard > ? ORDER BY m.shard LIMIT ?",
        (run, after, _AT_ONCE),
    ).fetchall():
        yield page
        after = page[-1][0]


def _without(batches: bytes, names: Collection[str]) -> bytes:
    contents = json.loads(zlib.decompress(batches))
    return pack([[_nulled(values, names), recipients] for values, recipients in contents])


def _nulled(values: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: None if name in names else value for name, value in values.items()}
