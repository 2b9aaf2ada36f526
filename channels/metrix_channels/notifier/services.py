"""The services of a notifier: the engine, and on top of it events, the outbox and campaigns."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import ConfigFile, find_config

if TYPE_CHECKING:
    from ..campaign import Campaigns
    from .call import Call
    from .engine import Engine
    from .events.tracker import Tracker
    from .outbox.outbox import Outbox

_INHERITED: list[Services] = []


class Services:
    """The services of one process; most are created when they are first needed.

    Args:
        file: the configuration.
    """

    def __init__(self, file: ConfigFile) -> None:
        from ..templating import Templates  # at the first call, so that creating a notifier stays fast

        self._file = file
        self._config = file.current()
        self._templates = Templates(self._config.templates)
        self._engine: Engine | None = None
        self._tracker: Tracker | None = None
        self._outbox: Outbox | None = None
        self._campaigns: tuple[asyncio.AbstractEventLoop, Campaigns] | None = None

    @property
    def engine(self) -> Engine:
        """Sends messages; it keeps the connections and the ledger open."""
        if self._engine is None:
            from .engine import Engine  # a dry run makes no request

            self._engine = Engine(self._file, self._config, self._templates)
        return self._engine

    def shown_requests(self, call: Call) -> list[dict[str, object]]:
        """Return the requests that a call would make; see `AsyncNotifier.dry_run`."""
        from .dry_run import dry_run

        channel = self._file.current().channel(call.channel)
        return dry_run(call, channel, self._config.metrix, self._templates).requests

    @property
    def tracker(self) -> Tracker:
        """Tells Metrix about users and events."""
        from .events.tracker import Tracker  # most programs only send messages

        if self._tracker is None:
            self._tracker = Tracker(self.engine)
        return self._tracker

    @property
    def outbox(self) -> Outbox:
        """Puts messages into the ledger within the caller's transactions."""
        from .outbox.outbox import Outbox  # most programs do not enqueue messages

        if self._outbox is None:
            self._outbox = Outbox(self.engine)
        return self._outbox

    @property
    def campaigns(self) -> Campaigns:
        """Plans and dispatches campaigns in this event loop."""
        from ..campaign import Campaigns, execution_on  # on demand, because it is a third of the whole library

        loop = asyncio.get_running_loop()
        if self._campaigns is None or self._campaigns[0] is not loop:
            resources = self.engine.resources()
            self._campaigns = loop, Campaigns(resources, execution_on(self.engine.book_file, resources))
        return self._campaigns[1]

    async def aclose(self) -> None:
        """Close connections and the ledger, and end the templates' child processes."""
        if self._engine is not None:
            await self._engine.aclose()
        self._templates.close()


class ServicesOfProcess:
    """The services of the current process: a forked child opens its own.

    Args:
        file: the configuration.

    Attributes:
        file: the configuration; a forked child has its own.
    """

    def __init__(self, file: ConfigFile) -> None:
        self.file: ConfigFile = file
        self._services: Services | None = None
        self._process = 0

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None) -> ServicesOfProcess:
        """Load a configuration; see `AsyncNotifier.from_config`."""
        file = ConfigFile(find_config(Path(path) if path is not None else None))
        file.current()
        return cls(file)

    def current(self) -> Services:
        """Return the services of this process, opened when first needed."""
        if self._services is not None and self._process != os.getpid():
            # The parent owns what it opened: the child must not use it, close it, or let it be garbage-collected.
            _INHERITED.append(self._services)
            self._services = None
            self.file = ConfigFile(self.file.path)  # another thread may have held its lock at the fork
        if self._services is None:
            self._services, self._process = Services(self.file), os.getpid()
        return self._services

    async def close(self) -> None:
        """Close everything that this process has opened; the services may be used again."""
        services, self._services = self._services, None
        if services is not None and self._process == os.getpid():
            await services.aclose()
