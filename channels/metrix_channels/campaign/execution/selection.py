"""Selects how the runs of a ledger are sent."""

from __future__ import annotations

from ...ledger import Database, LocalRunBook
from ..dispatch.sender import SendingResources
from .base import Execution
from .local import LocalExecution


def execution_on(database: Database, resources: SendingResources) -> Execution:
    """Return the execution for a ledger: workers if the ledger is distributed, else this process."""
    if not database.is_distributed:
        return LocalExecution(resources, LocalRunBook(database))
    from ...ledger.runs.distributed import DistributedRunBook  # not needed for SQLite ledgers
    from .distributed import DistributedExecution

    return DistributedExecution(resources, DistributedRunBook(database))
