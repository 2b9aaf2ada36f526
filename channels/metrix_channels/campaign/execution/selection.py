"""Which way of sending runs belongs to which ledger."""

from __future__ import annotations

from ...ledger import Database, SoleRunBook, SqliteDatabase
from ..dispatch.sender import Office
from .base import Execution
from .local import Here


def execution_on(database: Database, office: Office) -> Execution:
    """Return what sends the runs of a ledger: this process for a file, workers for PostgreSQL."""
    if isinstance(database, SqliteDatabase):
        return Here(office, SoleRunBook(database))
    from ...ledger.postgres.connection import PostgresDatabase
    from ...ledger.runs.distributed import ClusterRunBook  # on demand, with its driver
    from .distributed import Elsewhere

    assert isinstance(database, PostgresDatabase)  # noqa: S101 - there are these two
    return Elsewhere(office, ClusterRunBook(database))
