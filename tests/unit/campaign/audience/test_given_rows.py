"""Rows of a Python program: taken over once, read as often as it takes."""

from types import MappingProxyType

import pyarrow as pa
import pytest

from metrix_channels.campaign.audience.given_rows import take
from metrix_channels.campaign.audience.reader import Audience
from metrix_channels.errors import UsageError

ROWS = [{"id": f"u{at}", "name": f"n{at}"} for at in range(5_000)]


def read(taken, *wanted):
    chunks = list(Audience(taken.read(["id"])).chunks(wanted))
    ids = [each for chunk in chunks for each in chunk.recipients]
    return ids, [value for chunk in chunks for value in chunk.values]


@pytest.mark.parametrize("make", [list, tuple, iter, lambda rows: (row for row in rows), pa.Table.from_pylist])
def test_rows_can_be_read_twice(make):
    """A generator, too: a run digests them again when it goes on."""
    taken = take(make(ROWS))
    try:
        first = read(taken, "name")
        assert first[0] == [row["id"] for row in ROWS]
        assert read(taken, "name") == first
    finally:
        taken.close()


def test_what_was_taken_is_taken_as_it_is():
    """Whoever took it closes it."""
    taken = take(ROWS[:1])
    assert take(taken) is taken
    taken.close()


def test_rows_may_have_different_keys():
    """One without the id is invalid, and says why."""
    taken = take([{"id": "u1"}, {"name": "b"}, MappingProxyType({"name": "c", "id": "u3", 5: None})])
    (chunk,) = Audience(taken.read(["id"])).chunks(["name"])
    assert (list(chunk.lines), chunk.recipients) == ([1, 3], ["u1", "u3"])
    assert [each.why for each in chunk.invalid] == ["has no key 'id'"]
    taken.close()


def test_the_error_of_a_generator_is_its_own():
    """And what was taken until then is forgotten."""

    def rows():
        yield {"id": "u1"}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take(rows())


@pytest.mark.parametrize("rows", ["u1", b"u1", {"id": "u1"}, 5, None, [None], ["u1"], [("id", "u1")]])
def test_what_is_no_rows_is_refused(rows):
    """With what to give."""
    with pytest.raises(UsageError, match="usage") as caught:
        take(rows)
    assert "mappings" in caught.value.remedy
