"""Searches messages over the whole ledger, newest first, in short transactions that do not delay sending."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Final

from ...outcomes import SentMessage
from ..database import Connection, Database
from ..runs.book import RunBook
from ..runs.records import FORGOTTEN, RunRecord
from .batches import find_shards, read_messages
from .sends import Span, find_sends, is_selective, read_sends, span_after
from .wanted import Wanted

WatchMessages = Callable[[int, int], None]
"""Called with the number of finished steps of a search and their total; must return at once."""

_AT_ONCE: Final = 1000
"""The most sends that one transaction reads, so that no other process waits for long."""
_SHARD: Final = 20
"""A shard counts as this many sends."""

_STEPS: Final = 256
"""Steps of the search through the sends."""
_MOMENT_SECONDS: Final = 0.03
"""A transaction that prevents commits looks at more sends than the last one if that took less time."""
_FEWEST: Final = 1000
"""The fewest sends that it looks at."""
_MOST: Final = 250_000
"""The most sends that a transaction looks at if it prevents no commits."""

Place = tuple[datetime, RunRecord | None, str | int]
"""The time of the newest message of a send or shard; the run of a shard; the id."""


async def search(
    database: Database, book: RunBook, wanted: Wanted, watch: WatchMessages | None = None
) -> AsyncIterator[list[SentMessage]]:
    """Yield messages in portions, the newest first.

    A message that changes during the search may be found in its old or new state.

    Args:
        database: the ledger.
        book: its campaigns.
        wanted: which messages.
        watch: called with the progress of the search.

    Raises:
        CampaignError: run_missing; run_purged, if the recipients of `wanted.campaign` were purged.
        LedgerError: the ledger cannot be used, or is damaged.
    """
    runs = await _runs(book, wanted)
    places = await _places(database, runs, wanted, watch)
    waiting: list[SentMessage] = []
    done = 0
    for page in _pages(places):
        waiting += await database.transact(partial(_read, database=database, page=page, wanted=wanted))
        done += len(page)
        if watch:
            watch(done, len(places))
        following = places[done][0] if done < len(places) else None
        ready = [each for each in waiting if following is None or each.at >= following]
        if ready:
            waiting = [each for each in waiting if following is not None and each.at < following]
            yield sorted(ready, key=_time, reverse=True)


def _pages(places: list[Place]) -> Iterator[list[Place]]:
    page, size = list[Place](), 0
    for place in places:
        page.append(place)
        size += 1 if place[1] is None else _SHARD
        if size >= _AT_ONCE:
            yield page
            page, size = [], 0
    if page:
        yield page


def _time(message: SentMessage) -> datetime:
    return message.at


async def _runs(book: RunBook, wanted: Wanted) -> list[RunRecord]:
    """Return the runs that may contain wanted messages."""
    if wanted.key is not None:
        return []
    if wanted.campaign is not None:
        record = await book.get(wanted.campaign)
        record.require_recipients()
        return [record]
    records = (record for record in await book.all() if FORGOTTEN not in record.facts)
    return [record for record in records if wanted.channel in (None, record.pins["channel"]["name"])]


async def _places(
    database: Database, runs: list[RunRecord], wanted: Wanted, watch: WatchMessages | None
) -> list[Place]:
    """Return the sends and shards that may contain wanted messages, the newest first."""
    steps, places = len(runs), list[Place]()
    if wanted.campaign is None:
        steps += _STEPS
        first, newest = await database.transact(_outermost)
        async for span, sends in _spans(database, wanted):
            places += [(at, None, send) for at, send in sends]
            if watch:
                watch(_STEPS if span.last is None else _steps_to(span.last, first, newest), steps)
    for done, run in enumerate(runs, start=steps - len(runs) + 1):
        shards = await database.transact(partial(find_shards, record=run, wanted=wanted))
        places += [(at, run, shard) for at, shard in shards]
        if watch:
            watch(done, steps)
    return sorted(places, key=itemgetter(0), reverse=True)


async def _spans(database: Database, wanted: Wanted) -> AsyncIterator[tuple[Span, list[tuple[datetime, str]]]]:
    """Yield the sends of consecutive spans; if others cannot write meanwhile, each transaction takes a moment only."""
    most: int | None = _FEWEST if database.reads_block_writes else _MOST
    if wanted.key is not None or (is_selective(wanted) and not database.reads_block_writes):
        most = None
    after: str | None = ""
    while after is not None:
        began = time.monotonic()
        span, found = await database.transact(partial(_look, wanted=wanted, after=after, most=most))
        yield span, found
        after = span.last
        if most is not None and database.reads_block_writes:
            most = most * 2 if time.monotonic() - began < _MOMENT_SECONDS else max(most // 2, _FEWEST)


def _look(
    connection: Connection, wanted: Wanted, after: str, most: int | None
) -> tuple[Span, list[tuple[datetime, str]]]:
    span = span_after(connection, after, most)
    return span, find_sends(connection, wanted, span)


def _outermost(connection: Connection) -> tuple[str, str]:
    """Return the first and the last id of all sends."""
    [(first, last)] = connection.execute(
        "SELECT (SELECT min(id) FROM sends), (SELECT max(id) FROM sends)"  # both at once would scan the table in SQLite
    ).fetchall()
    return str(first or ""), str(last or "")


def _steps_to(reached: str, first: str, last: str) -> int:
    """Return how many of the steps are done, from the distance of ids."""
    place, begin, end = (int.from_bytes(text.encode()[:16].ljust(16, b"\0")) for text in (reached, first, last))
    return min(_STEPS * (place - begin) // max(end - begin, 1), _STEPS)


def _read(connection: Connection, database: Database, page: list[Place], wanted: Wanted) -> list[SentMessage]:
    found: list[SentMessage] = []
    sends = [str(place) for _, run, place in page if run is None]
    if sends:
        found += read_sends(database, connection, sends)
    runs = {run.id: run for _, run, _ in page if run is not None}
    for number, run in runs.items():
        shards = [int(place) for _, of, place in page if of is not None and of.id == number]
        found += read_messages(connection, run, shards, wanted.recipient)
    return [message for message in found if wanted.admits(message)]
