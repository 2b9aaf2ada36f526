"""Claims shards of any run and sends them, in a worker."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

from attrs import define

from ...errors import CampaignError, LedgerError, MetrixChannelsError
from ...ledger import Counts, RunRecord
from ...ledger.runs.distributed import DistributedRunBook
from ...ledger.runs.shard_claim import ShardClaim
from ...logs import say
from ...outcomes import Problem
from ..dispatch.ending import Ending
from ..dispatch.sender import Sender, SendingResources
from ..exclusions.exclusions import Exclusions
from ..options import SendOptions

_KEPT: Final = 4
"""How many idle runs keep their connections and compiled templates for their next shard."""


@define
class _RunSender:
    """A sender and its users.

    Attributes:
        options: that it was created with.
        sender: of one run.
        users: how many shards it is sending.
    """

    options: str
    sender: Sender
    users: int = 0


class ShardRunner:
    """Sends several shards concurrently.

    Args:
        resources: for sending.
        book: the ledger's book of runs.

    Attributes:
        counts: shards, requests, and recipients by outcome, since this process started.
        busy: how many shards are being sent.
    """

    def __init__(self, resources: SendingResources, book: DistributedRunBook) -> None:
        self._resources = resources
        self._book = book
        self._senders: dict[int, _RunSender] = {}
        self._opening = asyncio.Lock()
        self.counts: Counter[str] = Counter()
        self.busy: int = 0

    async def work_on(self, run: int) -> None:
        """Claim a shard of a run and send it; do nothing if there is none.

        Raises:
            LedgerError: the ledger could not be reached; the sweep settles requests in flight.
        """
        if self._resources.stop.is_set():
            return
        claim = await self._book.claim(run)
        if claim is None:
            return
        self.busy += 1
        before = claim.record.counts.copy()
        try:
            await self._send(claim)
        finally:
            self.busy -= 1
            self._count(claim.record.counts.plus(before, -1))

    async def close(self) -> None:
        """Close connections."""
        senders, self._senders = self._senders, {}
        for post in senders.values():
            await post.sender.close()

    async def _send(self, claim: ShardClaim) -> None:
        options = SendOptions.load(claim.options)
        halted_by: Problem | None = None
        until = options.quiet_until()
        if until is None:
            ending = await self._dispatched(claim, options)
            halted_by = await self._find_halt(claim, ending.problem)
            until = options.quiet_until() if claim.is_quiet else None
        await self._book.hand_back(claim, halted_by, until)
        if halted_by is not None:
            say(logging.WARNING, "campaign halted", campaign=claim.record.name, code=halted_by.code)

    async def _find_halt(self, claim: ShardClaim, why: Problem | None) -> Problem | None:
        """Return the problem that halts the run; no problem if another worker started the run in time."""
        if why is not None and why.code == "schedule_missed":
            record = await self._book.get(claim.record.name)
            return None if record.counts.requests else why
        return why

    async def _dispatched(self, claim: ShardClaim, options: SendOptions) -> Ending:
        try:
            post = await self._post(claim, options)
        except MetrixChannelsError as error:  # this process cannot send any shard of this run
            return Ending(problem=error.problem)
        try:
            return await post.sender.send(claim.record, claim, lanes=claim.batches)
        except LedgerError as error:
            if error.code != "run_lost":
                raise
            say(logging.WARNING, error.message, campaign=claim.record.name, code=error.code)
            return Ending(interrupted=True)
        finally:
            post.users -= 1

    async def _post(self, claim: ShardClaim, options: SendOptions) -> _RunSender:
        """Return the sender of a run, shared by all its shards."""
        async with self._opening:
            run = claim.record.id
            post = self._senders.get(run)
            if post is None or post.options != claim.options:
                if post is not None:
                    await self._dismiss(run)
                self._require_same_application(claim.record)
                exclusions = Exclusions(options.cap, self._book)
                await exclusions.look_again(run)
                post = _RunSender(
                    claim.options, Sender(self._resources, claim.record, options, exclusions, shared=True)
                )
                self._senders[run] = post
            post.users += 1
            for other in [number for number, each in self._senders.items() if not each.users][:-_KEPT]:
                await self._dismiss(other)
            return post

    async def _dismiss(self, run: int) -> None:
        post = self._senders.pop(run)
        while post.users:  # noqa: ASYNC110 - the last shards with earlier options end soon
            await asyncio.sleep(0.05)
        await post.sender.close()

    def _require_same_application(self, record: RunRecord) -> None:
        settings = self._resources.file.current().metrix
        for name, here in (("app_id", settings.resolve_app_id()), ("base_url", settings.base_url)):
            if record.pins[name] != here:
                raise CampaignError(
                    f"The campaign {record.name!r} was planned with metrix.{name} {record.pins[name]}; this worker has"
                    f" {here}.",
                    code="run_pinned",
                )

    def _count(self, change: Counts) -> None:
        self.counts["shards"] += 1
        for name in ("requests", "accepted", "rejected", "unknown", "possible_duplicates"):
            self.counts[name] += getattr(change, name)
