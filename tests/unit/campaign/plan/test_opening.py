"""Where the rows of a campaign come from, and whether they are still the same."""

import sqlite3

import pytest

from metrix_channels.campaign.audience.given_rows import take
from metrix_channels.campaign.audience_source import STDIN, AudienceSource
from metrix_channels.campaign.plan.opening import digest_of_rows, open_rows
from metrix_channels.errors import ConfigError


def wanted(columns):
    return ["name"]


def opened(source, given=None):
    with open_rows(source, given, lambda: False) as audience:
        list(audience.chunks(audience.wanted(wanted(None))))
        return audience.digest


def digest(source, given=None, pinned="pinned"):
    return digest_of_rows(source, given, wanted, pinned, lambda: False)


def test_the_rows_of_a_program_go_before_those_of_the_file(tmp_path):
    """And have the digest that they had, in any order."""
    (tmp_path / "a.csv").write_text("id,name\nu9,x\n")
    source = AudienceSource(file=tmp_path / "a.csv", id="id")
    rows = [{"id": "u1", "name": "a"}, {"id": "u2", "name": "b"}]
    given, again = take(rows), take(reversed(rows))
    assert opened(source, given) == digest(source, again) != digest(source)
    given.close()
    again.close()


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    """Without its rows being read again."""
    (tmp_path / "a.csv").write_text("id,name\nu9,x\n")
    source = AudienceSource(file=tmp_path / "a.csv", id="id")
    before = digest(source)
    assert opened(source) == before
    (tmp_path / "a.csv").write_text("id,name\nu9,y\n")
    assert digest(source) != before


def test_what_cannot_be_read_again_counts_as_unchanged():
    """Standard input, and rows that a program does not give again."""
    assert digest(AudienceSource(file=STDIN)) == digest(AudienceSource()) == "pinned"


def test_a_query_has_the_digest_of_its_rows(tmp_path, monkeypatch):
    """Asked again, when the run goes on."""
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE customers (id, name)")
        database.execute("INSERT INTO customers VALUES ('u1', 'a')")
    monkeypatch.setenv("SHOP", f"sqlite:///{tmp_path / 'shop.db'}")
    source = AudienceSource(sql="SELECT * FROM customers", url="${SHOP}", id="id")
    before = digest(source)
    assert opened(source) == before
    with database:
        database.execute("UPDATE customers SET name = 'b'")
    database.close()
    assert digest(source) != before


@pytest.mark.parametrize(
    ("source", "code", "key"),
    [
        (AudienceSource(locations={"audience": "sale.yaml:5:1"}), "config_key_missing", "audience"),
        (AudienceSource(sql="SELECT 1", url="${NO}", locations={"url": "sale.yaml:6:8"}), "environment_missing", "url"),
    ],
)
def test_rows_that_nobody_names_are_refused_where_they_should_stand(source, code, key):
    """In the campaign file."""
    with pytest.raises(ConfigError, match=code) as caught:
        opened(source)
    assert caught.value.location == source.locations[key]
