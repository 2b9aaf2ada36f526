"""AsyncNotifier: the public methods for code that runs in an event loop."""

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

    Create it with `from_config`. All tasks of a process may share it. After a fork, the child opens its own
    connections and its own ledger.
    """

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Load a configuration.

        Args:
            path: path of the file; None for the file in $METRIX_CHANNELS_CONFIG, or ./channels.yaml.

        Raises:
            ConfigError: the file is missing or wrong; the error names file, line and column.
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
            text: the message itself, instead of a template. It is sent as it is: nothing in it is rendered.
            title: title of a push, or the subject of an email; only with `text`.
            locale: such as `fa`; falls back to the template without a locale.
            key: identifies this message. A second call with the same key and content returns the receipt of the
                first call and sends nothing, even from another process or after a crash.
            deadline: seconds for the whole call: other calls with the same key, the rate limit, retries, the ledger.
                None for `metrix.deadline` of the configuration. In a web request, use a few seconds less than the
                server's timeout.

        Returns:
            The receipt; for several recipients a tuple of receipts, in which each recipient occurs once. All
            receipts are `accepted`.

        Raises:
            ChannelUnverified: the channel has no recorded test; no request was made.
            ConfigError, TemplateError, MessageInvalid: no request was made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.receipts`.
            LedgerError: key_reused, key_busy, or the ledger cannot be used.
            UsageError: `template` and `text` were both given, or neither; `key` is not one line of text; or
                `deadline` is not a number of seconds above 0.
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
            MetrixChannelsError: the errors that `send` raises before its first request, also ChannelUnverified.
        """
        call = Call(channel, to, content_of(template, context, locale, text, title))
        return self._services.current().shown_requests(call)

    def messages(
        self, *, watch: WatchMessages | None = None, **wanted: Unpack[MessageQuery]
    ) -> AsyncIterator[SentMessage]:
        """Search the messages of sends, the outbox and campaigns, and yield them, newest first.

        Args:
            watch: called with the progress. A search in a ledger of a million recipients takes about a second.
            **wanted: the conditions; see `MessageQuery`.

        Raises:
            MessageInvalid, UsageError: a condition is invalid.
            CampaignError: run_missing, run_purged.
            LedgerError: the ledger cannot be used.
        """
        from .messages import each_message, wanted_of

        return each_message(self._services.current(), wanted_of(wanted), watch)

    async def identify(self, user: str | MetrixUser, **fields: Unpack[ProfileFields]) -> EventReceipt:
        """Tell Metrix who a user is.

        Args:
            user: the customUserId; `MetrixUser(id)` for an id that Metrix assigned.
            **fields: the data of the user; see `ProfileFields`.

        Raises:
            EventInvalid: Metrix would not accept a field; no request was made.
            Rejected, OutcomeUnknown, CredentialsRefused, Unreachable: see `.event`.
            LedgerError: the ledger cannot be used; nothing was sent.
        """
        return await self._services.current().tracker.identify(user, fields)

    async def track(self, user: str | MetrixUser, **fields: Unpack[EventFields]) -> EventReceipt:
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
        return await self._services.current().tracker.track(user, fields)

    async def identify_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix who many users are; see `track_many`. Records have the arguments of `identify`."""
        return await self._services.current().tracker.identify_many(source, watch)

    async def track_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix about many events. Up to 100 events of one user share a request, and many requests run at once.

        If every event has a time, you may send the source again after a crash: no event is sent twice.

        Args:
            source: the path of a file with one JSON object a line, or a list of mappings. Each has `user` or
                `metrix_user`, and the arguments of `track`; dates and times may be text in ISO 8601. The whole source
                is checked before anything is sent.
            watch: called with the report so far after each request.

        Raises:
            EventInvalid: a record is invalid; the error's location names it. Nothing was sent.
            UsageError: file_unreadable; nothing was sent.
            LedgerError: the ledger cannot be used.
        """
        return await self._services.current().tracker.track_many(source, watch)

    async def preflight(self, *names: str, offline: bool = False, watch: WatchPreflight | None = None) -> Preflight:
        """Run every check that is possible before sending.

        Args:
            names: channel names, each checked with every template; and paths of campaign files (.yaml, .yml), each
                checked with its own template and all rows of its audience. Without names, all channels of the
                configuration are checked.
            offline: skip the connection to Metrix.
            watch: called with the number of checked templates and their total.

        Returns:
            The checks; `.raise_for_failures()` raises PreflightFailed if one of them failed.
        """
        from ..checks import CheckStatus
        from ..preflight import Preflight, run_preflight  # on demand, because a send does not need it

        channels, paths = _separate(names)
        if not paths:
            return await run_preflight(self._services.file, channels, offline=offline, watch=watch)
        from .campaigns.checks import check_plans, load_file

        files = [load_file(path) for path in paths]
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
        """Plans campaigns, sends them, and reports their status."""
        # On demand, because most programs that send messages run no campaigns.
        from .campaigns.asynchronous import AsyncCampaigns

        return AsyncCampaigns(self._services.current)

    async def run_campaign(
        self, path: StrPath, *, name: str | None = None, audience: AudienceRows | None = None
    ) -> CampaignStatus:
        """Plan and send a campaign, or continue its run; see `AsyncCampaigns.run`, which takes more arguments."""
        return await self.campaigns.run(path, name=name, audience=audience)

    def stop(self) -> None:
        """Start no new attempts. Attempts in flight finish, and their outcomes are recorded."""
        self._services.current().engine.stop()

    async def close(self) -> None:
        """Close connections and ledger; the notifier may be used again."""
        await self._services.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _separate(names: Iterable[str]) -> tuple[list[str], list[Path]]:
    """Separate channel names from campaign files, which end in .yaml or .yml."""
    files = {name: name.endswith((".yaml", ".yml")) for name in names}
    return [name for name in files if not files[name]], [Path(name) for name in files if files[name]]
