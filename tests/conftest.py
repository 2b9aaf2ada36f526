"""What all tests may use: one PostgreSQL a process that runs tests, started when the first test asks for it."""

import pytest
from hypothesis import HealthCheck, settings

from support.ledgers import Ledger
from support.postgres import Postgres

# How long an example takes depends on what else the machine does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def postgres():
    """A real server, with its data and sockets in a folder of its own."""
    with Postgres() as server:
        with server.connection() as connection:
            # It is stopped and killed, but no test pulls the plug of the machine.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
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
