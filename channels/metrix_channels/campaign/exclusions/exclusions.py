"""Excluded recipients, from suppression lists and caps. Plan and dispatch use them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from ...errors import CampaignError, campaign_error
from ...ledger import FORGOTTEN, OVER, RunBook, RunRecord, Shard, SkipReason
from ...outcomes import iso_utc
from ...process import wall_clock
from ..definition import Campaign, Cap
from .store import ExclusionStore
from .suppression import listed

_UNDER_WAY_SECONDS: Final = 10
"""Seconds that a commit may take after its time was recorded."""


@frozen
class Screening:
    """The result of screening recipients.

    Attributes:
        excluded: recipients who are sent nothing, and why.
        alike: other recipients whose ids look like one on a suppression list, with its place there.
    """

    excluded: dict[str, SkipReason]
    alike: dict[str, str]


class Exclusions:
    """Suppressed and capped recipients.

    Args:
        cap: how many campaigns may reach one recipient within a time; None: no limit.
        book: the ledger's book of runs.
    """

    def __init__(self, cap: Cap | None, book: RunBook) -> None:
        self._cap = cap
        self._book = book
        self._store = ExclusionStore()
        self._looked = 0
        self._live: set[int] = set()

    @classmethod
    async def built(cls, campaign: Campaign, lists: Sequence[Path], book: RunBook, run: int = 0) -> Exclusions:
        """Read the lists and the ledger.

        Args:
            campaign: with its caps and `except`.
            lists: files of recipients who are never sent to.
            book: the ledger's book of runs.
            run: the run being dispatched, which does not count towards its own caps.

        Raises:
            CampaignError: a list cannot be read; run_missing, run_unfinished, run_purged of an excepted campaign.
        """
        exclusions = cls(campaign.limits.per_recipient, book)
        try:
            for path in lists:
                await asyncio.to_thread(exclusions._store.suppress, listed(path, campaign.audience))
            if run == 0:
                for name in campaign.audience.except_:
                    await exclusions._except(name)
            await exclusions.look_again(run)
        except BaseException:
            exclusions.close()
            raise
        return exclusions

    async def look_again(self, run: int) -> None:
        """Read whom other campaigns reached since the last call.

        Raises:
            CampaignError: run_purged, if the cap would count recipients that were purged.
        """
        if self._cap is None:
            return
        now = int(await self._book.now())
        begins = now - int(self._cap.window.total_seconds())
        # If the clock was set back since the last call, the batches since then may have any time.
        since = begins if now < self._looked else max(self._looked - _UNDER_WAY_SECONDS, begins)
        others = [record for record in await self._book.all() if record.id != run]
        for record in others:
            if self._looked == 0:
                _require_countable(record, begins)
            if self._looked == 0 or record.live or record.id in self._live:
                await self._follow(record.id, since, begins)
        self._looked, self._live = now, {record.id for record in others if record.live}

    def screened(self, recipients: Sequence[str]) -> Screening:
        """Return which of `recipients` are excluded and why, and which ids look like one on a list."""
        found: dict[str, SkipReason] = {}
        if self._cap is not None:
            since = int(wall_clock.seconds() - self._cap.window.total_seconds())
            found = dict.fromkeys(self._store.capped(recipients, self._cap.count, since), SkipReason.CAPPED)
        suppressed, alike = self._store.suppressed(recipients)
        return Screening(found | dict.fromkeys(suppressed, SkipReason.SUPPRESSED), alike)

    def excluded(self, recipients: Sequence[str]) -> dict[str, SkipReason]:
        """Return which of `recipients` are excluded, and why."""
        return self.screened(recipients).excluded

    def alike(self) -> tuple[int, list[tuple[str, str]]]:
        """Count ids on the lists that look like another id there, and return the places of the first ones."""
        return self._store.alike()

    def matches(self) -> tuple[int, int]:
        """Return how many ids are on the lists, and how many of them were screened."""
        return self._store.matches()

    @property
    def exclude_anybody(self) -> bool:
        """Whether there is a list or a cap."""
        return self._cap is not None or self._store.suppresses

    def close(self) -> None:
        """Delete temporary files."""
        self._store.close()

    async def _follow(self, run: int, since: int, begins: int) -> None:
        after = 0
        while shards := await self._book.shards(run, after, since=since):
            self._store.reach(run, (each for shard in shards for each in _reached(shard, begins)))
            after = shards[-1].id

    async def _except(self, name: str) -> None:
        record = await self._book.get(name)
        if record.state not in OVER:
            message = f"The campaign {name!r} in audience.except has not finished: its state is {record.state}."
            raise campaign_error(message, "run_unfinished", name)
        record.require_recipients()
        after = 0
        while shards := await self._book.shards(record.id, after):
            self._store.suppress((recipient, "") for shard in shards for recipient, _ in _reached(shard, 0))
            after = shards[-1].id


def _require_countable(record: RunRecord, begins: int) -> None:
    """Refuse a cap that cannot count the recipients of a run, because they were purged.

    Args:
        record: of another campaign.
        begins: when the cap begins to count, in seconds since 1970.

    Raises:
        CampaignError: run_purged.
    """
    ended = record.finished_at
    if FORGOTTEN not in record.facts or not record.counts.accepted + record.counts.unknown:
        return
    if ended is not None and ended.timestamp() >= begins:
        raise CampaignError(
            f"limits.per_recipient cannot count whom the campaign {record.name!r} reached, because `ledger purge`"
            f" deleted its recipients. It ended at {iso_utc(ended)}.",
            code="run_purged",
            remedy="Write a shorter time in limits.per_recipient, and give `ledger purge --older-than` a longer one.",
        )


def _reached(shard: Shard, since: int) -> Iterator[tuple[str, int]]:
    for batch in shard.taken():
        if batch.may_have_arrived and batch.at >= since:
            for recipient in batch.recipients:
                yield recipient, batch.at
