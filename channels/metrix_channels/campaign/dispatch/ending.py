"""Why a dispatch ends, and everybody who must learn of it: the first reason counts."""

from __future__ import annotations

import asyncio

from attrs import frozen

from ...ledger import ControlRequest
from ...outcomes import Problem


@frozen
class Ending:
    """Why a dispatch ended.

    Attributes:
        problem: what halted it.
        control: what another process asked for.
        interrupted: it was stopped.
    """

    problem: Problem | None = None
    control: ControlRequest | None = None
    interrupted: bool = False


class EndingSignal:
    """Tells all lanes of a dispatch that it ends.

    Attributes:
        ending: the first reason; None as long as the dispatch goes on.
        error: what went wrong in this process, the first of it.
        news: set whenever a waiting lane should look again, at the end too.
    """

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.error: BaseException | None = None
        self.news: asyncio.Event = asyncio.Event()
        self._ended = asyncio.Event()

    def is_set(self) -> bool:
        """Tell whether the dispatch ends: no further attempt is begun."""
        return self.ending is not None

    def end(self, ending: Ending) -> None:
        """End the dispatch, for whatever reason."""
        self.ending = self.ending or ending
        self._ended.set()
        self.news.set()

    def halt(self, why: Problem) -> None:
        """End it because something forbids further attempts."""
        self.end(Ending(problem=why))

    def fail(self, error: BaseException) -> None:
        """End it because this process cannot go on; the error is raised once all lanes are done."""
        self.error = self.error or error
        self.end(Ending())

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds, or until the dispatch ends."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return
