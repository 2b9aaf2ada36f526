"""Values with types, made plain: the same text whatever a row comes from."""

import math
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum

import pytest

from metrix_channels.campaign.audience.rows import ABSENT
from metrix_channels.campaign.audience.typed_rows import RowsSource, duration, plain_value, plain_values, typed_rows


class Level(Enum):
    """A value of an enumeration stands for what it holds."""

    GOLD = "gold"


class NaTType:
    """What pandas has in place of a time; pandas itself is not needed."""


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, ""),
        (math.nan, ""),
        (math.inf, ""),
        (Decimal("NaN"), ""),
        (NaTType(), ""),
        ("می\u200cروم", "می\u200cروم"),
        (True, True),
        (7, 7),
        (2**70, 2**70),
        (1.5, 1.5),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 3, 20), "2026-03-20"),
        (datetime(2026, 3, 20, 10, 30, tzinfo=UTC), "2026-03-20 10:30:00+00:00"),
        (time(10, 30), "10:30:00"),
        (timedelta(hours=36), "36:00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Level.GOLD, "gold"),
        (b"abc", "abc"),
        (b"\xff", "\ufffd"),
        ((1, None), [1, ""]),
        (OrderedDict({1: date(2026, 1, 1)}), {"1": "2026-01-01"}),
    ],
)
def test_values_become_what_json_has(value, plain):
    """What is missing is empty, as in a CSV."""
    assert plain_value(value) == plain
    assert type(plain_value(value)) is type(plain)


def test_whole_numbers_of_a_column_lose_their_zero():
    """A column of whole numbers becomes floats where one is missing; larger floats are not exact any more."""
    assert plain_values([120000.0, None, 1.5, -3.0, 1e15]) == [120000, "", 1.5, -3, 1e15]
    assert [str(each) for each in plain_values([120000.0, 0.0])] == ["120000", "0"]
    assert plain_values([ABSENT, 1.0]) == [ABSENT, 1]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["u1", "u2"], ["u1", "u2"]),
        ([101, 102], ["101", "102"]),
        ([101, None], ["101", ""]),
        ([101.0, 9e20], ["101.0", "9e+20"]),
        ([Decimal(101), Decimal("101.0")], ["101", "101.0"]),
        ([True, "u1"], [True, "u1"]),
        ([uuid.UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
    ],
)
def test_ids_become_text_and_floats_stay_what_they_are(ids, found):
    """So that a float is refused as a damaged id; what is no id at all stays so, too."""
    rows = typed_rows(5, ids, [])
    assert (list(rows.ids), list(rows.lines)) == (found, list(range(5, 5 + len(ids))))


def test_the_digest_is_that_of_the_rows_in_any_order():
    """A database gives them in another one each time; another value, row or repetition is another digest."""

    def digest(*rows):
        source = RowsSource("rows")
        for recipient, value in rows:
            source.add([recipient], [[value]])
        return source.digest

    expected = digest(("u1", "a"), ("u2", "b"))
    assert digest(("u2", "b"), ("u1", "a")) == expected
    others = [
        digest(("u1", "b"), ("u2", "a")),
        digest(("u1", "a")),
        digest(("u1", "a"), ("u2", "b"), ("u2", "b")),
        digest(("u1", "a"), ("u2b", "")),
    ]
    assert len({expected, *others}) == 5


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (timedelta(), "0:00:00"),
        (timedelta(days=2, minutes=5), "48:05:00"),
        (timedelta(seconds=-90), "-0:01:30"),
        (timedelta(milliseconds=1_600), "0:00:02"),
    ],
)
def test_durations_are_hours_minutes_and_seconds(value, shown):
    """As a sheet shows them."""
    assert duration(value) == shown
