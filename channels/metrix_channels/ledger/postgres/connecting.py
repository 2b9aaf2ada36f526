"""Opens connections to PostgreSQL, and checks that the server can be written and that sessions are kept.

A pooler that changes the server connection between transactions (such as PgBouncer's modes `transaction` and
`statement`) is refused, because settings, the lease and LISTEN belong to a session.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from ...errors import LedgerError
from .errors import NO_ANSWER, filled, pooled
from .url import label_of

SCHEMA: Final = "metrix_channels"
"""The schema of the ledger's tables."""
OLDEST: Final = 140_000
"""The oldest supported version of PostgreSQL, as `server_version_num`."""
SERVED_WITHIN_SECONDS: Final = 5.0
"""Seconds to wait for a server connection: a pooler lets clients wait while its pool is in use."""
KEEPALIVE: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Detects a half-open connection within seconds, instead of two hours (kernel default)."""
SETTINGS: Final = (
    f"SET search_path = {SCHEMA}; SET lock_timeout = '5s'; SET statement_timeout = '60s';"
    # A process that froze in a transaction must not hold its locks for longer.
    " SET idle_in_transaction_session_timeout = '15s'; SET client_min_messages = warning;"
    # A timeout in the role's settings is meant for people.
    " SET idle_session_timeout = 0;"
    " SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) <> ''"
)
"""Settings of each session."""
_MARK: Final = "metrix_channels.session"
_READ: Final = f"SELECT current_setting('{_MARK}', true)"
_ROUNDS: Final = 8
_ASKED_AFTER_SECONDS: Final = 1.0


class NotServed(psycopg.OperationalError):
    """The other side accepted the connection but did not answer."""


def open_connection(url: str) -> psycopg.Connection[Any]:
    """Open a connection, outside any transaction.

    Raises:
        psycopg.Error: the database cannot be reached.
    """
    return psycopg.connect(make_conninfo(url, **KEEPALIVE), autocommit=True)


@contextlib.contextmanager
def served_within(
    connection: psycopg.BaseConnection[Any],
    seconds: float = SERVED_WITHIN_SECONDS,
    late: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Limit the time of a block that uses a connection, even if the other side does not answer.

    Args:
        connection: is unusable after a timeout.
        seconds: the time limit.
        late: called at the time limit; if it returns False, the block continues.

    Raises:
        NotServed: after the time limit.
    """
    expired = threading.Event()
    with socket.socket(fileno=os.dup(connection.fileno())) as handle:

        def expire() -> None:
            if late():
                expired.set()
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except psycopg.Error as error:
            if expired.is_set():
                raise NotServed(f"{NO_ANSWER} within {seconds:g} s") from error
            raise
        finally:
            timer.cancel()


def require_fit(connection: psycopg.Connection[Any], url: str) -> bool:
    """Check the other side of a new connection.

    Returns:
        Whether it is a pooler (one that keeps sessions).

    Raises:
        LedgerError: ledger_unsupported, ledger_read_only, ledger_pooled.
        psycopg.Error: the connection cannot be used.
    """
    version = connection.info.server_version
    if version < OLDEST:
        raise LedgerError(
            f"The server of {label_of(url)} is PostgreSQL {_format_version(version)}; a ledger needs"
            f" {_format_version(OLDEST)} or newer.",
            code="ledger_unsupported",
        )
    with served_within(connection):
        [(server_process, standby, read_only)] = connection.execute(
            "SELECT pg_backend_pid(), pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"
        ).fetchall()
    if standby:
        raise LedgerError(
            f"The server of {label_of(url)} is a read-only standby.",
            code="ledger_read_only",
            remedy="Point `ledger` to the primary server. With several hosts in the URL, add"
            " `?target_session_attrs=read-write`.",
        )
    if read_only:
        raise LedgerError(
            f"Transactions in {label_of(url)} are read-only (default_transaction_read_only is on).",
            code="ledger_read_only",
            remedy=filled(
                "Run: ALTER ROLE {role} SET default_transaction_read_only = off; or choose another role.", url
            ),
        )
    is_pooled = bool(server_process != connection.info.backend_pid)  # a pooler uses its own process numbers
    if is_pooled:
        with served_within(connection, 2 * SERVED_WITHIN_SECONDS):
            _require_sessions(connection, url)
    return is_pooled


def _require_sessions(connection: psycopg.Connection[Any], url: str) -> None:
    """Refuse a pooler that changes the server connection between transactions.

    Two connections each set a mark in their session and then run transactions alternately. With sessions, each always
    finds its own mark. Without, each gets the server connection that the other has just released. If the second
    connection has to wait for a server connection while the first is served, the first keeps its session. Not detected:
    a pooler that reports the process number of the server, and one that changes no connection during this check.
    """
    is_served, keeps = threading.Event(), threading.Event()
    first = _Marked(connection)

    def still_waits() -> bool:
        try:
            answered = first.is_whole()
        except psycopg.Error:
            return True
        if answered and not is_served.is_set():
            keeps.set()
        return keeps.is_set()

    with contextlib.closing(open_connection(url)) as other:
        try:
            with served_within(other, _ASKED_AFTER_SECONDS, still_waits):
                second = _Marked(other)
                is_served.set()
                if not all(_take_turns(first, second) for _ in range(_ROUNDS)):
                    raise pooled(url)
        except NotServed:
            if not keeps.is_set():
                raise


class _Marked:
    """A connection with a mark in its session."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._write_statuses = uuid.uuid4().hex
        connection.execute("SELECT set_config(%s, %s, false)", (_MARK, self._write_statuses), prepare=False)

    def is_whole(self) -> bool:
        """Tell whether the mark is still there."""
        [(found,)] = self._connection.execute(_READ, prepare=False).fetchall()
        return bool(found == self._write_statuses)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Hold a server connection for a transaction."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")


def _take_turns(first: _Marked, second: _Marked) -> bool:
    """Check each twice while the other holds a server connection; tell whether both marks are still there."""
    for one, other in ((first, second), (second, first)):
        with one.holding():
            if not (one.is_whole() and other.is_whole()):
                return False
        if not (other.is_whole() and other.is_whole()):
            return False
    return True


def _format_version(version: int) -> str:
    return f"{version // 10_000}" if version >= 100_000 else f"{version // 10_000}.{version // 100 % 100}"
