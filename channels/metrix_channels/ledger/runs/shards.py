"""Parcels and their marks in SQL: written by the plan, read and marked by the dispatch, read again by the report."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from json import JSONEncoder
from typing import Final

from ...errors import LedgerError
from ..database import Connection
from .batches import Marked, Parcel, has_sending, new_marks
from .records import Draft, Skip, SkipReason, Tally, Trouble
from .transitions import Mark

_QUICKLY: Final = 1
_ENCODE: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_PARCELS: Final = (
    "SELECT p.id, p.canary, p.batches, p.checksum, m.marks, m.checksum FROM marks m JOIN parcels p ON p.id = m.parcel "
)


def add_drafts(connection: Connection, run: int, drafts: Sequence[Draft]) -> list[tuple[int, Draft]]:
    """Add parcels; return each with its id."""
    if not drafts:
        return []
    now = int(connection.time())
    added = list(zip(connection.next_ids("parcels", len(drafts)), drafts, strict=True))
    parcels, marks = [], []
    for parcel, draft in added:
        batches = zlib.compress(draft.batches.encode(), _QUICKLY)
        parcels.append((parcel, run, int(draft.canary), batches, sum_of(run, batches)))
        new = new_marks(draft.count, flags=draft.flags, attempts=draft.attempts)
        marks.append((parcel, run, int(draft.canary), 1, now, new, sum_of(parcel, new)))
    connection.load("parcels", ("id", "run", "canary", "batches", "checksum"), parcels)
    connection.load("marks", ("parcel", "run", "canary", "open", "changed", "marks", "checksum"), marks)
    return added


def opened(parcel: int, draft: Draft) -> Parcel:
    """Return a parcel that was just added."""
    marks = new_marks(draft.count, flags=draft.flags, attempts=draft.attempts)
    return Parcel.opened(parcel, draft.canary, json.loads(draft.batches), marks)


def write_marks(connection: Connection, marked: Sequence[Marked]) -> None:
    """Write what became of the batches of some parcels."""
    now = int(connection.time())
    connection.executemany(
        "UPDATE marks SET open = ?, changed = ?, marks = ?, checksum = ? WHERE parcel = ?",
        [(int(each.is_open), now, each.marks, sum_of(each.parcel, each.marks), each.parcel) for each in marked],
    )


def settle(connection: Connection, parcels: Iterable[Parcel], mark: Mark, tally: Tally) -> list[Marked]:
    """Bring batches that nobody sends into another state; return those parcels of which any changed.

    Args:
        connection: a transaction.
        parcels: to look at.
        mark: changes the batches of one parcel.
        tally: counts, which change with them.
    """
    changed = []
    for parcel in parcels:
        before = bytes(parcel.marks)
        mark(parcel, tally)
        if parcel.marks != before:
            changed.append(Marked.of(parcel))
            write_marks(connection, changed[-1:])
    return changed


def add_skips(connection: Connection, run: int, skips: Sequence[Skip]) -> None:
    """Add rows that are sent nothing."""
    if not skips:
        return
    texts = [(skip.reason.value, _ENCODE(skip.rows)) for skip in skips]
    rows = [(run, reason, text, sum_of(run, text.encode())) for reason, text in texts]
    connection.load("skips", ("run", "reason", "rows", "checksum"), rows)


def add_troubles(connection: Connection, run: int, troubles: Sequence[Trouble]) -> None:
    """Add attempts that were not simply accepted."""
    connection.executemany(
        "INSERT INTO troubles (run, parcel, slot, at, disposition, status, explanation, answer)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (run, each.parcel, each.slot, each.at, each.disposition, each.status, each.explanation, each.answer)
            for each in troubles
        ],
    )


def read_open(connection: Connection, run: int, after: int, limit: int, *, canary: bool) -> list[Parcel]:
    """Return the next parcels that have a batch without an outcome."""
    rows = connection.execute(
        _PARCELS + "WHERE m.run = ? AND m.open = 1 AND m.canary = ? AND m.parcel > ? ORDER BY m.parcel LIMIT ?",
        (run, int(canary), after, limit),
    ).fetchall()
    return [parcel_of(row, run) for row in rows]


def read_all(connection: Connection, run: int, after: int, limit: int, since: int = 0) -> list[Parcel]:
    """Return the next parcels of a run, whatever their state, that changed at `since` or later."""
    rows = connection.execute(
        _PARCELS + "WHERE m.run = ? AND m.parcel > ? AND m.changed >= ? ORDER BY m.parcel LIMIT ?",
        (run, after, since, limit),
    ).fetchall()
    return [parcel_of(row, run) for row in rows]


def interrupted_parcels(connection: Connection, run: int) -> Iterator[Parcel]:
    """Give the parcels with a batch whose intent is written down and whose outcome is not."""
    return (parcel for parcel in open_parcels(connection, run) if has_sending(parcel.marks))


def open_parcels(connection: Connection, run: int) -> Iterator[Parcel]:
    """Give the parcels with a batch that has no outcome yet."""
    return in_turn(connection, run, "AND m.open = 1")


def every_parcel(connection: Connection, run: int) -> Iterator[Parcel]:
    """Give all parcels of a run."""
    return in_turn(connection, run, "")


def in_turn(connection: Connection, run: int, condition: str) -> Iterator[Parcel]:
    """Give the parcels of a run that meet a condition in SQL, one at a time."""
    after = 0
    while row := connection.execute(
        _PARCELS + f"WHERE m.run = ? {condition} AND m.parcel > ? ORDER BY m.parcel LIMIT 1", (run, after)
    ).fetchone():
        yield parcel_of(row, run)
        after = row[0]


def read_skips(connection: Connection, run: int, after: int, limit: int) -> list[tuple[int, Skip]]:
    """Return the next rows that are sent nothing, with the place to go on from."""
    rows = connection.execute(
        "SELECT id, reason, rows, checksum FROM skips WHERE run = ? AND id > ? ORDER BY id LIMIT ?", (run, after, limit)
    ).fetchall()
    found = []
    for number, reason, text, expected in rows:
        _require(expected == sum_of(run, text.encode()), f"skipped rows of the run {run}")
        found.append((int(number), Skip(SkipReason(reason), [(row, recipient) for row, recipient in json.loads(text)])))
    return found


def parcel_of(row: tuple[int, int, bytes, int, bytes, int], run: int) -> Parcel:
    """Return a parcel of its row.

    Raises:
        LedgerError: ledger_corrupt.
    """
    parcel, canary, batches, expected, marks, expected_of_marks = row
    _require(expected == sum_of(run, batches), f"parcel {parcel}")
    _require(expected_of_marks == sum_of(parcel, marks), f"what became of parcel {parcel}")
    contents: list[tuple[dict[str, object], list[str]]] = json.loads(zlib.decompress(batches))
    return Parcel.opened(parcel, bool(canary), contents, marks)


def sum_of(owner: int, content: bytes) -> int:
    """Return the checksum of what belongs to a row."""
    return zlib.crc32(content, owner & 0xFFFFFFFF)


def _require(intact: bool, what: str) -> None:
    if not intact:
        raise LedgerError(f"The ledger's record of {what} is damaged.", code="ledger_corrupt")
