"""Signals to all lanes that a dispatch ends, and why. Only the first reason counts."""

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
        control: the control request of another process.
        interrupted: whether it was stopped.
    """

    problem: Problem | None = None
    control: ControlRequest | None = None
    interrupted: bool = False


class EndingSignal:
    """Tells all lanes of a dispatch that it ends.

    Attributes:
        ending: the first reason; None while the dispatch runs.
        error: the first exception in this process.
        news: set when waiting lanes should check again, also at the end.
    """

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.error: BaseException | None = None
        self.news: asyncio.Event = asyncio.Event()
        self._ended = asyncio.Event()

    def is_set(self) -> bool:
        """Tell whether the dispatch ends: no more attempts start."""
        return self.ending is not None

    def end(self, ending: Ending) -> None:
        """End the dispatch for any reason."""
        self.ending = self.ending or ending
        self._ended.set()
        self.news.set()

    def halt(self, why: Problem) -> None:
        """End the dispatch because no more attempts are allowed."""
        self.end(Ending(problem=why))

    def fail(self, error: BaseException) -> None:
        """End the dispatch because this process cannot continue; the error is raised after all lanes are done."""
        self.error = self.error or error
        self.end(Ending())

    async def sleep(self, seconds: float) -> None:
        """Wait the given seconds, or until the dispatch ends."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return
