"""Which way of sending runs belongs to which ledger."""

from __future__ import annotations

from ..ledger import Database, SoleRunBook, SqliteDatabase
from .execution import Execution
from .here import Here
from .sending import Office


def execution_on(database: Database, office: Office) -> Execution:
    """Return what sends the runs of a ledger: this process for a file, workers for PostgreSQL."""
    if isinstance(database, SqliteDatabase):
        return Here(office, SoleRunBook(database))
    from ..ledger.cluster import ClusterRunBook  # on demand, with its driver
    from ..ledger.postgres import PostgresDatabase
    from .elsewhere import Elsewhere

    assert isinstance(database, PostgresDatabase)  # noqa: S101 - there are these two
    return Elsewhere(office, ClusterRunBook(database))
