"""Which way of sending runs belongs to which ledger."""

from __future__ import annotations

from ...ledger import Database, LocalRunBook, SqliteDatabase
from ..dispatch.sender import SendingResources
from .base import Execution
from .local import LocalExecution


def execution_on(database: Database, resources: SendingResources) -> Execution:
    """Return what sends the runs of a ledger: this process for a file, workers for PostgreSQL."""
    if isinstance(database, SqliteDatabase):
        return LocalExecution(resources, LocalRunBook(database))
    from ...ledger.postgres.connection import PostgresDatabase
    from ...ledger.runs.distributed import DistributedRunBook  # on demand, with its driver
    from .distributed import DistributedExecution

    assert isinstance(database, PostgresDatabase)  # noqa: S101 - there are these two
    return DistributedExecution(resources, DistributedRunBook(database))
