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
    """Sends messages through the channels of one configuration, in code that runs in an event loop.

    It has the methods of `Notifier` as coroutines. Create it with `from_config`. All tasks of an event loop may share
    it. It can be used in another event loop after the first one has ended. After a fork, the child opens its own
    connections and its own ledger.
    """

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Load a configuration; see `Notifier.from_config`."""
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
        """Send one message now; see `Notifier.send`."""
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
        """Return the requests that `send` would make; see `Notifier.dry_run`."""
        call = Call(channel, to, content_of(template, context, locale, text, title))
        return self._services.current().shown_requests(call)

    def messages(
        self, *, watch: WatchMessages | None = None, **wanted: Unpack[MessageQuery]
    ) -> AsyncIterator[SentMessage]:
        """Search the messages that were sent; see `Notifier.messages`."""
        from .messages import each_message, wanted_of

        return each_message(self._services.current(), wanted_of(wanted), watch)

    async def identify(self, user: str | MetrixUser, **fields: Unpack[ProfileFields]) -> EventReceipt:
        """Tell Metrix who a user is; see `Notifier.identify`."""
        return await self._services.current().tracker.identify(user, fields)

    async def track(self, user: str | MetrixUser, **fields: Unpack[EventFields]) -> EventReceipt:
        """Tell Metrix about something that a user did; see `Notifier.track`."""
        return await self._services.current().tracker.track(user, fields)

    async def identify_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix who many users are; see `Notifier.identify_many`."""
        return await self._services.current().tracker.identify_many(source, watch)

    async def track_many(self, source: Source, *, watch: WatchEvents | None = None) -> EventsReport:
        """Tell Metrix about many events; see `Notifier.track_many`."""
        return await self._services.current().tracker.track_many(source, watch)

    async def preflight(self, *names: str, offline: bool = False, watch: WatchPreflight | None = None) -> Preflight:
        """Run every check that is possible before sending; see `Notifier.preflight`."""
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
        """Plan and send a campaign, or continue its run; see `Campaigns.run`."""
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
