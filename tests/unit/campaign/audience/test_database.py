"""A database is only read, within a time, and its password is never shown."""

import sqlite3
import threading
import time

import psycopg
import pytest

from metrix_channels.campaign.audience.sql_rows import SqlRows
from metrix_channels.errors import CampaignError, ConfigError

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS id FROM n"
PASSWORD = "s3cret!pässword"


@pytest.fixture
def shop(tmp_path):
    """The URL of a database with three customers."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE customers (id, name)")
        database.executemany("INSERT INTO customers VALUES (?, ?)", [(1, "سارا"), ("u2", None), (3, b"Ali")])
    database.close()
    return f"sqlite:///{path}"


def read(url, query, wanted=(), **options):
    rows = SqlRows(query, url, ["id"], places=("c.yaml:5:18", "c.yaml:6:18"), **options)
    try:
        return list(rows.chunks(wanted))
    finally:
        rows.close()


def test_rows(shop):
    """Whole numbers are ids, NULL is empty, rows count from 1."""
    (raw,) = read(shop, "SELECT * FROM customers", ["name"])
    assert (list(raw.lines), raw.ids) == ([1, 2, 3], ["1", "u2", "3"])
    assert raw.values == [("سارا",), ("",), ("Ali",)]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM customers RETURNING id",
        "INSERT INTO customers VALUES (9, 9) RETURNING id",
        "UPDATE customers SET id = 0",
        "DROP TABLE customers",
        "CREATE TABLE x AS SELECT 1 AS id",
        "SELECT id FROM nowhere",
        "SELECT 1 AS id; SELECT 2 AS id",
        "nonsense",
    ],
)
def test_what_is_no_plain_question_changes_nothing(shop, query):
    """It is refused at the query's place."""
    with pytest.raises(CampaignError) as caught:
        read(shop, query)
    assert (caught.value.code, caught.value.location) == ("query_failed", "c.yaml:5:18")
    (raw,) = read(shop, "SELECT * FROM customers")
    assert len(raw.ids) == 3


@pytest.mark.parametrize("query", ["DELETE FROM customers RETURNING id", "SELECT pg_sleep(60) AS id", "SELECT x"])
def test_postgresql_is_only_read_and_not_waited_for(postgres_url, query):
    """Also by its own time limit."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE customers (id int)")
        connection.execute("INSERT INTO customers VALUES (1)")
    begun = time.monotonic()
    with pytest.raises(CampaignError, match="query_failed"):
        read(postgres_url, query, limit_seconds=2)
    assert time.monotonic() - begun < 30
    (raw,) = read(postgres_url, "SELECT id FROM customers WHERE 'a%' <> ':b'")
    assert raw.ids == ["1"]


def test_a_query_that_takes_too_long_is_given_up(shop):
    """The database is told so."""
    with pytest.raises(CampaignError, match=r"took longer than 0\.5 seconds"):
        read(shop, SLOW, limit_seconds=0.5)


def test_whoever_waits_can_be_stopped(shop):
    """As Ctrl-C does."""
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(CampaignError, match="interrupted"):
        read(shop, SLOW, stopped=stop.is_set)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://shop:{PASSWORD}@127.0.0.1:1/shop",
        f"postgresql://shop:{PASSWORD}@nowhere.invalid/shop",
        f"postgresql://shop:{PASSWORD}/x@127.0.0.1:1/shop",
        f"postgresql://shop:x@{PASSWORD}@127.0.0.1:1/shop",
        f"postgresql://shop:{PASSWORD}@127.0.0.1:port/shop",
        f"postgresql://127.0.0.1:1/shop?password={PASSWORD}",
        f"postgresql://nowhere.invalid#{PASSWORD}/shop",
        f"postgresql://nowhere.invalid;{PASSWORD}/shop",
        f"mysql+pymysql://shop:{PASSWORD}@127.0.0.1:1/shop",
        f"nonsense://shop:{PASSWORD}@127.0.0.1:1/shop",
        "sqlite:///missing.db",
        PASSWORD,
        "",
    ],
)
def test_no_password_is_shown(url):
    """Whatever is wrong with the URL; the place of `url` is."""
    with pytest.raises((CampaignError, ConfigError)) as caught:
        read(url, "SELECT 1 AS id")
    error = caught.value
    assert error.code in ("query_failed", "database_url_invalid", "extra_missing")
    assert error.location == "c.yaml:6:18"
    shown = f"{error} {error.message} {error.remedy} {error.__cause__!r}"
    assert PASSWORD not in shown
    assert "s3cret" not in shown


def test_columns_of_the_same_name_are_refused(shop):
    """As in any header."""
    with pytest.raises(CampaignError, match="both called 'id'"):
        read(shop, "SELECT id, id FROM customers")
    with pytest.raises(CampaignError, match=r"[Tt]here is no column 'id'"):
        read(shop, "SELECT name FROM customers")
