"""Sends one message with the clients, templates and ledger that a notifier keeps open in one process."""

from __future__ import annotations

import asyncio
import logging
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
    Deadlines,
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
from ..errors import LedgerError, MetrixChannelsError, UsageError
from ..ledger import (
    Busy,
    Claimed,
    Database,
    Entry,
    EvidenceBook,
    Finished,
    KeyUsed,
    Observer,
    RateLimits,
    SendBook,
    SendJournal,
    open_database,
)
from ..ledger.database import Question, always
from ..ledger.descriptors import fitting_connections
from ..logs import say
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
    """Sends messages in one event loop, one call after the other or many at once.

    It serves one event loop at a time, and creates connections, places and waits again for the next one.

    It reads settings under `metrix`, the template folder and the ledger once, unless `look_again` is called. It
    reads channels and their verification again before each send.

    Args:
        file: the configuration.
        config: the configuration as it was read first.
        templates: the templates of its folder; the caller closes them.
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
        self._app_id: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._places = self._new_places()
        self._deadlines = Deadlines()
        self._rng = random.Random()
        self.requests = 0

    def stop(self) -> None:
        """Begin no further attempt."""
        self._stop.set()

    @property
    def is_stopped(self) -> bool:
        """Whether no further attempt may begin."""
        return self._stop.is_set()

    async def aclose(self) -> None:
        """Close connections and the ledger; log what can still not be written, because its callers know already."""
        await self.clients.close()
        try:
            await self.book_file.close()
        except LedgerError as error:
            say(logging.WARNING, error.message, code=error.code)

    @property
    def config(self) -> Config:
        """The configuration as it was read first; `look_again` updates its `metrix` settings."""
        return self._config

    @property
    def app_id(self) -> str:
        """The APP_ID of the application that sends."""
        if self._app_id is None:
            self._app_id = self._config.metrix.resolve_app_id()
        return self._app_id

    def look_again(self) -> Config:
        """Read the configuration, the credentials and `ca_file` again: a worker outlives its settings.

        Returns:
            The current configuration. This process can send with it.

        Raises:
            ConfigError: this process cannot send: the file, the credentials or `ca_file` cannot be used.
        """
        current = self._file.current()
        self._config = evolve(self._config, metrix=current.metrix)
        self._app_id = None
        self.clients.renew()
        return current

    def resources(self) -> SendingResources:
        """Return the resources that campaigns need to send."""
        from ..campaign import SendingResources

        self.follow_loop()
        return SendingResources(
            self._file, self.templates, self.rate_limits, self.clients.for_many, self.observer, self._stop, self._places
        )

    def prepare(self, call: Call) -> Prepared:
        """Check the channel, render and validate, without a network and without the ledger."""
        channel = self._file.current().channel(call.channel)
        return prepare(call, channel, self.app_id, self.templates)

    async def send(self, call: Call) -> tuple[Receipt, ...]:
        """Send, or return the receipts of an earlier call with the same key.

        Raises:
            MetrixChannelsError: nothing was sent. Later failures are in the receipts.
        """
        self.follow_loop()
        ends = self._ends(checked_deadline(call.deadline))
        prepared = self.prepare(call)
        client, app_id = self.clients.kept(), self.app_id
        asked = entry(call, prepared, app_id)
        if asked.key is None or self._is_free:
            with suppress(KeyUsed):
                return await self._send_claimed(call, prepared, self.book.open(asked), client, ends)
        claim = await self._claim(asked, ends)
        if isinstance(claim, Finished):
            return _mark_repeated(claim.receipts)
        return await self._send_claimed(call, prepared, claim, client, ends)

    @property
    def _is_free(self) -> bool:
        """Whether a request can leave without waiting for others, so that its key is claimed with its intent."""
        return not (self.is_stopped or self._places.locked() or self._config.metrix.rate_limit)

    async def _send_claimed(
        self, call: Call, prepared: Prepared, claim: Claimed, client: MetrixClient, ends: float
    ) -> tuple[Receipt, ...]:
        results = await self._deliver_claimed(call.channel, prepared, claim, client, ends)
        receipts = receipts_of(results, claim.id, call.channel, wall_clock.now())
        is_wanted = True
        try:
            with self._deadlines.until(max(ends, asyncio.get_running_loop().time()) + GRACE_SECONDS):
                await self.finish(claim.id, (*claim.settled, *receipts), lambda: is_wanted)
        except TimeoutError:
            # If a request left, its outcome is recorded as soon as the ledger works; the process waits for that.
            is_wanted = any(receipt.outcome is not Outcome.NOT_SENT for receipt in receipts)
            if is_wanted:
                raise _unrecorded_error("The ledger did not answer within the deadline.", receipts) from None
        return (*_mark_repeated(claim.settled), *receipts)

    async def send_or_raise(self, call: Call) -> Receipt | tuple[Receipt, ...]:
        """Send, and return the receipt, or all receipts for several recipients; see `Notifier.send`."""
        receipts = await self.send(call)
        raise_unless_accepted(receipts)
        return receipts[0] if isinstance(call.to, str) else receipts

    def _ends(self, seconds: float | None) -> float:
        """Return the deadline of a call that begins now, by the loop's clock."""
        return asyncio.get_running_loop().time() + (seconds or self._config.metrix.deadline)

    async def deliver_from_outbox(self, queued: OutboxMessage, prepared: Prepared) -> list[Result]:
        """Send a message that this process claimed, and return a result for each group of recipients.

        Raises:
            ConfigError: this process cannot send; nothing was sent.
            LedgerError: the ledger cannot be written.
        """
        return await self._deliver_claimed(
            queued.channel, prepared, queued.claim, self.clients.kept(), self._ends(None)
        )

    async def _deliver_claimed(
        self, channel: str, prepared: Prepared, claim: Claimed, client: MetrixClient, ends: float
    ) -> list[Result]:
        try:
            return await self._deliver(channel, prepared, claim, client, ends)
        except BaseException:
            # Cancelled, or the ledger failed: the next call with this key continues.
            with suppress(LedgerError, TimeoutError):
                await wait_at_most(seconds_until(ends) + GRACE_SECONDS, self.book.abandon(claim.id))
            raise

    async def _claim(self, asked: Entry, ends: float) -> Claimed | Finished:
        poll = _FIRST_POLL_SECONDS
        while True:
            try:
                with self._deadlines.until(ends):
                    claim = await self.book.claim(asked)
            except TimeoutError:
                why = "The ledger did not answer within the deadline, and nothing was sent."
                results = [give_up(Part(asked.recipients), "deadline_passed", why)]
                receipts = receipts_of(results, asked.id, asked.channel, wall_clock.now())
                raise LedgerError(why, code="deadline_passed", receipts=receipts) from None
            if not isinstance(claim, Busy):
                return claim
            if seconds_until(ends) < poll or self.is_stopped:
                raise LedgerError(f"Another call is still sending with the key {asked.key!r}.", code="key_busy")
            await asyncio.sleep(poll)
            poll = min(poll * 2, _LONGEST_POLL_SECONDS)

    def _new_places(self) -> asyncio.Semaphore:
        """Return one place for each request that may be in flight; each needs a connection."""
        return asyncio.Semaphore(fitting_connections(self._config.metrix.concurrency))

    def follow_loop(self) -> None:
        """Create again what belongs to another event loop; call it before anything that sends.

        Raises:
            UsageError: usage, if the other event loop is running. Its connections cannot be used in this one.
        """
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise UsageError(
                "This AsyncNotifier is in use in another event loop, which is still running.",
                code="usage",
                remedy="Use a `Notifier`, which all threads may share, or one AsyncNotifier for each event loop.",
            )
        self._loop = loop
        self._places = self._new_places()
        self._deadlines = Deadlines()
        is_stopped, self._stop = self.is_stopped, asyncio.Event()
        if is_stopped:
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
            exchange, verdict = await attempts.make(request, seconds, prepared.hidden)
            if not verdict.is_accepted:
                self._file.forget_look()  # the channel may have been withdrawn before the next attempt
            return exchange, verdict

        resumption = resume_recipients(claim.still_open(prepared.recipients), claim.past, self._config.on_ambiguous)
        delivery = self.delivery(post, SendJournal(self.book, claim.id), channel)
        parts = [small for part in resumption.parts for small in _split(part, self._config.metrix.batch_size)]
        return [*resumption.settled, *await delivery.run(parts, ends)]

    def delivery(self, post: Post, journal: Journal, channel: str | None) -> Delivery:
        """Return a delivery with this configuration's limits.

        Args:
            post: makes one attempt.
            journal: records attempts.
            channel: its verification is checked before each attempt; None for users and events, which need none.
        """
        self.follow_loop()
        settings = self._config.metrix
        return Delivery(
            post=post,
            journal=journal,
            policy=Policy(settings.max_attempts, settings.timeout, self._config.on_ambiguous, settings.split_refused),
            places=self._places,
            rate_limiter=RateLimiter([self.rate_limits.limit(settings.rate_limit)] if settings.rate_limit else []),
            refusal=lambda: None if channel is None else self.refusal(channel),
            stop=self._stop,
            deadlines=self._deadlines,
            rng=self._rng,
        )

    async def finish(self, send: str, receipts: tuple[Receipt, ...], is_wanted: Question = always) -> None:
        """Record the outcome of a send; the arguments are those of `SendBook.finish`.

        Raises:
            LedgerError: outcome_unrecorded.
        """
        try:
            await self.book.finish(send, receipts, is_wanted)
        except LedgerError as error:
            raise _unrecorded_error(error.message, receipts) from error

    def refusal(self, channel: str) -> Problem | None:
        """Return why this process may not send through a channel now; None if it may."""
        try:
            require_verified(self._file.recent().channel(channel), self.app_id, wall_clock.now())
        except MetrixChannelsError as error:
            return error.problem
        return None


def _mark_repeated(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    return tuple(evolve(receipt, repeated=True) for receipt in receipts)


def _unrecorded_error(why: str, receipts: tuple[Receipt, ...]) -> LedgerError:
    message = f"The send ended, but its outcome could not be recorded: {why}"
    return LedgerError(message, code="outcome_unrecorded", receipts=receipts)


def _split(part: Part, batch_size: int) -> list[Part]:
    if len(part.recipients) <= batch_size:
        return [part]
    return [
        evolve(part, recipients=part.recipients[start : start + batch_size])
        for start in range(0, len(part.recipients), batch_size)
    ]
