"""What a notifier holds open, and how it sends one message: clients, templates and the ledger of one process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve

from ..api import PUSH, Exchange, MetrixClient, message_json, push_body
from ..config import Config, ConfigFile, require_verified
from ..delivery import (
    GRACE_SECONDS,
    Attempts,
    Delivery,
    Journal,
    Part,
    Policy,
    Post,
    RateLimiter,
    Request,
    Result,
    Verdict,
    give_up,
    resume_recipients,
    seconds_until,
    wait_at_most,
)
from ..errors import LedgerError, MetrixChannelsError
from ..ledger import (
    Busy,
    Claimed,
    Database,
    EvidenceBook,
    Finished,
    Observer,
    RateLimits,
    SendBook,
    SendJournal,
    open_database,
)
from ..ledger.database import Question, always
from ..ledger.descriptors import fitting_connections
from ..outcomes import Outcome, Problem, Receipt
from ..process import wall_clock
from ..templating import Templates
from .call import Call, checked_deadline
from .clients import Clients
from .conclusion import raise_unless_accepted, receipts_of
from .prepared import Prepared, entry, prepare

if TYPE_CHECKING:
    from ..campaign import SendingResources
    from ..ledger.sends.outbox import OutboxMessage

_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.02, 0.5


class Engine:
    """Sends, one call after the other or many at once, in one event loop.

    It serves one event loop at a time; connections, places and waits are made anew for the next.

    Settings under `metrix`, the templates' folder and the ledger are those of the first look at the file, unless
    `look_again` is called; channels and their verification are looked at again before each send.

    Args:
        file: the configuration.
        config: as it was at the first look.
        templates: of its folder; the caller closes them.
    """

    def __init__(self, file: ConfigFile, config: Config, templates: Templates) -> None:
        self._file = file
        self._config = config
        self.templates = templates
        self.book_file: Database = open_database(self._config)
        self.book: SendBook = SendBook(self.book_file)
        self.rate_limits: RateLimits = RateLimits(self.book_file)
        kept = self._config.keep_attempts
        self.evidence: EvidenceBook = EvidenceBook(self.book_file, days=kept.days, size=kept.size)
        self.observer: Observer = Observer(self.evidence)
        self.clients: Clients = Clients(lambda: self._config.metrix)
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._places = self._new_places()
        self._rng = random.Random()
        self.requests = 0

    def stop(self) -> None:
        """Begin no further attempt."""
        self._stopped = True
        self._stop.set()

    @property
    def is_stopped(self) -> bool:
        """Whether no further attempt is to begin."""
        return self._stopped

    async def aclose(self) -> None:
        """Let go of connections and the ledger."""
        await self.clients.close()
        await self.book_file.close()

    @property
    def config(self) -> Config:
        """The configuration as it was at the first look."""
        return self._config

    @property
    def app_id(self) -> str:
        """The application that is spoken for."""
        return self._config.metrix.resolve_app_id()

    def look_again(self) -> Config:
        """Follow the file, and what it names, as they are now: a worker runs for longer than its settings last.

        Returns:
            The configuration, with which this process can send.

        Raises:
            ConfigError: it can send nothing: the file, the credentials or `ca_file` cannot be used.
        """
        current = self._file.current()
        self._config = evolve(self._config, metrix=current.metrix)
        self.clients.renew()
        return current

    def resources(self) -> SendingResources:
        """Return what campaigns are sent with."""
        from ..campaign import SendingResources

        self._follow_loop()
        return SendingResources(
            self._file, self.templates, self.rate_limits, self.clients.for_many, self.observer, self._stop, self._places
        )

    def prepare(self, call: Call) -> Prepared:
        """Pass the gate, render and check; no network, no ledger."""
        channel = self._file.current().channel(call.channel)
        return prepare(call, channel, self.app_id, self.templates)

    async def send(self, call: Call) -> tuple[Receipt, ...]:
        """Send, or find what an earlier call with the same key came to.

        Raises:
            MetrixChannelsError: before anything was sent; afterwards the receipts tell.
        """
        self._follow_loop()
        ends = self._ends(checked_deadline(call.deadline))
        prepared = self.prepare(call)
        client, app_id = self.clients.kept(), self.app_id
        claim = await self._claim(call, prepared, app_id, ends)
        if isinstance(claim, Finished):
            return _repeated(claim.receipts)
        results = await self._delivered(call.channel, prepared, claim, client, ends)
        receipts = receipts_of(results, claim.id, call.channel, wall_clock.now())
        is_wanted = True
        finishing = self.finish(claim.id, (*claim.settled, *receipts), lambda: is_wanted)
        try:
            await wait_at_most(seconds_until(ends) + GRACE_SECONDS, finishing)
        except TimeoutError:
            # What left is written down as soon as the ledger can be written; a process does not end before that.
            is_wanted = any(receipt.outcome is not Outcome.NOT_SENT for receipt in receipts)
            if is_wanted:
                raise _unrecorded("The ledger did not answer within the deadline.", receipts) from None
        return (*_repeated(claim.settled), *receipts)

    async def send_or_raise(self, call: Call) -> Receipt | tuple[Receipt, ...]:
        """Send, and return the receipt; for several recipients all of them. See `AsyncNotifier.send`."""
        receipts = await self.send(call)
        raise_unless_accepted(receipts)
        return receipts[0] if isinstance(call.to, str) else receipts

    def _ends(self, seconds: float | None) -> float:
        """Return the deadline of what begins now, by the loop's clock."""
        return asyncio.get_running_loop().time() + (seconds or self._config.metrix.deadline)

    async def deliver_from_outbox(self, queued: OutboxMessage, prepared: Prepared) -> list[Result]:
        """Send a message that this process claimed, and return what became of each recipient.

        Raises:
            ConfigError: this process can send nothing; nothing was sent.
            LedgerError: the books cannot be kept.
        """
        return await self._delivered(queued.channel, prepared, queued.claim, self.clients.kept(), self._ends(None))

    async def _delivered(
        self, channel: str, prepared: Prepared, claim: Claimed, client: MetrixClient, ends: float
    ) -> list[Result]:
        try:
            return await self._deliver(channel, prepared, claim, client, ends)
        except BaseException:
            # Cancelled, or the ledger failed: whoever calls next with this key takes up what is left.
            with suppress(LedgerError, TimeoutError):
                await wait_at_most(seconds_until(ends) + GRACE_SECONDS, self.book.abandon(claim.id))
            raise

    async def _claim(self, call: Call, prepared: Prepared, app_id: str, ends: float) -> Claimed | Finished:
        asked = entry(call, prepared, app_id)
        if asked.key is None:
            return self.book.open(asked)
        poll = _FIRST_POLL_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(ends):
                    claim = await self.book.claim(asked)
            except TimeoutError:
                why = "The ledger did not answer within the deadline, and nothing was sent."
                results = [give_up(Part(prepared.recipients), "deadline_passed", why)]
                receipts = receipts_of(results, asked.id, call.channel, wall_clock.now())
                raise LedgerError(why, code="deadline_passed", receipts=receipts) from None
            if not isinstance(claim, Busy):
                return claim
            if seconds_until(ends) < poll or self._stopped:
                raise LedgerError(f"Another call is still sending with the key {call.key!r}.", code="key_busy")
            await asyncio.sleep(poll)
            poll = min(poll * 2, _LONGEST_POLL_SECONDS)

    def _new_places(self) -> asyncio.Semaphore:
        """Return as many places as requests may be in flight: each of them has a connection."""
        return asyncio.Semaphore(fitting_connections(self._config.metrix.concurrency))

    def _follow_loop(self) -> None:
        """Recreate what belongs to another event loop."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        self._loop = loop
        self._places = self._new_places()
        self._stop = asyncio.Event()
        if self._stopped:
            self._stop.set()

    async def _deliver(
        self, channel: str, prepared: Prepared, claim: Claimed, client: MetrixClient, ends: float
    ) -> list[Result]:
        attempts = Attempts(client, self.observer)
        message = message_json(prepared.message.metrix_channel, prepared.message.fields)

        async def post(recipients: tuple[str, ...], seconds: float) -> tuple[Exchange, Verdict]:
            body = push_body(recipients, message)
            self.requests += 1
            request = Request(path=PUSH, body=body, recipients=len(recipients), reference=claim.id, channel=channel)
            return await attempts.make(request, seconds, prepared.hidden)

        resumption = resume_recipients(claim.still_open(prepared.recipients), claim.past, self._config.on_ambiguous)
        delivery = self.delivery(post, SendJournal(self.book, claim.id), channel)
        parts = [small for part in resumption.parts for small in _divided(part, self._config.metrix.batch_size)]
        return [*resumption.settled, *await delivery.run(parts, ends)]

    def delivery(self, post: Post, journal: Journal, channel: str | None) -> Delivery:
        """Return what delivers within this configuration's limits.

        Args:
            post: makes one attempt.
            journal: where attempts are written down.
            channel: whose verification is looked at before each attempt; None for users and events, which need none.
        """
        settings = self._config.metrix
        return Delivery(
            post=post,
            journal=journal,
            policy=Policy(settings.max_attempts, settings.timeout, self._config.on_ambiguous, settings.split_refused),
            places=self._places,
            rate_limiter=RateLimiter([self.rate_limits.limit(settings.rate_limit)] if settings.rate_limit else []),
            refusal=lambda: None if channel is None else self.refusal(channel),
            stop=self._stop,
            rng=self._rng,
        )

    async def finish(self, send: str, receipts: tuple[Receipt, ...], is_wanted: Question = always) -> None:
        """Write down the outcome of a send; the arguments are those of `SendBook.finish`.

        Raises:
            LedgerError: outcome_unrecorded.
        """
        try:
            await self.book.finish(send, receipts, is_wanted)
        except LedgerError as error:
            raise _unrecorded(error.message, receipts) from error

    def refusal(self, channel: str) -> Problem | None:
        """Return why this process may not send through a channel now; None when it may."""
        try:
            require_verified(self._file.current().channel(channel), self.app_id, wall_clock.now())
        except MetrixChannelsError as error:
            return error.problem
        return None


def _repeated(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    return tuple(evolve(receipt, repeated=True) for receipt in receipts)


def _unrecorded(why: str, receipts: tuple[Receipt, ...]) -> LedgerError:
    message = f"The send ended, but its outcome could not be written down: {why}"
    return LedgerError(message, code="outcome_unrecorded", receipts=receipts)


def _divided(part: Part, batch_size: int) -> list[Part]:
    return [
        evolve(part, recipients=part.recipients[start : start + batch_size])
        for start in range(0, len(part.recipients), batch_size)
    ]
