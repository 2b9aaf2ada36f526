"""Notifier: the same methods for synchronous code, such as Django views and scripts."""

from __future__ import annotations

import os
import weakref
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack, overload

from .asynchronous import AsyncNotifier
from .call import Call, Context, Recipients, content_of
from .outbox.synchronous import Outbox
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


class Notifier(Outbox):
    """Sends messages through the channels of one configuration.

    Create it with `from_config`. All threads of a process may share it, and it works before and after a fork. In code
    that runs in an event loop, use `AsyncNotifier`, because these methods would block the loop.
    """

    def __init__(self, services: ServicesOfProcess) -> None:
        self._notifier = notifier = AsyncNotifier(services)
        super().__init__(services, Portal(notifier.stop))
        # At exit, the portal finishes its work; everything that must be kept is on disk before a call returns.
        weakref.finalize(self, _wind_down, notifier, self._portal).atexit = False

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Load a configuration.

        Args:
            path: the file; None for the file in $METRIX_CHANNELS_CONFIG, or ./channels.yaml.

        Raises:
            ConfigError: config_missing, or the file is wrong; `.location` is file, line and column.
        """
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
        """Send one message now.

        Args:
            channel: a channel's name in the configuration.
            to: one customUserId, or several that get the same text.
            template: a template's name: its folder in `templates`.
            context: values for the template: text, numbers, True, False, None, dates, lists and mappings.
            text: the message itself, instead of a template. It is sent as it is: nothing in it is rendered.
            title: the title of a push, or the subject of an email; only with `text`.
            locale: such as `fa`; without a template file for it, the file without a locale is used.
            key: identifies this message. A second call with the same key and content returns the receipt of the
                first call and sends nothing, even from another process or after a crash.
            deadline: seconds for the whole call, with all waits and retries; None for `metrix.deadline` of the
                configuration. In a web request, use about a third of the server's timeout.

        Returns:
            The receipt; for several recipients a tuple of receipts, in which each recipient occurs once. The outcome
            of all receipts is `accepted`; any other outcome is an error.

        Raises:
            ChannelUnverified: the channel has no valid record of a dashboard test; nothing was sent.
            ConfigError, TemplateError, MessageInvalid: nothing was sent.
            Rejected: Metrix refused the message; see `.receipts`.
            OutcomeUnknown: Metrix may have the message; see `.receipts`. Send it again only with the same key.
            CredentialsRefused, Unreachable: Metrix has not taken the message, and you may send it again.
            LedgerError: key_reused, key_busy, or the ledger cannot be used.
            UsageError: `template` and `text` were both given, or neither; `key` is not one line of text; or
                `deadline` is not a number of seconds above 0.
        """
        call = Call(channel, to, content_of(template, context, locale, text, title), key, deadline)

        async def send() -> Receipt | tuple[Receipt, ...]:
            return await self._services.current().engine.send_or_raise(call)

        return self._portal.call(send())

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
        """Return the requests that `send` would make: method, URL, headers with the key masked, and body.

        Raises:
            MetrixChannelsError: what `send` raises before its first request, such as ChannelUnverified.
        """
        call = Call(channel, to, content_of(template, context, locale, text, title))

        async def show() -> list[dict[str, object]]:
            return self._services.current().shown_requests(call)

        return self._portal.call(show())

    def messages(self, *, watch: WatchMessages | None = None, **wanted: Unpack[MessageQuery]) -> Iterator[SentMessage]:
        """Search the messages of sends, the outbox and campaigns, and yield them, newest first.

        Args:
            watch: called with the progress, in another thread. A search among a million recipients takes about a
                second.
            **wanted: the conditions, such as `recipient="user-42"`; see `MessageQuery`.

        Raises:
            MessageInvalid, UsageError: a condition is invalid.
            CampaignError: run_missing, run_purged.
            LedgerError: the ledger cannot be used.
        """
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
        """Tell Metrix who a user is.

        Args:
            user: the customUserId; `MetrixUser(id)` for an id that Metrix assigned.
            **fields: the data of the user, such as `email="sara@example.com"`; see `ProfileFields`.

        Raises:
            EventInvalid: Metrix would not accept a field; no request was made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.event`.
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        return self._portal.call(self._notifier.identify(user, **fields))

    def track(self, user: str | MetrixUser, **fields: Unpack[EventFields]) -> EventReceipt:
        """Tell Metrix about something that a user did.

        No two events of one user get the same time, even from different processes: Metrix would drop the second one.

        Args:
            user: the customUserId; `MetrixUser(id)` for an id that Metrix assigned.
            **fields: `name` or `slug`, and other fields; see `EventFields`.

        Raises:
            EventInvalid: Metrix would not accept a field, or the user already has an event of that time; no request was
                made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.event`.
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        return self._portal.call(self._notifier.track(user, **fields))

    def identify_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix who many users are; works like `track_many`. Each record has the arguments of `identify`."""
        return self._portal.call(self._notifier.identify_many(source, watch=watch))

    def track_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix about many events. Up to 100 events of one user share a request, and many requests run at once.

        If every event has a time, you may send the source again after a crash: no event is sent twice.

        Args:
            source: the path of a file with one JSON object on each line, or a list of mappings. Each has `user` or
                `metrix_user`, and the arguments of `track`; dates and times may be text in ISO 8601. The whole source
                is checked before anything is sent.
            watch: called with the report so far after each request.

        Raises:
            EventInvalid: a record is invalid; the error's location names it. Nothing was sent.
            UsageError: file_unreadable; nothing was sent.
            LedgerError: the ledger cannot be used.
        """
        return self._portal.call(self._notifier.track_many(source, watch=watch))

    def preflight(self, *names: str, offline: bool = False, watch: WatchPreflight | None = None) -> Preflight:
        """Run every check that is possible before sending.

        Args:
            *names: names of channels, each checked with every template; and paths of campaign files (.yaml, .yml),
                each checked with its own template and every row of its audience. Without names, all channels are
                checked.
            offline: skip the connection to Metrix.
            watch: called with the number of checked templates and their total.

        Returns:
            The checks; `.raise_for_failures()` raises PreflightFailed if one of them failed.
        """
        return self._portal.call(self._notifier.preflight(*names, offline=offline, watch=watch))

    @cached_property
    def campaigns(self) -> Campaigns:
        """Plans campaigns, sends them, and reports their status."""
        from .campaigns.synchronous import Campaigns

        return Campaigns(self._notifier.campaigns, self._portal)

    def run_campaign(
        self, path: StrPath, *, name: str | None = None, audience: AudienceRows | None = None
    ) -> CampaignStatus:
        """Plan and send a campaign, or continue its run; see `Campaigns.run`, which takes more arguments."""
        return self.campaigns.run(path, name=name, audience=audience)

    def stop(self) -> None:
        """Start no new attempts; attempts in flight finish, and their outcomes are recorded.

        You may call it in a signal handler.
        """
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
