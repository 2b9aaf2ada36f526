"""The work of one worker: shares of whatever runs there are, sent as everything else is sent."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

from attrs import define

from ...errors import CampaignError, LedgerError, MetrixChannelsError
from ...ledger import RunRecord, Tally
from ...ledger.runs.distributed import ClusterRunBook
from ...ledger.runs.shard_claim import Share
from ...logs import say
from ...outcomes import Problem
from ..dispatch.ending import Ending
from ..dispatch.sender import Office, Sender
from ..exclusions.exclusions import Screens
from ..options import Orders

_KEPT: Final = 4
"""Runs whose connections and compiled templates are kept for their next share."""


@define
class _Post:
    """A sender and who uses it.

    Attributes:
        orders: that it was made by.
        sender: of one run.
        users: shares that are being sent by it.
    """

    orders: str
    sender: Sender
    users: int = 0


class Crew:
    """Sends shares, several beside each other.

    Args:
        office: what this process sends with.
        book: the ledger's book of runs.

    Attributes:
        counts: shares, requests, and recipients by outcome, since this process began.
        busy: shares under way.
    """

    def __init__(self, office: Office, book: ClusterRunBook) -> None:
        self._office = office
        self._book = book
        self._posts: dict[int, _Post] = {}
        self._opening = asyncio.Lock()
        self.counts: Counter[str] = Counter()
        self.busy = 0

    async def work_on(self, run: int) -> None:
        """Send a share of a run; nothing, when none is to be had.

        Raises:
            LedgerError: the ledger could not be reached; what is under way is left for the sweep.
        """
        if self._office.stop.is_set():
            return
        share = await self._book.claim(run)
        if share is None:
            return
        self.busy += 1
        before = share.record.tally.copy()
        try:
            await self._send(share)
        finally:
            self.busy -= 1
            self._count(share.record.tally.plus(before, -1))

    async def close(self) -> None:
        """Let go of connections."""
        posts, self._posts = self._posts, {}
        for post in posts.values():
            await post.sender.close()

    async def _send(self, share: Share) -> None:
        orders = Orders.load(share.orders)
        halted_by: Problem | None = None
        until = orders.quiet_until()
        if until is None:
            ending = await self._dispatched(share, orders)
            halted_by = ending.problem
            until = orders.quiet_until() if share.is_quiet else None
        await self._book.hand_back(share, halted_by, until)
        if halted_by is not None:
            say(logging.WARNING, "campaign halted", campaign=share.record.name, code=halted_by.code)

    async def _dispatched(self, share: Share, orders: Orders) -> Ending:
        try:
            post = await self._post(share, orders)
        except MetrixChannelsError as error:  # this process cannot send for this run, whatever share of it
            return Ending(problem=error.problem)
        try:
            return await post.sender.send(share.record, share, lanes=share.batches)
        except LedgerError as error:
            if error.code != "run_lost":
                raise
            say(logging.WARNING, error.message, campaign=share.record.name, code=error.code)
            return Ending(interrupted=True)
        finally:
            post.users -= 1

    async def _post(self, share: Share, orders: Orders) -> _Post:
        """Return what sends a run, made once for all its shares."""
        async with self._opening:
            run = share.record.id
            post = self._posts.get(run)
            if post is None or post.orders != share.orders:
                if post is not None:
                    await self._dismiss(run)
                self._require_same_application(share.record)
                screens = Screens(orders.cap, self._book)
                await screens.look_again(run)
                post = _Post(share.orders, Sender(self._office, share.record, orders, screens, shared=True))
                self._posts[run] = post
            post.users += 1
            for other in [number for number, each in self._posts.items() if not each.users][:-_KEPT]:
                await self._dismiss(other)
            return post

    async def _dismiss(self, run: int) -> None:
        post = self._posts.pop(run)
        while post.users:  # noqa: ASYNC110 - of earlier orders, whose shares are about to end
            await asyncio.sleep(0.05)
        await post.sender.close()

    def _require_same_application(self, record: RunRecord) -> None:
        settings = self._office.file.current().metrix
        for name, here in (("app_id", settings.resolve_app_id()), ("base_url", settings.base_url)):
            if record.pins[name] != here:
                raise CampaignError(
                    f"The campaign {record.name!r} was planned for metrix.{name} {record.pins[name]}; this worker has"
                    f" {here}.",
                    code="run_pinned",
                )

    def _count(self, change: Tally) -> None:
        self.counts["shares"] += 1
        for name in ("requests", "accepted", "rejected", "unknown", "possible_duplicates"):
            self.counts[name] += getattr(change, name)
