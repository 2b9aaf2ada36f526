"""Stores failed attempts for Metrix's support, with limits on age and size."""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen

from ..errors import UsageError
from ..outcomes import iso_utc
from ..process import wall_clock
from .database import Connection, Database

_PRUNE_EVERY: Final = 64
_LISTED: Final = 50
_COLUMNS: Final = "id, began_at, seconds, reference, path, request, code, explanation, status, answer, lines"


@frozen
class Evidence:
    """One failed attempt.

    Attributes:
        id: unique; `attempt` in log lines.
        began_at: just before its first byte left.
        seconds: its duration.
        reference: the id of the send, the name of the campaign, or the user of the events.
        path: of the URL.
        request: the body as sent, with sensitive values masked.
        code: of the error catalogue.
        explanation: what happened, in one sentence.
        status: of the answer; None if there was none.
        answer: its body; None if there was none.
        lines: of the log of the process, up to the end of the attempt.
    """

    id: str
    began_at: datetime
    seconds: float
    reference: str
    path: str
    request: str
    code: str
    explanation: str
    status: int | None
    answer: str | None
    lines: tuple[str, ...] = ()


class EvidenceBook:
    """The failed attempts in one ledger.

    Args:
        database: the ledger's file.
        days: attempts older than this are deleted.
        size: maximum bytes; the oldest attempts are deleted first.
    """

    def __init__(self, database: Database, *, days: int, size: int) -> None:
        self._database = database
        self._days = days
        self._size = size
        self._until_pruned = 0

    def keep(self, evidence: Evidence) -> None:
        """Write an attempt with the next transaction, which is the one that records its outcome."""
        self._database.defer(lambda connection: self._keep(connection, evidence))

    async def find(self, name: str | None = None) -> Evidence:
        """Return an attempt.

        Args:
            name: the id of an attempt, or a reference, for its last attempt; None for the last attempt of all.

        Raises:
            UsageError: attempt_missing.
        """

        def work(connection: Connection) -> list[tuple[Any, ...]]:
            which, values = ("", ()) if name is None else ("WHERE id = ? OR reference = ?", (name, name))
            return connection.execute(
                f"SELECT {_COLUMNS} FROM evidence {which} ORDER BY number DESC LIMIT 1",  # noqa: S608 - constants
                values,
            ).fetchall()

        rows = await self._database.transact(work)
        if not rows:
            which = "no failed attempt" if name is None else f"no failed attempt {name!r}"
            raise UsageError(f"The ledger has {which}.", code="attempt_missing")
        return _loaded(rows[0])

    async def recent(self) -> list[Evidence]:
        """Return the latest failed attempts, the newest first."""

        def work(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(
                f"SELECT {_COLUMNS} FROM evidence ORDER BY number DESC LIMIT ?",  # noqa: S608 - constants
                (_LISTED,),
            ).fetchall()

        return [_loaded(row) for row in await self._database.transact(work)]

    def _keep(self, connection: Connection, evidence: Evidence) -> None:
        request = zlib.compress(evidence.request.encode())
        lines = zlib.compress(json.dumps(evidence.lines, ensure_ascii=False).encode())
        size = len(request) + len(lines) + len(evidence.answer or "")
        connection.execute(
            f"INSERT INTO evidence ({_COLUMNS}, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                evidence.id, iso_utc(evidence.began_at), evidence.seconds, evidence.reference, evidence.path, request,
                evidence.code, evidence.explanation, evidence.status, evidence.answer, lines, size,
            ),
        )  # fmt: skip
        self._until_pruned -= 1
        if self._until_pruned < 0:
            self._prune(connection)
            self._until_pruned = _PRUNE_EVERY

    def _prune(self, connection: Connection) -> None:
        oldest = iso_utc(wall_clock.now() - timedelta(days=self._days))
        connection.execute("DELETE FROM evidence WHERE began_at < ?", (oldest,))
        connection.execute(
            "DELETE FROM evidence WHERE number IN (SELECT number FROM ("
            "SELECT number, sum(size) OVER (ORDER BY number DESC) AS together FROM evidence) AS counted"
            " WHERE together > ?)",
            (self._size,),
        )


def _loaded(row: tuple[Any, ...]) -> Evidence:
    name, began_at, seconds, reference, path, request, code, explanation, status, answer, lines = row
    return Evidence(
        id=name,
        began_at=datetime.fromisoformat(began_at),
        seconds=seconds,
        reference=reference,
        path=path,
        request=zlib.decompress(request).decode(),
        code=code,
        explanation=explanation,
        status=status,
        answer=answer,
        lines=tuple(json.loads(zlib.decompress(lines))),
    )
