"""SQL statements that enqueue and withdraw outbox messages on the caller's connection."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import frozen

from ...delivery.verdict import Disposition
from ...errors import LedgerError, problem
from ...outcomes import Outcome, Receipt, iso_utc
from ...process import wall_clock
from ..checksums import checksum, require_checksum
from ..sqlite.schema import APPLICATION_ID, require_version
from .records import Entry, dump_receipts, load_receipts
from .rows import COLUMNS, reused, row_of

T = TypeVar("T")

ON_POSTGRES: Final = "postgresql"
IN_A_FILE: Final = "sqlite"
_SCHEMAS: Final = {ON_POSTGRES: "metrix_channels", IN_A_FILE: "main"}
_NOT_TAKEN: Final = ", ".join(f"'{each}'" for each in (Disposition.NOT_TAKEN, Disposition.REFUSED, Disposition.HALT))
"""Dispositions of attempts that Metrix certainly did not accept."""

Steps = Generator[tuple[str, tuple[object, ...]], list[Any], T]
"""Yields statements with `%s` for values, receives the rows of each as tuples, and returns a result."""


@frozen
class LedgerTables:
    """Where statements find the tables of the ledger.

    Attributes:
        dialect: of SQL: `ON_POSTGRES` or `IN_A_FILE`.
        known_salt: identifies the ledger; None to read it with the connection.
        file: of the ledger; None on PostgreSQL.
    """

    dialect: str
    known_salt: bytes | None
    file: Path | None

    def name(self, table: str) -> str:
        """Return a table's name with its schema, because the caller's connection may have another search path."""
        return f"{_SCHEMAS[self.dialect]}.{table}"

    def salt(self) -> Steps[bytes]:
        """Return the ledger's salt.

        Raises:
            LedgerError: ledger_foreign, if the connection is to another file; ledger_newer, ledger_older.
        """
        if self.known_salt is not None or self.file is None:
            return self.known_salt or b""
        [(opened,)] = yield "SELECT file FROM pragma_database_list WHERE name = 'main'", ()
        if not _is_same(self.file, opened):
            raise foreign()
        [(application, version)] = yield (
            "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version",
            (),
        )
        if application != APPLICATION_ID:
            raise foreign()
        require_version(self.file, version)
        yield "PRAGMA wal_autocheckpoint = 0", ()  # see `..sqlite.write_ahead`
        [(salt,)] = yield "SELECT value FROM main.salt", ()
        return bytes(salt)


def enqueue_steps(
    entry: Entry, outgoing: dict[str, Any], tables: LedgerTables, at: datetime | None = None
) -> Steps[str]:
    """Enqueue a message and return its id.

    Args:
        entry: the message.
        outgoing: everything needed to send it.
        tables: of the ledger.
        at: when it is due, aware; None for at once.

    Raises:
        LedgerError: key_reused; ledger_foreign, if the connection is to another database.
    """
    salt = yield from tables.salt()
    said, due = json.dumps(outgoing), iso_utc(at) if at else None
    row = row_of(entry, salt, None)
    columns = [row[name] for name in COLUMNS]
    insert, find, resume = _enqueue_sql(tables)
    for _ in range(2):  # a key that is used and released in between is visible to neither statement
        if (yield insert, (*columns, checksum(columns), said, due, salt)):
            yield from _post(entry.id, tables)
            return entry.id
        found = yield find, (entry.app_id, entry.key)
        if found:
            [(earlier, fingerprint, created_at, earlier_due, is_left_open)] = found
            if not entry.has_fingerprint(bytes(fingerprint), created_at, salt):
                raise reused(entry, created_at)
            if not is_left_open:
                if earlier_due != due:
                    raise _reused_for_another_time(entry, created_at, earlier_due)
                return str(earlier)
            # The outbox takes over an unfinished `send`, because nobody else may ever continue it.
            if (yield resume, (said, due, earlier)):
                yield from _post(earlier, tables)
                return str(earlier)
    raise foreign()


def _post(send: str, tables: LedgerTables) -> Steps[None]:
    if tables.dialect == ON_POSTGRES:
        yield f"SELECT {tables.name('post')}(%s)", (send,)


def _enqueue_sql(tables: LedgerTables) -> tuple[str, str, str]:
    """Return the SQL that inserts a message, finds the message of a key, and lets the outbox resume a `send`."""
    sends, salts = tables.name("sends"), tables.name("salt")
    names, values = ", ".join([*COLUMNS, "checksum", "outgoing", "due_at"]), ", ".join(["%s"] * (len(COLUMNS) + 3))
    insert = (
        f"INSERT INTO {sends} ({names}) SELECT {values}"  # noqa: S608 - constants
        f" WHERE EXISTS (SELECT 1 FROM {salts} WHERE value = %s)"
        " ON CONFLICT (app_id, key) WHERE key IS NOT NULL DO NOTHING RETURNING id"
    )
    find = (
        "SELECT id, fingerprint, created_at, due_at, state = 'open' AND outgoing IS NULL"  # noqa: S608 - constants
        f" FROM {sends} WHERE app_id = %s AND key = %s"
    )
    resume = (
        f"UPDATE {sends} SET outgoing = %s, due_at = %s"  # noqa: S608 - constants
        " WHERE id = %s AND key IS NOT NULL AND state = 'open' AND outgoing IS NULL RETURNING id"
    )
    return insert, find, resume


def withdraw_steps(app_id: str, key: str, tables: LedgerTables) -> Steps[bool]:
    """Withdraw the message of a key, unless it was sent or is being sent, even partly; return whether it was withdrawn.

    Args:
        app_id: of the application that would send it.
        key: its key, which is released.
        tables: of the ledger.

    Raises:
        LedgerError: ledger_corrupt; ledger_foreign, if the connection is to another database.
    """
    sends = tables.name("sends")
    salt = yield from tables.salt()
    if tables.dialect == IN_A_FILE:
        yield "PRAGMA main.secure_delete = ON", ()  # the text must not stay in the file
    elif not (yield f"SELECT 1 FROM {tables.name('salt')} WHERE value = %s", (salt,)):  # noqa: S608 - a constant
        raise foreign()
    # A row that a worker is claiming now is skipped: the worker has it.
    lock = " FOR NO KEY UPDATE SKIP LOCKED" if tables.dialect == ON_POSTGRES else ""
    select = (
        f"SELECT {', '.join(COLUMNS)}, checksum FROM {sends} WHERE app_id = %s AND key = %s AND state = 'open'"  # noqa: S608
        f" AND outgoing IS NOT NULL AND owner IS NULL{lock}"
    )
    found = yield select, (app_id, key)
    if not found:
        return False
    [(*columns, expected)] = found
    row = dict(zip(COLUMNS, columns, strict=True))
    row["fingerprint"] = bytes(row["fingerprint"])
    require_checksum(expected, row.values(), f"the send {row['id']}")
    attempts = tables.name("attempts")
    [(count,)] = yield f"SELECT count(*) FROM {attempts} WHERE send = %s", (row["id"],)  # noqa: S608
    row |= {"key": None, "state": "settled", "receipts": dump_receipts(_withdrawn(row, count))}
    # Check and write in one statement, because a connection to a file may commit after each statement.
    update = (
        f"UPDATE {sends} SET key = NULL, state = 'settled', receipts = %s, due_at = NULL, checksum = %s"  # noqa: S608
        f" WHERE id = %s AND checksum = %s AND NOT EXISTS (SELECT 1 FROM {attempts} WHERE send = %s"
        f" AND (disposition IS NULL OR disposition NOT IN ({_NOT_TAKEN}))) RETURNING id"
    )
    written = yield update, (row["receipts"], checksum(row.values()), row["id"], expected, row["id"])
    return bool(written)


def _withdrawn(row: dict[str, Any], attempts: int) -> tuple[Receipt, ...]:
    """Return the receipts of a withdrawn message; rejected recipients stay rejected."""
    earlier = load_receipts(row["receipts"]) if row["receipts"] else ()
    settled = tuple(receipt for receipt in earlier if receipt.outcome is not Outcome.NOT_SENT)
    named = {recipient for receipt in settled for recipient in receipt.recipients}
    left = tuple(recipient for recipient in json.loads(row["recipients"]) if recipient not in named)
    why = problem("message_withdrawn", "The message was withdrawn before it was sent.")
    now = wall_clock.now()
    return (*settled, Receipt(row["id"], row["channel"], left, Outcome.NOT_SENT, attempts, None, False, now, why))


def foreign() -> LedgerError:
    """Return the error for a connection to another database than the ledger's."""
    return LedgerError("The connection does not belong to the database of the ledger.", code="ledger_foreign")


def _reused_for_another_time(entry: Entry, since: str, due: str | None) -> LedgerError:
    return LedgerError(
        f"The key {entry.key!r} was used on {since} for a message that is due {f'at {due}' if due else 'at once'}.",
        code="key_reused",
        remedy=f"To change the time, withdraw the message first: notifier.withdraw({entry.key!r}, connection=…).",
    )


def _is_same(file: Path, opened: str) -> bool:
    try:
        return file.samefile(opened)
    except OSError:
        return False
