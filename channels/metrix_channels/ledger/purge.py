"""Deletes recipients and contents of old sends and campaigns. Counts and keys are kept."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import Any, Final

from attrs import define

from ..outcomes import iso_utc
from ..process import wall_clock
from .checksums import checksum, require_checksum
from .database import Connection, Database
from .runs.book import seal_run, sealed_run
from .runs.records import FORGOTTEN, OVER
from .sends.records import FORGOTTEN_RECIPIENT
from .sends.rows import COLUMNS

_AT_ONCE: Final = 500
"""Rows per transaction, so that no other process waits for long."""


@define
class Purged:
    """The result of a purge.

    Attributes:
        sends: purged single messages, without recipients and text now.
        campaigns: purged campaigns, without recipients and values now.
        attempts: deleted failed attempts of the support bundle.
        event_times: deleted times of events; a repeated event with such a time is no longer detected.
        unfinished: old sends and campaigns that were kept because they are unfinished.
    """

    sends: int = 0
    campaigns: int = 0
    attempts: int = 0
    event_times: int = 0
    unfinished: int = 0


async def purge(database: Database, before: datetime) -> Purged:
    """Delete the recipients and values of sends and campaigns that ended before a time.

    SQLite overwrites deleted data in the file; in PostgreSQL, VACUUM reuses its space. Sensitive values of campaigns
    were already deleted when the campaigns ended (`runs/sensitive.py`).

    Args:
        database: the ledger's file.
        before: the time, aware.

    Raises:
        LedgerError: the ledger cannot be used; data that was deleted so far stays deleted, and another call continues.
    """
    limit = iso_utc(before)
    purged = Purged()
    while count := await database.transact(lambda connection: _forget_sends(connection, limit)):
        purged.sends += count
    for run in await database.transact(lambda connection: _runs_over(connection, limit)):
        forgotten = await database.transact(partial(_forget_run, run=run))
        if forgotten is None:
            continue
        purged.campaigns += forgotten
        while await database.transact(partial(_delete_recipients, run=run)):
            pass
    while count := await database.transact(lambda connection: _delete_evidence(connection, limit)):
        purged.attempts += count
    moment = int(before.timestamp() * 1000)
    while count := await database.transact(lambda connection: _delete_event_times(connection, moment)):
        purged.event_times += count
    await database.truncate_journal()
    purged.unfinished = await database.transact(lambda connection: _unfinished(connection, limit))
    return purged


def _forget_sends(connection: Connection, limit: str) -> int:
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)}, checksum FROM sends WHERE state = 'settled' AND created_at < ?"  # noqa: S608 - constants
        " AND (due_at IS NULL OR due_at < ?) AND recipients NOT LIKE ? LIMIT ?",
        (limit, limit, f'["{FORGOTTEN_RECIPIENT}"%', _AT_ONCE),
    ).fetchall()
    for *columns, expected in rows:
        require_checksum(expected, columns, f"the send {columns[0]}")
        send = dict(zip(COLUMNS, columns, strict=True))
        receipts = json.loads(send["receipts"] or "[]")
        forgotten = [
            each | {"recipients": [FORGOTTEN_RECIPIENT] * len(each["recipients"])} | _said(each) for each in receipts
        ]
        send |= {"recipients": json.dumps([FORGOTTEN_RECIPIENT] * len(json.loads(send["recipients"]))), "message": None}
        send["receipts"] = json.dumps(forgotten)
        connection.execute(
            "UPDATE sends SET recipients = ?, message = NULL, receipts = ?, checksum = ? WHERE id = ?",
            (send["recipients"], send["receipts"], checksum(send.values()), send["id"]),
        )
        _forget_attempts(connection, send["id"])
    return len(rows)


def _said(receipt: dict[str, Any]) -> dict[str, Any]:
    # Metrix's answers may quote the recipient or the text.
    error = receipt["error"]
    return {"error": error and error | {"message": f"[{error['code']}] {FORGOTTEN_RECIPIENT}"}}


def _forget_attempts(connection: Connection, send: str) -> None:
    rows = connection.execute(
        "SELECT id, recipients, disposition, checksum FROM attempts WHERE send = ?", (send,)
    ).fetchall()
    for number, recipients, disposition, expected in rows:
        require_checksum(expected, (send, recipients, disposition), f"an attempt of the send {send}")
        named = json.dumps([FORGOTTEN_RECIPIENT] * len(json.loads(recipients)))
        connection.execute(
            "UPDATE attempts SET recipients = ?, explanation = NULL, answer = NULL, checksum = ? WHERE id = ?",
            (named, checksum((send, named, disposition)), number),
        )


def _runs_over(connection: Connection, limit: str) -> list[int]:
    over = ", ".join(f"'{state.value}'" for state in OVER)
    rows = connection.execute(
        f"SELECT id FROM runs WHERE state IN ({over}) AND finished_at < ? ORDER BY id",  # noqa: S608 - constants
        (limit,),
    ).fetchall()
    return [run for (run,) in rows]


def _forget_run(connection: Connection, run: int) -> int | None:
    """Record that a run is purged: return 1, or 0 if it already was; None if the run is no longer over."""
    connection.lock(f"run {run}")
    row = sealed_run(connection, run)
    if row["state"] not in OVER:
        return None
    found = json.loads(row["facts"])
    if FORGOTTEN in found:
        return 0
    # Record it first, so that a purge that is interrupted is still visible to later readers.
    found[FORGOTTEN] = iso_utc(wall_clock.now())
    seal_run(connection, run, pins=json.dumps(json.loads(row["pins"]) | {"context": {}}), facts=json.dumps(found))
    connection.execute("UPDATE failed_attempts SET explanation = '', answer = NULL WHERE run = ?", (run,))
    connection.execute("UPDATE run_journal SET detail = '' WHERE run = ? AND what <> 'planned'", (run,))
    return 1


def _delete_recipients(connection: Connection, run: int) -> int:
    shards = connection.execute("SELECT shard FROM shard_statuses WHERE run = ? LIMIT ?", (run, _AT_ONCE)).fetchall()
    connection.executemany("DELETE FROM shard_statuses WHERE shard = ?", shards)
    connection.executemany("DELETE FROM shards WHERE id = ?", shards)
    skips = connection.execute("SELECT id FROM skips WHERE run = ? LIMIT ?", (run, _AT_ONCE)).fetchall()
    connection.executemany("DELETE FROM skips WHERE id = ?", skips)
    return len(shards) + len(skips)


def _delete_evidence(connection: Connection, limit: str) -> int:
    which = "SELECT number FROM evidence WHERE began_at < ? LIMIT ?"
    return connection.execute(f"DELETE FROM evidence WHERE number IN ({which})", (limit, _AT_ONCE)).rowcount  # noqa: S608


def _delete_event_times(connection: Connection, moment: int) -> int:
    rows = connection.execute(
        'SELECT "user", time FROM event_times WHERE time < ? LIMIT ?', (moment, _AT_ONCE * 20)
    ).fetchall()
    connection.executemany('DELETE FROM event_times WHERE "user" = ? AND time = ?', rows)
    return len(rows)


def _unfinished(connection: Connection, limit: str) -> int:
    over = ", ".join(f"'{state.value}'" for state in OVER)
    [(sends,)] = connection.execute(
        "SELECT count(*) FROM sends WHERE state = 'open' AND created_at < ? AND (due_at IS NULL OR due_at < ?)",
        (limit, limit),
    ).fetchall()
    [(runs,)] = connection.execute(
        f"SELECT count(*) FROM runs WHERE state NOT IN ({over}) AND started_at < ?",  # noqa: S608 - constants
        (limit,),
    ).fetchall()
    return int(sends) + int(runs)
