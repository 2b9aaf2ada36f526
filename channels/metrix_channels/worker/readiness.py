"""Decides what a worker can send now, and why it cannot send the rest. A worker fetches only jobs that it can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..errors import MetrixChannelsError, problem
from ..ledger.postgres.jobs import QUEUE
from ..ledger.sends.outbox import Waiting
from ..notifier.engine import Engine
from ..notifier.outbox.outbox import Outbox
from ..outcomes import Problem

_FIRST_PAUSE_SECONDS: Final = 15.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 3.0
"""Seconds to leave messages to other workers before reporting that this one cannot send them."""

OnProblem = Callable[[Problem], None]
"""Called once for each problem that keeps the worker from sending."""


class Readiness:
    """Checks repeatedly what this worker can send.

    Args:
        engine: of this worker.
        outbox: sends messages.
        on_problem: called with each new problem.

    Attributes:
        problems: why this worker cannot send all waiting messages; empty if it can.
    """

    def __init__(self, engine: Engine, outbox: Outbox, on_problem: OnProblem) -> None:
        self._engine = engine
        self._outbox = outbox
        self._on_problem = on_problem
        self._pause = _FIRST_PAUSE_SECONDS
        self._paused_until = 0.0
        self._judged: Problem | None = None
        self.problems: tuple[Problem, ...] = ()

    async def look(self) -> frozenset[str]:
        """Return the queues whose jobs this worker can do now.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        try:
            config = self._engine.look_again()
            app_id = self._engine.app_id
        except MetrixChannelsError as error:
            self._report([error.problem])
            return frozenset()
        able = [name for name in config.channels if self._engine.refusal(name) is None]
        queues = await self._outbox.sends.queues(app_id, able)
        refusal = self._outbox.refusal
        refused = [refusal] if refusal else []
        self._report([*refused, *self._find_problems(app_id, await self._outbox.sends.waiting())])
        return frozenset() if self._is_paused(refusal) else frozenset([QUEUE, *queues])

    def _is_paused(self, refusal: Problem | None) -> bool:
        """Tell whether to wait before checking again whether this worker is still refused."""
        now = asyncio.get_running_loop().time()
        if refusal is None:
            self._pause = _FIRST_PAUSE_SECONDS
            self._judged = None
        elif refusal is not self._judged:
            self._judged = refusal
            self._paused_until = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        return now < self._paused_until

    def _find_problems(self, app_id: str, waiting: list[Waiting]) -> list[Problem]:
        found = []
        for each in waiting:
            if each.seconds < _GRACE_SECONDS:
                continue
            if each.app_id != app_id:
                found.append(
                    problem(
                        "message_foreign",
                        f"Messages of the application {each.app_id} are waiting; this worker sends for another one.",
                    )
                )
            elif why := self._engine.refusal(each.channel):
                found.append(why)
        return found

    def _report(self, problems: list[Problem]) -> None:
        known = {each.code for each in self.problems}
        self.problems = tuple(problems)
        for each in problems:
            if each.code not in known:
                self._on_problem(each)
