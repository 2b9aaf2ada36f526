"""Rows that a database answers a query with."""

import sqlite3

import pytest

from metrix_channels.campaign.audience.reader import Audience
from metrix_channels.campaign.audience.sql_rows import SqlRows
from metrix_channels.errors import CampaignError

ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) AS id FROM t"


@pytest.fixture
def shop(tmp_path):
    """The URL of a database with customers."""
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE customers (id, name, spent)")
        rows = [("u1", "50% off :x", 12.0), (None, "x", 1), (101, None, None), ("u4", "سارا", 1.5)]
        database.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
    database.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def read(query, url, *wanted, **options):
    with Audience(SqlRows(query, url, ["id"], **options)) as audience:
        (chunk,) = audience.chunks(wanted)
        return chunk, audience.digest


def test_rows_are_read_and_checked(shop):
    """A NULL id is invalid; what is missing is empty; a percent sign in query or value is itself."""
    chunk, _ = read("SELECT * FROM customers WHERE name LIKE '%' OR name IS NULL -- :x", shop, "name", "spent")
    assert (list(chunk.lines), chunk.recipients) == ([1, 3, 4], ["u1", "101", "u4"])
    assert chunk.values == [("50% off :x", 12), ("", ""), ("سارا", 1.5)]
    assert [(each.line, each.why) for each in chunk.invalid] == [(2, "its 'id' is empty")]


def test_the_digest_does_not_depend_on_the_order(shop):
    """Nor on columns that nobody wants."""
    query = "SELECT * FROM customers ORDER BY rowid"
    assert read(query, shop, "name")[1] == read(f"{query} DESC", shop, "name")[1]
    assert read(query, shop, "name")[1] != read(query, shop, "spent")[1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT name FROM customers", "no column 'id'"),
        ("SELECT id, name, name FROM customers", "both called 'name'"),
        ("PRAGMA foreign_keys = ON", "no rows"),
    ],
)
def test_a_query_that_is_none_of_an_audience_is_refused(shop, query, words):
    """Where the campaign file has it."""
    with pytest.raises(CampaignError, match="audience_invalid") as caught:
        read(query, shop, places=("sale.yaml:5:12", "sale.yaml:6:8"))
    assert words in caught.value.message
    assert caught.value.location == "sale.yaml:5:12"


@pytest.mark.parametrize("query", ["DELETE FROM customers", "SELECT id FROM customers; DELETE FROM customers"])
def test_nothing_is_written(shop, query):
    """Neither by a statement nor by a second one."""
    with pytest.raises(CampaignError, match="query_failed"):
        read(query, shop)
    assert read("SELECT id FROM customers", shop)[0].rows == 4


def test_no_rows_say_what_to_check(shop):
    """There is no file to export again."""
    with pytest.raises(CampaignError, match="audience_invalid") as caught:
        read("SELECT id FROM customers WHERE 0", shop)
    assert "query" in caught.value.remedy


def test_a_query_that_never_ends_is_given_up(shop):
    """After the time limit, and at once when somebody stops."""
    with pytest.raises(CampaignError, match="query_failed") as caught:
        read(ENDLESS, shop, limit_seconds=0.5)
    assert "0.5 seconds" in caught.value.message
    with pytest.raises(CampaignError, match="interrupted"):
        read(ENDLESS, shop, stopped=lambda: True)
