"""Notifier: the same methods for synchronous code, such as Django views and scripts."""

from __future__ import annotations

import os
import weakref
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack, overload

from .asynchronous import AsyncNotifier
from .call import Call, Context, Recipients, content_of
from .portal import Portal
from .services import ServicesOfProcess

if TYPE_CHECKING:
    from ..campaign import AudienceRows, CampaignStatus
    from ..events import EventFields, MetrixUser, ProfileFields
    from ..ledger.messages.search import WatchMessages
    from ..outcomes import EventReceipt, Receipt, SentMessage
    from ..preflight import Preflight, WatchPreflight
    from .campaigns.asynchronous import StrPath
    from .campaigns.synchronous import Campaigns
    from .events.report import EventsReport, WatchEvents
    from .events.sources import Source
    from .messages import MessageQuery
    from .outbox.connections import Statements
    from .outbox.outbox import Drained


class Notifier:
    """Sends messages through the channels of one configuration.

    Create it with `from_config`. All threads of a process may share it, and it works before and after a fork. In code
    that runs in an event loop, use `AsyncNotifier`, because these methods would block the loop.
    """

    def __init__(self, services: ServicesOfProcess) -> None:
        self._services = services
        self._notifier = notifier = AsyncNotifier(services)
        self._portal = Portal(notifier.stop)
        # At exit, the portal finishes its work; everything that must be kept is on disk before a call returns.
        weakref.finalize(self, _wind_down, notifier, self._portal).atexit = False

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Load a configuration; see `AsyncNotifier.from_config`."""
        return cls(ServicesOfProcess.from_config(path))

    @overload
    def send(
        self,
        channel: str,
        to: str,
        template: str,
        context: Context | None = None,
        *,
        locale: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> Receipt: ...

    @overload
    def send(
        self,
        channel: str,
        to: str,
        *,
        text: str,
        title: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> Receipt: ...

    @overload
    def send(
        self,
        channel: str,
        to: Recipients,
        template: str,
        context: Context | None = None,
        *,
        locale: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> tuple[Receipt, ...]: ...

    @overload
    def send(
        self,
        channel: str,
        to: Recipients,
        *,
        text: str,
        title: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> tuple[Receipt, ...]: ...

    def send(
        self,
        channel: str,
        to: str | Recipients,
        template: str | None = None,
        context: Context | None = None,
        *,
        text: str | None = None,
        title: str | None = None,
        locale: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> Receipt | tuple[Receipt, ...]:
        """Send one message now; see `AsyncNotifier.send`."""
        call = Call(channel, to, content_of(template, context, locale, text, title), key, deadline)

        async def send() -> Receipt | tuple[Receipt, ...]:
            return await self._services.current().engine.send_or_raise(call)

        return self._portal.call(send())

    @overload
    def enqueue(
        self,
        channel: str,
        to: str | Recipients,
        template: str,
        context: Context | None = None,
        *,
        connection: object,
        locale: str | None = None,
        key: str | None = None,
        at: datetime | None = None,
    ) -> str: ...

    @overload
    def enqueue(
        self,
        channel: str,
        to: str | Recipients,
        *,
        connection: object,
        text: str,
        title: str | None = None,
        key: str | None = None,
        at: datetime | None = None,
    ) -> str: ...

    def enqueue(
        self,
        channel: str,
        to: str | Recipients,
        template: str | None = None,
        context: Context | None = None,
        *,
        connection: object,
        text: str | None = None,
        title: str | None = None,
        locale: str | None = None,
        key: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Put a message into the ledger within your own transaction; see `AsyncNotifier.enqueue`."""
        from .outbox.connections import carry_out

        call = Call(channel, to, content_of(template, context, locale, text, title), key)

        async def prepare() -> Statements[str]:
            return await self._services.current().outbox.enqueue(call, at)

        # The statements run in the caller's thread, because the connection belongs to it.
        return carry_out(self._portal.call(prepare()), connection)

    def withdraw(self, key: str, *, connection: object) -> bool:
        """Withdraw an enqueued message, within your own transaction; see `AsyncNotifier.withdraw`."""
        from .outbox.connections import carry_out

        async def prepare() -> Statements[bool]:
            return await self._services.current().outbox.withdraw(key)

        return carry_out(self._portal.call(prepare()), connection)

    def drain(self) -> Drained:
        """Send the messages of the ledger that are due, in this process; see `AsyncNotifier.drain`."""
        return self._portal.call(self._notifier.drain())

    def receipts(self, message: str) -> tuple[Receipt, ...] | None:
        """Return the receipts of an enqueued message; see `AsyncNotifier.receipts`."""
        return self._portal.call(self._notifier.receipts(message))

    @overload
    def dry_run(
        self,
        channel: str,
        to: str | Recipients,
        template: str,
        context: Context | None = None,
        *,
        locale: str | None = None,
    ) -> list[dict[str, object]]: ...

    @overload
    def dry_run(
        self,
        channel: str,
        to: str | Recipients,
        *,
        text: str,
        title: str | None = None,
    ) -> list[dict[str, object]]: ...

    def dry_run(
        self,
        channel: str,
        to: str | Recipients,
        template: str | None = None,
        context: Context | None = None,
        *,
        text: str | None = None,
        title: str | None = None,
        locale: str | None = None,
    ) -> list[dict[str, object]]:
        """Return the requests that `send` would make; see `AsyncNotifier.dry_run`."""
        call = Call(channel, to, content_of(template, context, locale, text, title))

        async def show() -> list[dict[str, object]]:
            return self._services.current().shown_requests(call)

        return self._portal.call(show())

    def messages(self, *, watch: WatchMessages | None = None, **wanted: Unpack[MessageQuery]) -> Iterator[SentMessage]:
        """Search the messages that were sent; see `AsyncNotifier.messages`. `watch` is called in another thread."""
        from .messages import find_messages, wanted_of

        chosen = wanted_of(wanted)

        async def begin() -> AsyncIterator[list[SentMessage]]:
            return find_messages(self._services.current(), chosen, watch)

        async def go_on(pages: AsyncIterator[list[SentMessage]]) -> list[SentMessage] | None:
            return await anext(pages, None)

        def found() -> Iterator[SentMessage]:
            pages = self._portal.call(begin())
            while (page := self._portal.call(go_on(pages))) is not None:
                yield from page

        return found()

    def identify(self, user: str | MetrixUser, **fields: Unpack[ProfileFields]) -> EventReceipt:
        """Tell Metrix who a user is; see `AsyncNotifier.identify`."""
        return self._portal.call(self._notifier.identify(user, **fields))

    def track(self, user: str | MetrixUser, **fields: Unpack[EventFields]) -> EventReceipt:
        """Tell Metrix about something that a user did; see `AsyncNotifier.track`."""
        return self._portal.call(self._notifier.track(user, **fields))

    def identify_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix who many users are; see `AsyncNotifier.identify_many`."""
        return self._portal.call(self._notifier.identify_many(source, watch=watch))

    def track_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix about many events; see `AsyncNotifier.track_many`."""
        return self._portal.call(self._notifier.track_many(source, watch=watch))

    def preflight(self, *names: str, offline: bool = False, watch: WatchPreflight | None = None) -> Preflight:
        """Run every check that is possible before sending; see `AsyncNotifier.preflight`."""
        return self._portal.call(self._notifier.preflight(*names, offline=offline, watch=watch))

    @cached_property
    def campaigns(self) -> Campaigns:
        """Plans campaigns, sends them, and reports their status."""
        from .campaigns.synchronous import Campaigns

        return Campaigns(self._notifier.campaigns, self._portal)

    def run_campaign(
        self, path: StrPath, *, name: str | None = None, audience: AudienceRows | None = None
    ) -> CampaignStatus:
        """Plan and send a campaign, or continue its run; see `AsyncCampaigns.run`."""
        return self.campaigns.run(path, name=name, audience=audience)

    def stop(self) -> None:
        """Start no new attempts; see `AsyncNotifier.stop`. You may call it in a signal handler."""
        self._portal.soon(self._notifier.stop)

    def close(self) -> None:
        """Close connections and ledger, and end the thread; the notifier may be used again."""
        self._portal.close(self._notifier.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _wind_down(notifier: AsyncNotifier, portal: Portal) -> None:
    portal.wind_down(notifier.close)
