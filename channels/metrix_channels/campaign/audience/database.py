"""Reads a database through SQLAlchemy, with a time limit.

All calls that wait for the database run in a separate thread, so that the caller can stop waiting at any time.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from ...errors import CampaignError, ConfigError, MetrixChannelsError
from ...errors.extras import missing_extra
from ...printable import printable
from ...redact import Redactor, Secret
from .source import Stopped

try:
    from sqlalchemy import URL, Connection, CursorResult, create_engine, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool
except ImportError as _missing:
    raise missing_extra("An audience from a database needs SQLAlchemy, which is not installed.", "sql") from _missing

T = TypeVar("T")

LIMIT_SECONDS: Final = 600.0
"""Total seconds to wait for the database."""
_LOOK_SECONDS: Final = 0.2
_CLOSE_SECONDS: Final = 2.0
_MAY_BE_PASSWORD: Final = re.compile("[@#;&]")
"""Characters of a host or a name that may separate it from a part of the password."""
_MOST_SHOWN: Final = 500
_CONNECT: Final[dict[str, Any]] = {"connect_timeout": 10}
_KNOW_CONNECT_TIMEOUT: Final = ("psycopg", "psycopg2", "pymysql", "mysqldb")
_PACKAGES: Final = {"MySQLdb": "mysqlclient"}
"""The packages of drivers whose modules have another name."""
_READ_ONLY: Final = {
    "sqlite": ("PRAGMA query_only = ON",),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        f"SET statement_timeout = {LIMIT_SECONDS * 1000:.0f}",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY",),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY",),
}
"""Statements that make a session read-only. Nothing is committed in any database."""


class Database:
    """A connection that runs one query.

    Args:
        url: of the database.
        places: the locations of `sql` and `url` in the campaign file.
        stopped: checked while waiting for the database; True ends the wait.
        limit_seconds: the total time to wait for the database.

    Raises:
        ConfigError: database_url_invalid, extra_missing.
    """

    def __init__(self, url: str, places: Sequence[str | None], stopped: Stopped, limit_seconds: float) -> None:
        self._at_sql, self._at_url = places
        self._url = self._parse(url)
        self._stopped = stopped
        self._left = limit_seconds
        self._limit = limit_seconds
        self._connection: Connection | None = None
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_given_up = False
        threading.Thread(target=self._serve, name="audience.sql", daemon=True).start()

    def ask(self, query: str) -> CursorResult[Any]:
        """Send the query.

        Raises:
            CampaignError: query_failed, interrupted.
            ConfigError: database_url_invalid, extra_missing.
        """
        return self._wait_for(lambda: self._ask(query))

    def fetch(self, result: CursorResult[Any], count: int) -> Sequence[Sequence[Any]]:
        """Return up to `count` more rows; an empty list at the end.

        Raises:
            CampaignError: query_failed, interrupted.
        """
        return self._wait_for(lambda: result.fetchmany(count))

    def close(self) -> None:
        """Roll back and close the connection."""
        closed = threading.Event()
        self._work.put(self._close)
        self._work.put(closed.set)
        self._work.put(None)
        closed.wait(0 if self._is_given_up else _CLOSE_SECONDS)

    # -- in the thread

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def _ask(self, query: str) -> CursorResult[Any]:
        connect_args = _CONNECT if self._url.get_driver_name() in _KNOW_CONNECT_TIMEOUT else {}
        connection = create_engine(self._url, poolclass=NullPool, connect_args=connect_args).connect()
        self._connection = connection
        for statement in _READ_ONLY.get(connection.dialect.name, ()):
            connection.exec_driver_sql(statement)
        connection.commit()  # the settings
        # Without parameters, so that % and : in the query have no special meaning.
        streamed = connection.execution_options(stream_results=True, max_row_buffer=1_000, no_parameters=True)
        return streamed.exec_driver_sql(query)

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(SQLAlchemyError, OSError):
                self._connection.rollback()
            with suppress(SQLAlchemyError, OSError):
                self._connection.close()

    # -- in the caller's thread

    def _wait_for(self, work: Callable[[], T]) -> T:
        done = threading.Event()
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
                errors.append(error)
            done.set()

        begun = time.monotonic()
        self._work.put(run)
        while not done.wait(_LOOK_SECONDS):
            if self._stopped():
                self._give_up()
                raise CampaignError("Reading the audience was interrupted; nothing was sent.", code="interrupted")
            if time.monotonic() - begun > self._left:
                self._give_up()
                raise self._failed(f"the database took longer than {self._limit:g} seconds", None)
        self._left -= time.monotonic() - begun
        if errors:
            with self._converting_errors():
                raise errors[0]
        return results[0]

    def _give_up(self) -> None:
        """Cancel the query, if the driver can."""
        self._is_given_up = True
        if self._connection is not None:
            driver = self._connection.connection.driver_connection
            cancel = getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)
            if cancel is not None:
                with suppress(Exception):  # the result is not needed any more
                    cancel()

    # -- what is wrong

    def _parse(self, url: str) -> URL:
        try:
            found = make_url(url)
        except (ArgumentError, ValueError):
            raise self._refused("the database URL is not valid") from None
        if found.drivername in ("postgres", "postgresql"):
            # As in libpq, the host may be the folder of a socket.
            driver = "postgresql+psycopg" if find_spec("psycopg") else "postgresql"
            found = found.set(drivername=driver, host=unquote(found.host or ""))
        path = found.database or ""
        is_file = found.get_backend_name() == "sqlite" and path and not path.startswith((":memory:", "file:"))
        if is_file and not Path(path).is_file():
            raise self._refused(f"there is no SQLite database {printable(path)!r}", "Check the path in the URL.")
        return found

    @contextmanager
    def _converting_errors(self) -> Iterator[None]:
        """Convert errors of SQLAlchemy and drivers to ours, without the password."""
        try:
            yield
        except MetrixChannelsError:
            raise
        except NoSuchModuleError:
            raise self._refused(f"SQLAlchemy does not support the database {self._url.drivername!r}") from None
        except ModuleNotFoundError as error:
            message = f"the database needs the Python package {error.name!r}, which is not installed"
            remedy = f"Run `pip install {_PACKAGES.get(error.name or '', error.name)}`."
            raise ConfigError(message, code="extra_missing", location=self._at_url, remedy=remedy) from None
        except DBAPIError as error:
            raise self._failed("the database refused the query", error.orig) from None
        except (SQLAlchemyError, OSError, ValueError, TypeError) as error:
            raise self._failed("the query failed", error) from None

    def _refused(self, message: str, remedy: str | None = None) -> ConfigError:
        return ConfigError(message, code="database_url_invalid", location=self._at_url, remedy=remedy)

    def _failed(self, message: str, cause: BaseException | None) -> CampaignError:
        said = "" if cause is None else self._without_password(str(cause))
        location = self._at_url if self._connection is None else self._at_sql
        if self._connection is None:
            message = "the database cannot be reached" if cause is not None else message
        return CampaignError(f"{message}: {said}" if said else message, code="query_failed", location=location)

    def _without_password(self, text: str) -> str:
        shown = "".join(part or "" for part in (self._url.host, self._url.database, self._url.username))
        if _MAY_BE_PASSWORD.search(shown):
            return "the details are hidden because they may contain the password; write @ and # in it as %40 and %23"
        secrets = [str(self._url.password or ""), *(str(value) for value in self._url.query.values())]
        redactor = Redactor(*(Secret(each, "the database's password") for each in secrets if each))
        return redactor.clean(printable(" ".join(text.split()))[:_MOST_SHOWN], "the database's answer")
