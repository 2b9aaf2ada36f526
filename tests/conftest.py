"""What all tests may use: one PostgreSQL a process that runs tests, started when the first test asks for it."""

import contextlib
import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from helpers.ledgers import BACKENDS, FileLedger
from helpers.postgres import DEBIAN_PROGRAMS, PGBOUNCER, DebianPostgres, PgBouncer, Postgres

# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# So would they ignore a closed terminal under nohup.
for number in (signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# How long an example takes depends on what else the machine does. Only `make long` looks for new ones.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="METRIX_CHANNELS_TEST_SEED" not in os.environ,
)
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


@pytest.fixture(scope="session")
def debian_postgres():
    """PostgreSQL 15 with PgBouncer beside it, as Debian installs them; skipped where they are not installed."""
    for program in (DEBIAN_PROGRAMS / "postgres", Path(PGBOUNCER)):
        if not program.exists():
            pytest.skip(f"{program} is missing: apt-get install postgresql-15 pgbouncer")
    with DebianPostgres() as server:
        yield server


@pytest.fixture
def debian_url(debian_postgres):
    """An empty database of PostgreSQL 15."""
    with debian_postgres.database() as url:
        yield url


@pytest.fixture
def pgbouncer(debian_postgres, debian_url):
    """Starts PgBouncer with some settings; returns the URL of the empty database through it."""
    with contextlib.ExitStack() as stack:

        def started(**settings):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="mc-bouncer-")))
            return stack.enter_context(PgBouncer(debian_postgres, folder, **settings)).url(debian_url)

        yield started


@pytest.fixture
def postgres_url(postgres):
    """An empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.backend)
def ledger(request):
    """An empty ledger, of each backend in turn: whatever holds for one holds for the others."""
    return request.param.empty(request)


@pytest.fixture
def file_ledger(request):
    """An empty ledger in a file, for what only a file can meet."""
    return FileLedger.empty(request)
