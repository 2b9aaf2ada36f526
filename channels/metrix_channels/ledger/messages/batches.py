"""The messages of campaigns.

There is no index on recipients: the stored ids of a million recipients are searched in 0.2 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ...outcomes import SentMessage
from ..database import Connection
from ..runs.batches import last_change, states_of
from ..runs.records import COUNTED, RunRecord
from ..runs.shards import read_shards
from .wanted import Wanted


def find_shards(connection: Connection, record: RunRecord, wanted: Wanted) -> list[tuple[datetime, int]]:
    """Return shards that may contain a wanted message, each with the time of its newest message."""
    states = {state for state, outcome in COUNTED.items() if outcome and wanted.outcome in (None, outcome)}
    found = []
    for shard, statuses in connection.execute("SELECT shard, statuses FROM shard_statuses WHERE run = ?", (record.id,)):
        if not states.isdisjoint(states_of(statuses)):
            at = max(record.started_at, datetime.fromtimestamp(last_change(statuses), UTC))
            if wanted.since is None or at >= wanted.since:
                found.append((at, int(shard)))
    return found


def read_messages(
    connection: Connection, record: RunRecord, shards: Sequence[int], recipient: str | None
) -> Iterator[SentMessage]:
    """Yield the messages of some shards of a run; with a recipient, only of shards that contain it.

    A message that was not sent yet has the start time of its run.

    Raises:
        LedgerError: ledger_corrupt.
    """
    channel, template = record.pins["channel"]["name"], record.pins["template"]["name"]
    for shard in read_shards(connection, record.id, shards, recipient):
        for batch in shard.taken():
            outcome = COUNTED[batch.state]
            if outcome is None or (recipient is not None and recipient not in batch.recipients):
                continue
            at = datetime.fromtimestamp(batch.at, UTC) if batch.at else record.started_at
            for each in batch.recipients:
                yield SentMessage(at, each, channel, template, record.name, None, outcome, batch.attempts, batch.name)
