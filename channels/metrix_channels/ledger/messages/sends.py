"""The messages of single sends and of the outbox.

There is no index on recipients: it would take about 60 bytes per send, and SQLite scans a million sends in less than a
second without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from ...delivery import PastAttempt, resume_recipients
from ...models import OnAmbiguous
from ...outcomes import Outcome, SentMessage, iso_utc
from ...process import wall_clock
from ..checksums import require_checksum
from ..database import Connection, Database
from ..sends.records import FORGOTTEN_RECIPIENT, load_receipts
from ..sends.rows import COLUMNS, Row, is_outgoing, past_attempts
from .wanted import Wanted

_MOST_DAYS: Final = 3
"""Maximum days to search for, because each is searched in the receipts of every older send."""
_TIMES: Final = re.compile(r'"at": "([^"]+)"')


@frozen
class Span:
    """The sends that one transaction looks at, in the order of their ids.

    Attributes:
        after: the id before the first of them.
        last: the id of the last of them; None for all that follow.
    """

    after: str
    last: str | None


def span_after(connection: Connection, after: str, most: int | None) -> Span:
    """Return the span of the next sends.

    Args:
        connection: a transaction.
        after: the id before the first of them.
        most: how many there are at most; None for no limit.
    """
    if most is None:
        return Span(after, None)
    question = "SELECT id FROM sends WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
    found = connection.execute(question, (after, most - 1)).fetchone()
    return Span(after, None if found is None else str(found[0]))


def find_sends(connection: Connection, wanted: Wanted, span: Span) -> list[tuple[datetime, str]]:
    """Return sends that may contain a wanted message, each with the time of its newest message.

    Args:
        connection: a transaction.
        wanted: the messages to search for.
        span: the sends to look at.
    """
    conditions, values = ["id > ?"], list[object]([span.after])
    if wanted.key is not None:  # use the index on keys instead of scanning the table
        conditions.append("id IN (SELECT id FROM sends WHERE key = ?)")
        values.append(wanted.key)
    if wanted.channel is not None:
        conditions.append("channel = ?")
        values.append(wanted.channel)
    if wanted.outcome is not None:
        conditions.append("(state = 'open' OR receipts LIKE ?)")
        values.append(f'%"outcome": "{wanted.outcome}"%')
    if wanted.recipient is not None:
        conditions.append("recipients LIKE ? ESCAPE '!' AND recipients NOT LIKE ?")
        values += [f"%{_escaped(json.dumps(wanted.recipient))}%", f'["{FORGOTTEN_RECIPIENT}"%']
    if days := _days_since(wanted):
        conditions.append(f"(created_at >= ? OR state = 'open' OR {' OR '.join(['receipts LIKE ?'] * len(days))})")
        values += [iso_utc(wanted.since or wall_clock.now()), *(f'%"at": "{day}%' for day in days)]
    if span.last is not None:
        conditions.append("id <= ?")
        values.append(span.last)
    rows = connection.execute(
        f"SELECT id, created_at, receipts FROM sends WHERE {' AND '.join(conditions)}",  # noqa: S608 - constants
        values,
    )
    found = ((_newest(created, receipts), send) for send, created, receipts in rows)
    return [(at, send) for at, send in found if wanted.since is None or at >= wanted.since]


def is_selective(wanted: Wanted) -> bool:
    """Tell whether the database itself can narrow the search to few sends."""
    return wanted.key is not None or wanted.recipient is not None or bool(_days_since(wanted))


def _days_since(wanted: Wanted) -> list[str]:
    """Return the days, in UTC, on which wanted messages got their outcomes; nothing if they are many or unknown."""
    if wanted.since is None:
        return []
    first, last = wanted.since.astimezone(UTC).date(), max(wanted.since, wall_clock.now()).astimezone(UTC).date()
    days = [str(first + timedelta(days=day)) for day in range((last - first).days + 1)]
    return days if len(days) <= _MOST_DAYS else []


def read_sends(database: Database, connection: Connection, sends: Sequence[str]) -> Iterator[SentMessage]:
    """Yield the messages of some sends.

    Raises:
        LedgerError: ledger_corrupt.
    """
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)}, checksum FROM sends WHERE id IN ({', '.join('?' * len(sends))})",  # noqa: S608
        sends,
    ).fetchall()
    for *columns, expected in rows:
        require_checksum(expected, columns, f"the send {columns[0]}")
        yield from _messages(database, connection, dict(zip(COLUMNS, columns, strict=True)))


def _messages(database: Database, connection: Connection, row: Row) -> Iterator[SentMessage]:
    asked_at = datetime.fromisoformat(str(row["created_at"]))
    receipts = load_receipts(str(row["receipts"] or "[]"))
    if row["state"] == "open":
        receipts = tuple(receipt for receipt in receipts if receipt.outcome is not Outcome.NOT_SENT)
    known = [(each, it.outcome.value, it.attempts, it.at) for it in receipts for each in it.recipients]
    if row["state"] == "open":
        settled = {recipient for recipient, *_ in known}
        left = [recipient for recipient in json.loads(str(row["recipients"])) if recipient not in settled]
        past = past_attempts(connection, str(row["id"]))
        standing = _under_way(left, past) if _is_under_way(database, connection, row) else _left_behind(left, past)
        known += [(*each, asked_at) for each in standing]
    for recipient, outcome, attempts, at in known:
        yield SentMessage(
            at=at,
            recipient=recipient,
            channel=str(row["channel"]),
            template=str(row["template"]) or None,
            campaign=None,
            key=None if row["key"] is None else str(row["key"]),
            outcome=outcome,
            attempts=attempts,
            receipt=str(row["id"]),
        )


def _under_way(recipients: Sequence[str], past: Sequence[PastAttempt]) -> Iterator[tuple[str, str, int]]:
    return ((each, "pending", sum(each in attempt.recipients for attempt in past)) for each in recipients)


def _left_behind(recipients: Sequence[str], past: Sequence[PastAttempt]) -> Iterator[tuple[str, str, int]]:
    """Return the outcomes of recipients whose process died: unknown if Metrix may have accepted them, else not sent."""
    resumption = resume_recipients(recipients, past, OnAmbiguous.HOLD)
    for result in resumption.settled:
        yield from ((each, result.outcome.value, result.attempts) for each in result.recipients)
    for part in resumption.parts:
        yield from ((each, Outcome.NOT_SENT.value, part.attempts) for each in part.recipients)


def _is_under_way(database: Database, connection: Connection, row: Row) -> bool:
    owner = row["owner"]
    return is_outgoing(connection, str(row["id"])) or (owner is not None and database.is_alive(connection, str(owner)))


def _newest(created: str, receipts: str | None) -> datetime:
    try:
        return datetime.fromisoformat(max([created, *_TIMES.findall(receipts or "")]))
    except ValueError:  # damaged: reading the send reports it
        return datetime.max.replace(tzinfo=UTC)


def _escaped(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)
