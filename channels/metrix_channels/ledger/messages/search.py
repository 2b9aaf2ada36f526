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
from .sends import SPANS, find_sends, is_selective, read_sends
from .wanted import Wanted

WatchMessages = Callable[[int, int], None]
"""Called with the number of finished steps of a search and their total; must return at once."""

_AT_ONCE: Final = 1000
"""The most sends that one transaction reads, so that no other process waits for long."""
_SHARD: Final = 20
"""A shard counts as this many sends."""

_MOMENT_SECONDS: Final = 0.03

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
        steps += SPANS
        async for span, sends in _spans(database, wanted):
            places += [(at, None, send) for at, send in sends]
            if watch:
                watch(span.stop, steps)
    for done, run in enumerate(runs, start=steps - len(runs) + 1):
        shards = await database.transact(partial(find_shards, record=run, wanted=wanted))
        places += [(at, run, shard) for at, shard in shards]
        if watch:
            watch(done, steps)
    return sorted(places, key=itemgetter(0), reverse=True)


async def _spans(database: Database, wanted: Wanted) -> AsyncIterator[tuple[range, list[tuple[datetime, str]]]]:
    """Yield the sends of consecutive spans; each transaction reads many spans if they are small."""
    start, width = 0, SPANS if wanted.key is not None else 1
    if not database.reads_block_writes:  # each span is a look through the whole table, whose rows are in no order
        width = SPANS if is_selective(wanted) else SPANS // 4
    while start < SPANS:
        span, began = range(start, min(start + width, SPANS)), time.monotonic()
        yield span, await database.transact(partial(find_sends, wanted=wanted, span=span))
        start = span.stop
        if database.reads_block_writes:
            width = width * 2 if time.monotonic() - began < _MOMENT_SECONDS else max(width // 2, 1)


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
