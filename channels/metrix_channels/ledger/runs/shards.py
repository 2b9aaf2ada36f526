"""Shards and their statuses in SQL: the plan writes them, the dispatch updates them, the report reads them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from json import JSONEncoder
from typing import Final

from ...errors import LedgerError
from ..database import Connection
from .batches import Shard, ShardStatus, has_sending, new_statuses
from .records import Counts, Draft, FailedAttempt, Skip, SkipReason
from .transitions import Transition

_QUICKLY: Final = 1
_ENCODE: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_SHARDS: Final = (
    "SELECT p.id, p.canary, p.batches, p.checksum, m.statuses, m.checksum"
    " FROM shard_statuses m JOIN shards p ON p.id = m.shard "
)


def add_drafts(connection: Connection, run: int, drafts: Sequence[Draft]) -> list[tuple[int, Draft]]:
    """Add shards; return each with its id."""
    if not drafts:
        return []
    now = int(connection.time())
    added = list(zip(connection.next_ids("shards", len(drafts)), drafts, strict=True))
    shards, statuses = [], []
    for shard, draft in added:
        batches = _compress(draft.batches)
        shards.append((shard, run, int(draft.canary), batches, sum_of(run, batches)))
        new = _statuses_of(draft)
        statuses.append((shard, run, int(draft.canary), 1, now, new, sum_of(shard, new)))
    connection.load("shards", ("id", "run", "canary", "batches", "checksum"), shards)
    connection.load("shard_statuses", ("shard", "run", "canary", "open", "changed", "statuses", "checksum"), statuses)
    return added


def read_canary(connection: Connection, run: int) -> Iterator[Shard]:
    """Yield the canary shards of a run, including those with split batches.

    Raises:
        LedgerError: ledger_corrupt.
    """
    for row in connection.execute(f"{_SHARDS}WHERE m.run = ? AND m.canary = 1 ORDER BY m.shard", (run,)).fetchall():
        yield shard_of(row, run)


def opened(shard: int, draft: Draft) -> Shard:
    """Return the shard of a new draft."""
    return Shard.opened(shard, draft.canary, json.loads(draft.batches), _statuses_of(draft))


def write_statuses(connection: Connection, changed_statuses: Sequence[ShardStatus]) -> None:
    """Write the statuses of some shards."""
    now = int(connection.time())
    connection.executemany(
        "UPDATE shard_statuses SET open = ?, changed = ?, statuses = ?, checksum = ? WHERE shard = ?",
        [
            (int(each.is_open), now, each.statuses, sum_of(each.shard, each.statuses), each.shard)
            for each in changed_statuses
        ],
    )


def settle(
    connection: Connection, shards: Iterable[Shard], transition: Transition, counts: Counts
) -> list[ShardStatus]:
    """Change the state of batches that no process sends; return the changed shards.

    Args:
        connection: a transaction.
        shards: the shards to change.
        transition: changes the batches of one shard.
        counts: updated with the batches.
    """
    changed = []
    for shard in shards:
        before = bytes(shard.statuses)
        transition(shard, counts)
        if shard.statuses != before:
            changed.append(ShardStatus.of(shard))
            write_statuses(connection, changed[-1:])
    return changed


def add_skips(connection: Connection, run: int, skips: Sequence[Skip]) -> None:
    """Add skipped rows."""
    if not skips:
        return
    texts = [(skip.reason.value, _ENCODE(skip.rows)) for skip in skips]
    rows = [(run, reason, text, sum_of(run, text.encode())) for reason, text in texts]
    connection.load("skips", ("run", "reason", "rows", "checksum"), rows)


def add_failed_attempts(connection: Connection, run: int, failed_attempts: Sequence[FailedAttempt]) -> None:
    """Add failed attempts."""
    connection.executemany(
        "INSERT INTO failed_attempts (run, shard, slot, at, disposition, status, explanation, answer)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (run, each.shard, each.slot, each.at, each.disposition, each.status, each.explanation, each.answer)
            for each in failed_attempts
        ],
    )


def read_open(connection: Connection, run: int, after: int, limit: int, *, canary: bool) -> list[Shard]:
    """Return the next shards that have a batch without an outcome."""
    rows = connection.execute(
        _SHARDS + "WHERE m.run = ? AND m.open = 1 AND m.canary = ? AND m.shard > ? ORDER BY m.shard LIMIT ?",
        (run, int(canary), after, limit),
    ).fetchall()
    return [shard_of(row, run) for row in rows]


def read_all(connection: Connection, run: int, after: int, limit: int, since: int = 0) -> list[Shard]:
    """Return the next shards of a run in any state that changed at `since` or later."""
    rows = connection.execute(
        _SHARDS + "WHERE m.run = ? AND m.shard > ? AND m.changed >= ? ORDER BY m.shard LIMIT ?",
        (run, after, since, limit),
    ).fetchall()
    return [shard_of(row, run) for row in rows]


def read_shards(connection: Connection, run: int, numbers: Sequence[int], recipient: str | None) -> list[Shard]:
    """Return some shards of a run; with a recipient, only shards that may contain it.

    The recipient is searched in the stored text, because decoding a million recipients takes twenty times as long.

    Raises:
        LedgerError: ledger_corrupt.
    """
    rows = connection.execute(
        _SHARDS + f"WHERE m.run = ? AND m.shard IN ({', '.join('?' * len(numbers))})", (run, *numbers)
    )
    if recipient is None:
        return [shard_of(row, run) for row in rows]
    name, found = _ENCODE(recipient).encode(), []
    for row in rows:
        require_intact(row[3] == sum_of(run, row[2]), f"shard {row[0]}")  # a damaged shard could hide the recipient
        if name in zlib.decompress(row[2]):
            found.append(shard_of(row, run))
    return found


def interrupted_shards(connection: Connection, run: int) -> Iterator[Shard]:
    """Yield the shards with a batch that has an intent but no outcome."""
    return (shard for shard in open_shards(connection, run) if has_sending(shard.statuses))


def open_shards(connection: Connection, run: int) -> Iterator[Shard]:
    """Yield the shards with a batch that has no outcome yet."""
    return in_turn(connection, run, "AND m.open = 1")


def every_shard(connection: Connection, run: int) -> Iterator[Shard]:
    """Yield all shards of a run."""
    return in_turn(connection, run, "")


def in_turn(connection: Connection, run: int, condition: str) -> Iterator[Shard]:
    """Yield the shards of a run that meet an SQL condition, one at a time."""
    after = 0
    while row := connection.execute(
        _SHARDS + f"WHERE m.run = ? {condition} AND m.shard > ? ORDER BY m.shard LIMIT 1", (run, after)
    ).fetchone():
        yield shard_of(row, run)
        after = row[0]


def read_skips(connection: Connection, run: int, after: int, limit: int) -> list[tuple[int, Skip]]:
    """Return the next skipped rows, with the position to continue from."""
    rows = connection.execute(
        "SELECT id, reason, rows, checksum FROM skips WHERE run = ? AND id > ? ORDER BY id LIMIT ?", (run, after, limit)
    ).fetchall()
    found = []
    for number, reason, text, expected in rows:
        require_intact(expected == sum_of(run, text.encode()), f"skipped rows of the run {run}")
        found.append((int(number), Skip(SkipReason(reason), [(row, recipient) for row, recipient in json.loads(text)])))
    return found


def shard_of(row: tuple[int, int, bytes, int, bytes, int], run: int) -> Shard:
    """Return the shard of a database row.

    Raises:
        LedgerError: ledger_corrupt.
    """
    shard, canary, batches, expected, statuses, expected_of_marks = row
    require_intact(expected == sum_of(run, batches), f"shard {shard}")
    require_intact(expected_of_marks == sum_of(shard, statuses), f"the statuses of shard {shard}")
    contents: list[tuple[dict[str, object], list[str]]] = json.loads(zlib.decompress(batches))
    return Shard.opened(shard, bool(canary), contents, statuses)


def sum_of(owner: int, content: bytes) -> int:
    """Return the checksum of a content that belongs to a row."""
    return zlib.crc32(content, owner & 0xFFFFFFFF)


def pack(contents: list[list[object]]) -> bytes:
    """Compress the batches of a shard, a list of [values, recipients], for storage."""
    return _compress(_ENCODE(contents))


def require_intact(intact: bool, what: str) -> None:
    """Refuse a row that has changed since it was written.

    Raises:
        LedgerError: ledger_corrupt.
    """
    if not intact:
        raise LedgerError(f"The ledger's record of {what} is damaged.", code="ledger_corrupt")


def _statuses_of(draft: Draft) -> bytes:
    return new_statuses(draft.count, flags=draft.flags, attempts=draft.attempts, at=draft.at)


def _compress(batches: str) -> bytes:
    return zlib.compress(batches.encode(), _QUICKLY)
