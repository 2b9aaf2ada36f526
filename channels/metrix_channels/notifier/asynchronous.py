"""AsyncNotifier: the engine's methods for code that runs in an event loop."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack, overload

from .call import Call, Context, Recipients, content_of
from .outbox.asynchronous import AsyncOutbox
from .services import ServicesOfProcess

if TYPE_CHECKING:
    from ..campaign import AudienceRows, CampaignStatus
    from ..events import EventFields, MetrixUser, ProfileFields
    from ..ledger.messages.search import WatchMessages
    from ..outcomes import EventReceipt, Receipt, SentMessage
    from ..preflight import Preflight, WatchPreflight
    from .campaigns.asynchronous import AsyncCampaigns, StrPath
    from .events.report import EventsReport, WatchEvents
    from .events.sources import Source
    from .messages import MessageQuery


class AsyncNotifier(AsyncOutbox):
    """Sends messages through the channels of one configuration.

    Made by `from_config`. It may be shared by all tasks of a process; after a fork the child opens its own
    connections and its own ledger.
    """

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Load a configuration.

        Args:
            path: of the file; None for $METRIX_CHANNELS_CONFIG or ./channels.yaml.

        Raises:
            ConfigError: it is missing or wrong; the error names file, line and column.
        """
        return cls(ServicesOfProcess.from_config(path))

    @overload
    async def send(
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
    async def send(
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
    async def send(
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
    async def send(
        self,
        channel: str,
        to: Recipients,
        *,
        text: str,
        title: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> tuple[Receipt, ...]: ...

    async def send(
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
            template: a template's name.
            context: values for the template: text, numbers, true/false, None, dates, lists and mappings.
            text: the message itself, in place of a template. It goes as it is: nothing in it is rendered.
            title: of a push, or the subject of an email; with `text` alone.
            locale: such as `fa`; falls back to the template without a locale.
            key: names this message. A second call with the same key and content returns what the first one came
                to and sends nothing, also from another process and after a crash.
            deadline: seconds for all of it: other calls under the key, the rate limit, retries, the ledger. None for
                `deadline` of the configuration. What handles a web request gives a few seconds less than its server
                allows.

        Returns:
            The receipt; for several recipients a tuple of receipts that name each of them once. Every one of
            them is `accepted`.

        Raises:
            ChannelUnverified: nobody tested the channel; no request was made.
            ConfigError, TemplateError, MessageInvalid: no request was made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.receipts`.
            LedgerError: key_reused, key_busy, or the ledger cannot be used.
            UsageError: both `template` and `text`, or neither; `key` is not one line of text, or `deadline` is no
                number of seconds above 0.
        """
        call = Call(channel, to, content_of(template, context, locale, text, title), key, deadline)
        return await self._services.current().engine.send_or_raise(call)

    @overload
    async def dry_run(
        self,
        channel: str,
        to: str | Recipients,
        template: str,
        context: Context | None = None,
        *,
        locale: str | None = None,
    ) -> list[dict[str, object]]: ...

    @overload
    async def dry_run(
        self,
        channel: str,
        to: str | Recipients,
        *,
        text: str,
        title: str | None = None,
    ) -> list[dict[str, object]]: ...

    async def dry_run(
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
            MetrixChannelsError: as in `send` before its first request; ChannelUnverified too.
        """
        call = Call(channel, to, content_of(template, context, locale, text, title))
        return self._services.current().shown_requests(call)

    def messages(
        self, *, watch: WatchMessages | None = None, **wanted: Unpack[MessageQuery]
    ) -> AsyncIterator[SentMessage]:
        """Give what was sent to whom by sends, the outbox and campaigns, newest first.

        Args:
            watch: told how far the search has come; a ledger of a million recipients takes about a second.
            **wanted: which messages; see `MessageQuery`.

        Raises:
            MessageInvalid, UsageError: what is wanted is not as it must be.
            CampaignError: run_missing, run_purged.
            LedgerError: the ledger cannot be used.
        """
        from .messages import each_message, wanted_of

        return each_message(self._services.current(), wanted_of(wanted), watch)

    async def identify(self, user: str | MetrixUser, **fields: Unpack[ProfileFields]) -> EventReceipt:
        """Tell Metrix who a user is.

        Args:
            user: the customUserId; `MetrixUser(id)` for one that Metrix gave the id.
            **fields: what is known of the user; see `ProfileFields`.

        Raises:
            EventInvalid: a field is not as Metrix demands; no request was made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.event`.
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        return await self._services.current().tracker.identify(user, fields)

    async def track(self, user: str | MetrixUser, **fields: Unpack[EventFields]) -> EventReceipt:
        """Tell Metrix of something that a user did.

        No two events of one user get the same time, whatever sends them: Metrix would drop the second one.

        Args:
            user: the customUserId; `MetrixUser(id)` for one that Metrix gave the id.
            **fields: `name` or `slug`, and what else is known; see `EventFields`.

        Raises:
            EventInvalid: a field is not as Metrix demands, or the user has an event of that time; no request was made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.event`.
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        return await self._services.current().tracker.track(user, fields)

    async def identify_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix who many users are; see `track_many`, whose records hold the arguments of `identify` here."""
        return await self._services.current().tracker.identify_many(source, watch)

    async def track_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix of many events, a request for up to 100 of one user, many requests at a time.

        A source whose events have their times may be sent again after a crash: what Metrix has is not sent twice.

        Args:
            source: the path of a file with one JSON object a line, or a list of mappings: `user` or `metrix_user`,
                and the arguments of `track`; dates and times may be text in ISO 8601. All of it is checked before
                anything is sent.
            watch: told how it stands after each request.

        Raises:
            EventInvalid: a record is not as Metrix demands, named by the error's location; nothing was sent.
            UsageError: file_unreadable; nothing was sent.
            LedgerError: the ledger cannot be used.
        """
        return await self._services.current().tracker.track_many(source, watch)

    async def preflight(self, *names: str, offline: bool = False, watch: WatchPreflight | None = None) -> Preflight:
        """Make every check that can be made before sending.

        Args:
            names: of channels, which are checked with every template; and paths of campaign files (.yaml, .yml),
                which are checked with their own template and all rows of their audience. None for all channels of the
                configuration.
            offline: leave out the connection to Metrix.
            watch: told how many templates have been checked, and how many there are.

        Returns:
            The checks; `.raise_for_failures()` raises PreflightFailed when one of them failed.
        """
        from ..checks import CheckStatus
        from ..preflight import Preflight, run_preflight  # on demand, as all that one send does not need

        channels, paths = _divided(names)
        if not paths:
            return await run_preflight(self._services.file, channels, offline=offline, watch=watch)
        from .campaigns.checks import check_plans, loaded

        files = [loaded(path) for path in paths]
        of_campaigns = [file.channel for file in files if file.channel]
        found = await run_preflight(
            self._services.file, channels, offline=offline, watch=watch, of_campaigns=of_campaigns
        )
        config, *others = found.checks
        can_plan = config.status is not CheckStatus.FAIL
        plans = await check_plans(self._services.current().campaigns, files) if can_plan else []
        return Preflight((config, *(file.check for file in files), *others, *plans))

    @cached_property
    def campaigns(self) -> AsyncCampaigns:
        """What plans campaigns, sends them, and tells how they stand."""
        # When it is needed: most programs that send messages run no campaigns.
        from .campaigns.asynchronous import AsyncCampaigns

        return AsyncCampaigns(self._services.current)

    async def run_campaign(
        self, path: StrPath, *, name: str | None = None, audience: AudienceRows | None = None
    ) -> CampaignStatus:
        """Plan a campaign whole and send it, or go on with its run; see `AsyncCampaigns.run`, which takes more."""
        return await self.campaigns.run(path, name=name, audience=audience)

    def stop(self) -> None:
        """Begin no further attempt; those in flight finish and are journalled."""
        self._services.current().engine.stop()

    async def close(self) -> None:
        """Let go of connections and ledger; the notifier may be used again."""
        await self._services.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _divided(names: Iterable[str]) -> tuple[list[str], list[Path]]:
    """Part names of channels from campaign files, which end in .yaml or .yml."""
    files = {name: name.endswith((".yaml", ".yml")) for name in names}
    return [name for name in files if not files[name]], [Path(name) for name in files if files[name]]
