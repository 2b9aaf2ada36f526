"""Pauses, resumes and cancels campaigns from a page, in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..campaign import CampaignStatus
from ..errors import MetrixChannelsError
from ..notifier import AsyncNotifier
from ..outcomes import Problem

_PATIENCE_SECONDS = 0.5
"""How long a page waits for an action; one that cannot be carried out usually fails within this time."""


class Steering:
    """Carries out actions, and remembers why the last one for a campaign failed.

    Args:
        notifier: the notifier with the campaigns.
    """

    def __init__(self, notifier: AsyncNotifier) -> None:
        self._notifier = notifier
        self._tasks: set[asyncio.Task[CampaignStatus]] = set()
        self.problems: dict[str, Problem] = {}

    async def act(self, name: str, what: str) -> None:
        """Pause, resume or cancel a campaign; the result shows in the campaign's state."""
        self.problems.pop(name, None)
        campaigns = self._notifier.campaigns
        actions: dict[str, Coroutine[Any, Any, CampaignStatus]] = {}
        match what:
            case "pause":
                actions[what] = campaigns.pause(name)
            case "resume":
                actions[what] = campaigns.resume(name)
            case "cancel":
                actions[what] = campaigns.cancel(name)
        if what not in actions:
            return
        task = asyncio.ensure_future(actions[what])
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finish(name, done))
        await asyncio.wait([task], timeout=_PATIENCE_SECONDS)

    async def stop(self) -> None:
        """Finish the requests in flight of this process and stop; a run can be continued later."""
        self._notifier.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _finish(self, name: str, task: asyncio.Task[CampaignStatus]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, MetrixChannelsError):
            self.problems[name] = error.problem
