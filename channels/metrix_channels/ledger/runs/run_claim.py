"""What a process holds of a run while it dispatches: all of it, or a share beside other processes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .batches import Shard
from .records import Changes, Committed, ControlRequest, Counts, RunState


class RunClaim(ABC):
    """The part of a run that nobody else sends now."""

    @property
    @abstractmethod
    def is_held(self) -> bool:
        """Nobody may have taken this process for dead yet, as far as that can be told without asking."""

    @abstractmethod
    async def next_shards(self, after: int, *, canary: bool, limit: int) -> list[Shard]:
        """Return the next shards that have a batch without an outcome.

        Args:
            after: the id of the last one that was returned; 0 to begin.
            canary: those who go first, or the others.
            limit: so many at the most; fewer mean that there are no more.
        """

    @abstractmethod
    async def commit(self, changes: Changes, counts: Counts) -> Committed:
        """Write down steps of the dispatch, all or none of them; they are on disk when this returns.

        Raises:
            LedgerError: it cannot be written; run_lost, when others took this process for dead.
        """

    @abstractmethod
    async def become(self, state: RunState) -> None:
        """Show a state in which the run is: waiting or running."""

    @abstractmethod
    async def requested_control(self) -> ControlRequest | None:
        """Return what another process asks for.

        Raises:
            LedgerError: as `commit`.
        """
