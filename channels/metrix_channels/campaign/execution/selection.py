"""Which way of sending runs belongs to which ledger."""

from __future__ import annotations

from ...ledger import Database, LocalRunBook
from ..dispatch.sender import SendingResources
from .base import Execution
from .local import LocalExecution


def execution_on(database: Database, resources: SendingResources) -> Execution:
    """Return what sends the runs of a ledger: this process, or workers where the ledger is distributed."""
    if not database.is_distributed:
        return LocalExecution(resources, LocalRunBook(database))
    from ...ledger.runs.distributed import DistributedRunBook  # most ledgers are files
    from .distributed import DistributedExecution

    return DistributedExecution(resources, DistributedRunBook(database))
