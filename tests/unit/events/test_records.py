"""Records: what `identify` and `track` take, as data."""

from datetime import UTC, date, datetime

import pytest

from metrix_channels.errors import EventInvalid
from metrix_channels.events import occurrence_reader, parsed_birthday, parsed_time, profile_of

NOW = 1_795_516_841_758


def test_a_record_holds_the_user_and_the_arguments():
    """Under the same names as in Python and on the command line."""
    event = profile_of({"user": "u1", "first_name": "سارا", "birthday": "1990-05-01"}, NOW)
    assert event.user == ("customUserId", "u1")
    assert event.fields == {"firstName": "سارا", "birthday": 641_520_000_000}


def test_a_time_may_be_iso_8601():
    """JSON has no dates of its own; text that is none is refused as text."""
    read = occurrence_reader(("x",))
    record = {"metrix_user": "m1", "name": "x", "time": "2026-11-20T10:00:00+03:30"}
    assert read(record, NOW).time == 1_795_156_200_000
    assert read(record, NOW).user == ("metrixUserId", "m1")
    for wrong in (str(NOW), "20-11-2026", "yesterday"):
        with pytest.raises(EventInvalid) as raised:
            read(record | {"time": wrong}, NOW)
        assert raised.value.code == "event_time_invalid"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"name": "x"}, "exactly one of user and metrix_user"),
        ({"user": "u", "metrix_user": "m", "name": "x"}, "exactly one of"),
        ({"user": "u", "customName": "x"}, "'customName'"),
        (["u"], "an array"),
    ],
)
def test_another_record_is_refused(record, why):
    """A misspelt key would be lost in silence."""
    with pytest.raises(EventInvalid) as raised:
        occurrence_reader(None)(record, NOW)
    assert raised.value.code == "record_invalid"
    assert why in raised.value.message


def test_a_name_is_checked_against_the_taxonomy():
    """Here as everywhere."""
    with pytest.raises(EventInvalid) as raised:
        occurrence_reader(("order_paid",))({"user": "u", "name": "x"}, NOW)
    assert raised.value.code == "event_name_unknown"


def test_times_and_birthdays_are_read_from_text():
    """What is neither stays text, to be refused with its own words."""
    assert parsed_time("1795516841758") == NOW
    assert parsed_time("2026-11-20T10:00:00Z") == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert parsed_time("soon") == "soon"
    assert parsed_birthday("1990-05-01") == date(1990, 5, 1)
    assert parsed_birthday("-157766400000") == -157_766_400_000
