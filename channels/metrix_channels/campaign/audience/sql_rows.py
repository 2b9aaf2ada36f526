"""Rows of a database query, read as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .database import LIMIT_SECONDS, Database
from .header import id_column
from .rows import RawRows
from .source import Stopped
from .typed_rows import CHUNK, RowsSource, typed_rows


class SqlRows:
    """Reads rows; the constructor sends the query.

    Args:
        query: a statement that returns rows.
        url: of the database, as SQLAlchemy writes it.
        id_names: possible columns of the customUserId; the first that exists is used.
        places: the locations of `sql` and `url` in the campaign file.
        stopped: checked while waiting for the database; True ends the wait.
        limit_seconds: the total time to wait for the database.

    Raises:
        CampaignError: query_failed, audience_invalid, interrupted.
        ConfigError: database_url_invalid, extra_missing.
    """

    is_plain = False

    def __init__(
        self,
        query: str,
        url: str,
        id_names: Sequence[str],
        *,
        places: Sequence[str | None] = (None, None),
        stopped: Stopped = lambda: False,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        self._database = Database(url, places, stopped, limit_seconds)
        self.source: RowsSource = RowsSource("audience.sql", places[0])
        try:
            self._result = self._database.ask(query)
            self.columns: tuple[str, ...] = tuple(self._result.keys()) if self._result.returns_rows else ()
            self._require_rows()
            self.id_name: str = id_column(self.source, self.columns, id_names)
        except BaseException:
            self.close()
            raise

    def _require_rows(self) -> None:
        if not self.columns:
            raise self.source.refusal("the query returns no rows", remedy="Write a SELECT.")

    def chunks(self, wanted: Sequence[str]) -> Iterator[RawRows]:
        """Read the rows, once.

        Args:
            wanted: some of `columns`.

        Raises:
            CampaignError: query_failed, interrupted.
        """
        at_id = self.columns.index(self.id_name)
        at_wanted = [self.columns.index(name) for name in wanted]
        first = 1
        while rows := self._database.fetch(self._result, CHUNK):
            columns = list(zip(*rows, strict=True))
            yield typed_rows(first, columns[at_id], [columns[at] for at in at_wanted], self.source)
            first += len(rows)

    def close(self) -> None:
        """Roll back and close the connection."""
        self._database.close()
