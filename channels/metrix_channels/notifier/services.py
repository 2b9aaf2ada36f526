"""What a notifier consists of: the engine, and what sends events, messages of the outbox and campaigns with it."""

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
    """The services of one process; most are made when they are first needed.

    Args:
        file: the configuration.
    """

    def __init__(self, file: ConfigFile) -> None:
        from ..templating import Templates  # at the first call: who only makes a notifier waits for none of it

        self._file = file
        self._config = file.current()
        self._templates = Templates(self._config.templates)
        self._engine: Engine | None = None
        self._tracker: Tracker | None = None
        self._outbox: Outbox | None = None
        self._campaigns: tuple[asyncio.AbstractEventLoop, Campaigns] | None = None

    @property
    def engine(self) -> Engine:
        """What sends messages, and holds open what that needs."""
        from .engine import Engine  # a dry run makes no request

        if self._engine is None:
            self._engine = Engine(self._file, self._config, self._templates)
        return self._engine

    def shown_requests(self, call: Call) -> list[dict[str, object]]:
        """Return the requests that a call would make; see `AsyncNotifier.dry_run`."""
        from .dry_run import dry_run

        channel = self._file.current().channel(call.channel)
        return dry_run(call, channel, self._config.metrix, self._templates).requests

    @property
    def tracker(self) -> Tracker:
        """What tells Metrix of users and events."""
        from .events.tracker import Tracker  # most programs send messages alone

        if self._tracker is None:
            self._tracker = Tracker(self.engine)
        return self._tracker

    @property
    def outbox(self) -> Outbox:
        """What puts messages into the ledger within transactions of the caller's own."""
        from .outbox.outbox import Outbox  # most programs send at once

        if self._outbox is None:
            self._outbox = Outbox(self.engine)
        return self._outbox

    @property
    def campaigns(self) -> Campaigns:
        """What plans and dispatches campaigns in this event loop."""
        from ..campaign import Campaigns, execution_on  # when it is needed: it is a third of the whole library

        loop = asyncio.get_running_loop()
        if self._campaigns is None or self._campaigns[0] is not loop:
            resources = self.engine.resources()
            self._campaigns = loop, Campaigns(resources, execution_on(self.engine.book_file, resources))
        return self._campaigns[1]

    async def aclose(self) -> None:
        """Let go of connections, the ledger and the templates' child processes."""
        if self._engine is not None:
            await self._engine.aclose()
        self._templates.close()


class ServicesOfProcess:
    """The services of whichever process asks: a forked child opens its own.

    Args:
        file: the configuration.

    Attributes:
        file: the same; after a fork, the child's own.
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
            # What a parent opened belongs to it: the child must neither use nor close it, nor let it be collected.
            _INHERITED.append(self._services)
            self._services = None
            self.file = ConfigFile(self.file.path)  # another thread may have held its lock at the fork
        if self._services is None:
            self._services, self._process = Services(self.file), os.getpid()
        return self._services

    async def close(self) -> None:
        """Let go of what this process has opened; it may be used again."""
        services, self._services = self._services, None
        if services is not None and self._process == os.getpid():
            await services.aclose()
