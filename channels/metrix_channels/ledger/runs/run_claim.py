"""The part of a run that a process dispatches: the whole run, or a shard."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .batches import Shard
from .records import Changes, Committed, ControlRequest, Counts, RunState


class RunClaim(ABC):
    """The part of a run that only this process may send now."""

    @property
    @abstractmethod
    def is_held(self) -> bool:
        """Whether this process certainly still has the claim, without a query."""

    @abstractmethod
    async def next_shards(self, after: int, *, canary: bool, limit: int) -> list[Shard]:
        """Return the next shards that have a batch without an outcome.

        Args:
            after: the id of the last returned shard; 0 for the first call.
            canary: whether to return shards of the canary or the others.
            limit: the maximum; fewer shards mean that there are no more.
        """

    @abstractmethod
    async def commit(self, changes: Changes, counts: Counts) -> Committed:
        """Write changes of the dispatch in one transaction; they are on disk when this returns.

        Raises:
            LedgerError: the ledger cannot be written; run_lost, if another process took over the claim.
        """

    @abstractmethod
    async def become(self, state: RunState) -> None:
        """Set the state of the run to waiting or running."""

    @abstractmethod
    async def requested_control(self) -> ControlRequest | None:
        """Return the control request of another process.

        Raises:
            LedgerError: as `commit`.
        """
