"""Forgetting: who was written to and what, of sends and campaigns that are long over. Counts and keys are kept."""

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
from .sends.book import COLUMNS
from .sends.records import FORGOTTEN_RECIPIENT

_AT_ONCE: Final = 500
"""Rows a transaction, so that no other process waits for long."""


@define
class Purged:
    """What was forgotten, and what could not be.

    Attributes:
        sends: single messages whose recipients and text are gone.
        campaigns: whose recipients and values are gone.
        attempts: failed ones that were kept for the support bundle.
        event_times: of users' events; one that is sent again with its own time is no longer noticed.
        unfinished: sends and campaigns as old, left alone, since they are not over.
    """

    sends: int = 0
    campaigns: int = 0
    attempts: int = 0
    event_times: int = 0
    unfinished: int = 0


async def purge(database: Database, before: datetime) -> Purged:
    """Forget recipients and values of what was over before a moment.

    SQLite overwrites in the file what is deleted; PostgreSQL's vacuum reuses its place. The sensitive values of
    campaigns went when each was over (`runs/sensitive.py`); this is for all other values, and for the recipients.

    Args:
        database: the ledger's file.
        before: aware.

    Raises:
        LedgerError: the ledger cannot be used; what was forgotten so far stays so, and another call goes on.
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
    # What Metrix said may quote the recipient or the text.
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
    """Write down that a run's recipients are forgotten: 1, or 0 when they were; None when it is not over any more."""
    connection.lock(f"run {run}")
    row = sealed_run(connection, run)
    if row["state"] not in OVER:
        return None
    found = json.loads(row["facts"])
    if FORGOTTEN in found:
        return 0
    # First of all: whoever asks for the recipients from here on is told, should this process end in the middle.
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
