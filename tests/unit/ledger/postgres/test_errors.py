"""What a ledger in PostgreSQL says when the server refuses: each case has its code and a remedy with the real names."""

import asyncio
import contextlib
import time

import psycopg
import pytest

from helpers.postgres import execute
from helpers.refusing_server import RefusingServer
from metrix_channels.errors import LedgerError
from metrix_channels.ledger import SendBook
from metrix_channels.ledger.postgres.connection import PostgresDatabase

PASSWORD = "s3cret"


def opened(url):
    """Open a ledger and write to it; return the error, or None."""

    async def run():
        database = PostgresDatabase(url)
        try:
            await SendBook(database).check_writable()
        except LedgerError as error:
            return error
        finally:
            await database.close()
        return None

    error = asyncio.run(run())
    assert error is None or PASSWORD not in str(error)
    return error


@pytest.fixture
def administer(debian_url):
    """Runs statements as an administrator in the empty database, or as a role that is there already."""

    def run(*statements):
        with psycopg.connect(debian_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    return run


@pytest.fixture
def name(debian_url):
    """The empty database's name."""
    return psycopg.conninfo.conninfo_to_dict(debian_url)["dbname"]


@pytest.fixture
def role(administer, name):
    """A role with a password and no rights."""
    administer(f"CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'")
    yield "shop"
    administer("DROP OWNED BY shop CASCADE", f"ALTER DATABASE {name} CONNECTION LIMIT -1", "DROP ROLE shop")


@pytest.fixture
def url(debian_postgres, name, role):
    """The database, as that role by its password."""
    return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{debian_postgres.port}/{name}"


def statements_of(remedy):
    """Return the statements that a remedy says to run."""
    return [part[part.index("GRANT") :] for part in remedy.split(";") if "GRANT" in part]


def test_the_right_to_make_the_schema_is_granted_as_the_remedy_says(url, name, administer):
    """A role that may only connect; the statement can be copied as it is."""
    error = opened(url)
    assert (error.code, error.exit_status) == ("ledger_denied", 4)
    assert f'GRANT CREATE ON DATABASE "{name}" TO "shop"' in error.remedy
    administer(*statements_of(error.remedy))
    assert opened(url) is None


def test_the_schema_may_be_made_by_an_administrator(url, administer):
    """Then the role needs no right on the database."""
    administer("CREATE SCHEMA metrix_channels AUTHORIZATION shop")
    assert opened(url) is None


def test_rights_in_an_empty_schema_of_another_role(url, administer):
    """One error names all that are missing."""
    administer("CREATE SCHEMA metrix_channels")
    error = opened(url)
    assert error.code == "ledger_denied"
    administer(*statements_of(error.remedy))
    assert opened(url) is None


@pytest.mark.parametrize("granted", ["nothing", "USAGE ON SCHEMA metrix_channels", "SELECT"])
def test_rights_in_the_ledger_of_another_role(granted, url, debian_url, administer):
    """Nothing, the schema alone, reading alone: the remedy gives what is missing."""
    assert opened(debian_url) is None
    if granted != "nothing":
        administer("GRANT USAGE ON SCHEMA metrix_channels TO shop")
    if granted == "SELECT":
        administer("GRANT SELECT ON ALL TABLES IN SCHEMA metrix_channels TO shop")
    error = opened(url)
    assert (error.code, error.exit_status) == ("ledger_denied", 4)
    assert 'TO "shop"' in error.remedy
    administer(*statements_of(error.remedy))
    assert opened(url) is None


@pytest.mark.parametrize(
    "contents",
    [
        "CREATE TABLE metrix_channels.orders (id INT)",
        "CREATE TABLE metrix_channels.meta (key TEXT, value TEXT)",
        "CREATE TABLE metrix_channels.meta (version INT, procrastinate TEXT)",
        "CREATE VIEW metrix_channels.sends AS SELECT 1 AS id",
        "CREATE TYPE metrix_channels.mood AS ENUM ('good')",
        "CREATE FUNCTION metrix_channels.post() RETURNS INT LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_a_schema_of_somebody_else_is_left_alone(contents, debian_url, administer):
    """Whatever is in it, it is named with its owner, and nothing is added."""
    administer("CREATE SCHEMA metrix_channels", contents)
    error = opened(debian_url)
    assert (error.code, error.exit_status) == ("ledger_schema_foreign", 2)
    assert "'postgres'" in error.message
    assert contents.split("metrix_channels.")[1].split()[0].split("(")[0] in error.message
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'metrix_channels'::regnamespace AND relkind = 'r'"
    assert execute(debian_url, tables)[0][0] <= 1


def test_a_role_whose_transactions_are_read_only(url, administer, name):
    """The statement that ends it is in the remedy."""
    administer(f"GRANT CREATE ON DATABASE {name} TO shop", "ALTER ROLE shop SET default_transaction_read_only = on")
    error = opened(url)
    assert (error.code, error.exit_status) == ("ledger_read_only", 4)
    assert 'ALTER ROLE "shop" SET default_transaction_read_only = off;' in error.remedy


def test_a_database_that_becomes_read_only_while_a_process_works(debian_url, administer, name, monkeypatch):
    """As after a switch to a standby: it waits for a while, and then says so."""
    monkeypatch.setattr("metrix_channels.ledger.postgres.connection.PATIENCE_SECONDS", 0.5)

    async def run():
        database = PostgresDatabase(debian_url)
        await SendBook(database).check_writable()
        administer(
            f"ALTER DATABASE {name} SET default_transaction_read_only = on",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        try:
            with pytest.raises(LedgerError) as caught:
                await SendBook(database).check_writable()
            return caught.value.code, database.trouble is caught.value
        finally:
            await database.close()

    assert asyncio.run(run()) == ("ledger_read_only", True)


def test_a_standby_is_refused(debian_postgres, debian_url):
    """It answers whoever reads, and never takes a write."""
    assert opened(debian_url) is None
    signal = debian_postgres.folder / "standby.signal"
    debian_postgres.stop(mode="fast")
    signal.touch()
    try:
        debian_postgres.start()
        error = opened(debian_url)
        debian_postgres.stop(mode="fast")
    finally:
        signal.unlink()
        debian_postgres.start()
    assert (error.code, error.exit_status) == ("ledger_read_only", 4)
    assert "standby" in error.message
    assert "target_session_attrs=read-write" in error.remedy


def test_time_limits_of_a_role_do_not_hold_for_a_ledger(url, administer, name):
    """They are meant for people at a prompt, and would end the making of the tables."""
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")
    administer(
        f"GRANT CREATE ON DATABASE {name} TO shop", *(f"ALTER ROLE shop SET {each} = '600ms'" for each in limits)
    )

    async def run():
        database = PostgresDatabase(url)
        await SendBook(database).check_writable()
        kept = await database.transact(lambda connection: connection.execute("SELECT pg_backend_pid()").fetchone())
        await asyncio.sleep(1.2)
        found = await database.transact(lambda connection: connection.execute("SELECT pg_backend_pid()").fetchone())
        await database.transact(lambda connection: connection.execute("SELECT pg_sleep(1)"))
        await database.close()
        return kept == found

    assert asyncio.run(run())


@pytest.mark.parametrize(
    ("limit", "remedy"),
    [
        ("ALTER ROLE shop CONNECTION LIMIT 0", 'ALTER ROLE "shop" CONNECTION LIMIT'),
        ("ALTER DATABASE {name} CONNECTION LIMIT 0", 'ALTER DATABASE "{name}" CONNECTION LIMIT'),
    ],
)
def test_a_limit_of_connections(limit, remedy, url, administer, name):
    """The role's or the database's, whichever it is."""
    administer(limit.format(name=name))
    error = opened(url)
    assert (error.code, error.exit_status) == ("ledger_connections", 4)
    assert remedy.format(name=name) in error.remedy


def test_all_connections_of_the_server_are_in_use(url, debian_postgres):
    """Said at once."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                stack.enter_context(debian_postgres.connection())
        error = opened(url)
    assert error.code == "ledger_connections"
    assert "max_connections" in error.remedy


@pytest.mark.parametrize(
    ("change", "code", "remedy"),
    [
        ({"password": "wrong"}, "ledger_login_refused", 'ALTER ROLE "shop" PASSWORD'),
        ({"password": ""}, "ledger_login_refused", "${LEDGER_PASSWORD}"),
        ({"user": "nobody"}, "ledger_login_refused", "role and the password"),
        ({"dbname": "nowhere"}, "ledger_login_refused", 'CREATE DATABASE "nowhere" OWNER "shop"'),
        ({"sslmode": "require"}, "ledger_login_refused", "ssl = on"),
        ({"host": "localhost", "password": "wrong"}, "ledger_login_refused", 'ALTER ROLE "shop" PASSWORD'),
        ({"host": "nowhere.invalid"}, "ledger_unavailable", "host and port"),
        ({"port": "1"}, "ledger_unavailable", "host and port"),
        ({"sslmode": "nonsense"}, "config_value_invalid", "parameter"),
    ],
)
def test_a_wrong_part_of_the_url(change, code, remedy, url):
    """Which one, and how it is mended."""
    known = psycopg.conninfo.conninfo_to_dict(url) | change
    error = opened(psycopg.conninfo.make_conninfo("", **known))
    assert error.code == code
    assert remedy in error.remedy


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://shop:s3cret%zz@127.0.0.1/shop",
        "postgresql://shop:s3cret/x@127.0.0.1/shop",
        "postgresql://shop:x/s3cret@127.0.0.1/shop",
        "postgresql://shop:s3cret?x@127.0.0.1/shop",
        "postgresql://shop:x@s3cret@nowhere.invalid/shop",
        "postgresql://shop:x#s3cret@127.0.0.1:1/shop",
        "postgresql://shop:s3cret@127.0.0.1:s3cret/shop",
    ],
)
def test_nothing_of_a_password_is_shown_that_makes_the_url_unreadable(written):
    """Its characters were not encoded, so that parts of it stand where host and port do."""
    assert opened(written) is not None


@pytest.mark.parametrize(
    ("rule", "remedy"),
    [
        ("host all all 127.0.0.1/32 reject", "pg_hba.conf"),
        ("hostssl all all 127.0.0.1/32 scram-sha-256", "sslmode=require"),
    ],
)
def test_a_rule_of_the_server_that_keeps_this_machine_out(rule, remedy, url, debian_postgres):
    """pg_hba.conf rejects it, or wants encryption."""
    usual = (debian_postgres.folder / "pg_hba.conf").read_text()
    try:
        debian_postgres.allow("local all all trust", rule)
        with debian_postgres.connection() as connection:
            connection.execute("SELECT pg_reload_conf()")
        for _ in range(100):
            error = opened(url)
            if error.code == "ledger_login_refused":
                break
            time.sleep(0.05)
    finally:
        debian_postgres.allow(*usual.splitlines())
        with debian_postgres.connection() as connection:
            connection.execute("SELECT pg_reload_conf()")
    assert (error.code, error.exit_status) == ("ledger_login_refused", 4)
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("state", "message", "code", "remedy"),
    [
        ("57P03", "the database system is starting up", "ledger_unavailable", "has started"),
        ("57P03", "the database system is in recovery mode", "ledger_unavailable", "has started"),
        ("57P03", "the database system is shutting down", "ledger_unavailable", "Start the server"),
        ("53300", "remaining connection slots are reserved for roles", "ledger_connections", "max_connections"),
        ("08P01", "query_wait_timeout", "ledger_connections", "default_pool_size"),
        ("08P01", "server login has been failing, try again later (server_login_retry)", "ledger_unavailable", "Start"),
        ("XX000", "Vorübergehend gestört", "ledger_unavailable", "that the database is running"),
    ],
)
def test_what_a_server_says_that_cannot_serve_now(state, message, code, remedy):
    """While it starts or stops, when it is full, and in a language that nobody here reads."""
    with RefusingServer(state, message) as server:
        error = opened(server.url)
    assert (error.code, error.exit_status) == (code, 4)
    assert remedy in error.remedy


@pytest.mark.parametrize(("version", "shown"), [("13.14", "13"), ("9.6.24", "9.6")])
def test_a_server_that_is_too_old(version, shown):
    """It is named before any statement fails for it."""
    with RefusingServer(version=version) as server:
        error = opened(server.url)
    assert (error.code, error.exit_status) == ("ledger_unsupported", 2)
    assert f"PostgreSQL {shown};" in error.message


def test_a_server_that_takes_the_connection_and_says_nothing():
    """It is given up after seconds, with the reason that is most likely."""
    with RefusingServer() as server:
        error = opened(server.url)
    assert error.code == "ledger_connections"
    assert "within 5 s" in error.message


def test_the_disk_of_the_server_is_full(debian_url, administer):
    """The remedy is about that machine's disk, not about this one's."""
    assert opened(debian_url) is None
    administer(
        "CREATE FUNCTION metrix_channels.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER no_room BEFORE UPDATE ON metrix_channels.rate_limits"
        " FOR EACH STATEMENT EXECUTE FUNCTION metrix_channels.no_room()",
    )
    error = opened(debian_url)
    assert (error.code, error.exit_status) == ("ledger_unavailable", 4)
    assert "disk of the database server" in error.remedy


def test_the_tables_were_dropped_while_a_process_works(debian_url, administer):
    """Said in words, and not as a missing relation."""

    async def run():
        database = PostgresDatabase(debian_url)
        await SendBook(database).check_writable()
        administer("DROP SCHEMA metrix_channels CASCADE")
        with pytest.raises(LedgerError) as caught:
            await SendBook(database).check_writable()
        await database.close()
        return caught.value

    error = asyncio.run(run())
    assert (error.code, "tables of the ledger are missing" in error.message) == ("ledger_unavailable", True)
