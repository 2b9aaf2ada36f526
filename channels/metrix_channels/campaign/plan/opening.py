"""Opens the audience of a campaign: a file, a query, or rows of a program. Also returns its digest for the pins."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from ...config import VariableMissing, substitute
from ...errors import ConfigError
from ..audience.given_rows import TakenRows
from ..audience.reader import Audience, Reading, audience_digest, open_audience
from ..audience.source import Stopped
from ..audience_source import STDIN, AudienceSource

Names = Callable[[Collection[str] | None], Collection[str]]


def open_rows(source: AudienceSource, given: TakenRows | None, stopped: Stopped) -> Audience:
    """Open an audience.

    Args:
        source: from the campaign file.
        given: rows of a program; they take precedence over the file.
        stopped: checked while waiting for standard input or a database; True ends the wait.

    Raises:
        CampaignError: audience_invalid, file_unreadable, query_failed, interrupted.
        ConfigError: config_key_missing if there are no rows; environment_missing, database_url_invalid,
            extra_missing.
    """
    if given is not None:
        return Audience(given.read([source.id]))
    if source.sql is not None:
        # Imported only for a query: SQLAlchemy takes long to import.
        from ..audience.sql_rows import SqlRows

        places = [source.locations.get(key) for key in ("sql", "url")]
        return Audience(SqlRows(source.sql, _database_url(source), [source.id], places=places, stopped=stopped))
    if source.file is None:
        raise ConfigError(
            "the audience has no rows: `audience` contains neither `file` nor `sql`",
            code="config_key_missing",
            location=source.locations.get("audience"),
            remedy="Add `file: audience.csv`, or run the campaign from Python with `audience=rows`.",
        )
    reading = Reading(source.delimiter, source.encoding, source.sheet)
    return open_audience(None if source.file == STDIN else source.file, source.id, reading=reading, stopped=stopped)


def digest_of_rows(source: AudienceSource, given: TakenRows | None, names: Names, pinned: str, stopped: Stopped) -> str:
    """Return the current digest of an audience, to compare it with the pinned one.

    Standard input, and rows that are not passed again, cannot be read again. They count as unchanged, because the
    ledger contains the whole plan.

    Args:
        source: from the campaign file.
        given: rows of a program.
        names: returns the names of the values that the templates use, for the audience's columns.
        pinned: the digest of the planned audience.
        stopped: as for `open_rows`.

    Raises:
        CampaignError, ConfigError: as `open_rows`.
    """
    if given is None and source.sql is None:
        return pinned if source.file in (None, STDIN) else audience_digest(source.file)
    with open_rows(source, given, stopped) as audience:
        for _ in audience.chunks(audience.wanted(names(audience.columns)), may_be_empty=True):
            pass
        return audience.digest


def _database_url(source: AudienceSource) -> str:
    try:
        return substitute(source.url or "", os.environ)
    except VariableMissing as missing:
        message = f"the environment variable {missing.name} is not set, or is empty"
        remedy = f"Run `export {missing.name}=…` in the shell or service that runs metrix-channels."
        raise ConfigError(
            message, code="environment_missing", remedy=remedy, location=source.locations.get("url")
        ) from None
