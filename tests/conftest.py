"""What all tests may use: one PostgreSQL for the whole session, started when the first test asks for it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.ledgers import Ledger
from support.postgres import Postgres


@pytest.fixture(scope="session")
def postgres():
    """A real server, with its data and sockets in a folder of its own.

    Not in one of pytest's: those are closed to other users, and as root the server runs as another one.
    """
    with TemporaryDirectory(prefix="mc-pg-") as folder, Postgres(Path(folder)) as server:
        yield server


@pytest.fixture
def postgres_url(postgres):
    """An empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """An empty ledger, of each kind in turn: whatever holds for one holds for the other."""
    if request.param == "sqlite":
        return Ledger(str(tmp_path / "l.db"))
    return Ledger(request.getfixturevalue("postgres_url"))


@pytest.fixture
def file_ledger(tmp_path):
    """An empty ledger in a file, for what only a file can meet."""
    return Ledger(str(tmp_path / "l.db"))
