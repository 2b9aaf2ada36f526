"""The values of users and events: of exactly the type that Metrix demands, or refused by name."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from metrix_channels.errors import EventInvalid
from metrix_channels.events.values import (
    birthday_ms,
    checked_attributes,
    checked_extra,
    checked_text,
    event_name,
    event_time,
    revenue_double,
)

NOW = 1_795_516_841_758
TEHRAN = timezone(timedelta(hours=3, minutes=30))


def refusal(function, *arguments, **named):
    with pytest.raises(EventInvalid) as raised:
        function(*arguments, **named)
    return raised.value


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (NOW, NOW),
        (datetime(2026, 11, 20, 10, 0, 0, 7000, TEHRAN), 1_795_156_200_007),
        (NOW + 60_000, NOW + 60_000),
        (None, None),
    ],
)
def test_a_time_is_a_long_in_milliseconds(given, taken):
    """From whole milliseconds or an aware datetime; none means the moment of sending."""
    assert event_time(given, NOW) == taken


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (NOW // 1000, "looks like seconds"),
        (NOW / 1000, "not a Long"),
        (NOW * 1000, "looks like microseconds"),
        (str(NOW), "is text"),
        (True, "is true or false"),
        (0, "looks like seconds"),
        (-5, "before the year 2000"),
        (NOW + 60_001, "60 s in the future"),
        (datetime.fromisoformat("2026-11-20T10:00"), "no time zone"),
        (datetime(1405, 1, 1, tzinfo=UTC), "write 2026-03-21T00:00:00+00:00"),
    ],
)
def test_another_time_is_refused(given, why):
    """Seconds above all: Metrix takes them for a day in 1970, and says 200."""
    error = refusal(event_time, given, NOW)
    assert error.code == "event_time_invalid"
    assert "`time`" in error.message
    assert why in error.message


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (date(1990, 5, 1), 641_520_000_000),
        (datetime(1990, 5, 1, tzinfo=UTC), 641_520_000_000),
        (641_520_000_000, 641_520_000_000),
        (date(1965, 1, 1), -157_766_400_000),
        (date(1970, 1, 2), 86_400_000),
    ],
)
def test_a_birthday_is_a_long_in_milliseconds(given, taken):
    """Before 1970 it is negative."""
    assert birthday_ms(given, NOW) == taken


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (date(2090, 1, 1), "in the future"),
        (NOW + 1, "in the future"),
        (641_520_000, "looks like seconds"),
        ("1990-05-01", "is text"),
        (641_520_000_000.0, "not a date or a Long"),
        (date(1812, 1, 1), "before the year 1900"),
        (date(1370, 5, 1), "did you mean a Jalali year? 1370-05-01 is 1991-07-23"),
        ("1370-02-31", "write 1991-05-21"),
        (datetime.fromisoformat("1990-05-01T00:00"), "no time zone"),
    ],
)
def test_another_birthday_is_refused(given, why):
    """One in the future, text, seconds."""
    error = refusal(birthday_ms, given, NOW)
    assert error.code == "birthday_invalid"
    assert "`birthday`" in error.message
    assert why in error.message


@pytest.mark.parametrize("given", [12.5, Decimal("12.5")])
def test_a_revenue_is_a_double(given):
    """Whatever number it comes from."""
    assert revenue_double(given) == 12.5


def test_a_whole_revenue_becomes_a_double():
    """JSON writes it with a fraction, so that a typed server reads a Double."""
    assert repr(revenue_double(12)) == "12.0"


@pytest.mark.parametrize("given", ["12.5", True, None, float("nan"), float("inf"), 2**53 + 1, 10**400, Decimal("sNaN")])
def test_another_revenue_is_refused(given):
    """Text above all; and what a Double or JSON cannot hold."""
    error = refusal(revenue_double, given)
    assert error.code == "revenue_invalid"
    assert "`revenue`" in error.message


def test_a_name_of_ones_own_is_a_custom_name_and_a_slug_is_the_name():
    """So the API calls them."""
    assert event_name("order_paid", None, None) == {"customName": "order_paid"}
    assert event_name(None, "abcde", None) == {"name": "abcde"}
    assert event_name("سفارش پرداخت شد", None, None) == {"customName": "سفارش پرداخت شد"}


@pytest.mark.parametrize(
    ("name", "slug", "field"),
    [
        (None, None, "`name`"),
        ("order_paid", "abcde", "`slug`"),
        ("", None, "`name`"),
        ("  ", None, "`name`"),
        (5, None, "`name`"),
        ("order\npaid", None, "`name`"),
        (None, "order_paid", "`slug`"),
        (None, "", "`slug`"),
        (None, "abc1e", "`slug`"),
    ],
)
def test_another_name_is_refused(name, slug, field):
    """Both, neither, empty, or no slug: Metrix drops such an event behind a 200."""
    error = refusal(event_name, name, slug, None)
    assert error.code == "event_name_invalid"
    assert field in error.message


def test_a_name_outside_the_taxonomy_is_refused():
    """When there is one; slugs belong to the dashboard."""
    error = refusal(event_name, "order_payed", None, ("order_paid", "cart_left"))
    assert error.code == "event_name_unknown"
    assert "order_paid, cart_left" in error.message
    assert event_name("cart_left", None, ("cart_left",))
    assert event_name(None, "abcde", ("cart_left",))


def test_attributes_are_of_the_documented_types():
    """Dates become ISO 8601; lists and mappings are JSON."""
    given = {
        "city": "تهران",
        "level": 3,
        "total": 12.5,
        "tags": ["a", ("b",)],
        "address": {"zip": "1"},
        "day": date(2026, 3, 20),
        "at": datetime(2026, 3, 20, 10, tzinfo=TEHRAN),
    }
    assert checked_attributes(given, booleans=False) == given | {
        "tags": ["a", ["b"]],
        "day": "2026-03-20",
        "at": "2026-03-20T10:00:00+03:30",
    }
    assert checked_attributes({"new": True}, booleans=True) == {"new": True}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        float("nan"),
        2**63,
        b"x",
        {1: 2},
        object(),
        "\ud800",
        datetime.fromisoformat("2026-03-20"),
        [{"a": {1}}],
    ],
)
def test_another_attribute_is_refused_by_name(value):
    """For a user true and false are not documented either."""
    error = refusal(checked_attributes, {"fine": 1, "bad": value}, booleans=False)
    assert error.code == "attribute_invalid"
    assert "'bad'" in error.message


def test_an_attribute_that_holds_itself_is_refused():
    """Instead of recursing for ever."""
    endless = []
    endless.append(endless)
    assert "nested" in refusal(checked_attributes, {"bad": endless}, booleans=True).message


@pytest.mark.parametrize("attributes", [["a"], "a", {"": 1}, {5: 1}, {"a\u202e": 1}])
def test_attributes_are_a_mapping_with_names(attributes):
    """Names are text that can be seen."""
    assert refusal(checked_attributes, attributes, booleans=True).code == "attribute_invalid"


@pytest.mark.parametrize("char", "\u200b\u200f\xad\u2060\u061c\u3164\ufeff\U000e0041")
def test_an_invisible_character_is_refused_where_machines_compare(char):
    """Names, addresses and numbers that look alike would be different ones; the error names the place."""
    for function, arguments, code in (
        (event_name, (f"order{char}paid", None, None), "event_name_invalid"),
        (checked_attributes, ({f"ci{char}ty": 1},), "attribute_invalid"),
        (checked_attributes, ({"home": [{f"ci{char}ty": 1}]},), "attribute_invalid"),
        (checked_extra, ({f"curr{char}ency": 1}, {}), "attribute_invalid"),
        *((checked_text, (field, f"a{char}b"), "profile_invalid") for field in ("email", "phone", "hashed_email")),
    ):
        named = {"booleans": True} if function is checked_attributes else {}
        error = refusal(function, *arguments, **named)
        assert error.code == code
        assert f"U+{ord(char):04X}" in error.message


def test_names_of_people_and_values_keep_what_was_written():
    """Persian joins and separates letters with characters that show nothing; a value may be any text."""
    assert checked_text("first_name", "علی\u200cرضا") == "علی\u200cرضا"
    assert checked_text("city", "Mün\xadchen") == "Mün\xadchen"
    assert event_name("می\u200cخرد", None, None) == {"customName": "می\u200cخرد"}
    assert checked_attributes({"نام\u200cخانوادگی": "a\u200bb"}, booleans=True) == {"نام\u200cخانوادگی": "a\u200bb"}


@pytest.mark.parametrize("value", ["", " ", " sara", 5, None, "a\x00", "\u200b", "\u3164 \u2800", "\u200c"])
def test_a_text_of_a_profile_says_something(value):
    """Empty ones would wipe or spoil what Metrix knows."""
    error = refusal(checked_text, "first_name", value)
    assert error.code == "profile_invalid"
    assert "`first_name`" in error.message


def test_extra_fields_pass_but_never_over_known_ones():
    """What Metrix does not document is passed on as it is."""
    assert checked_extra({"currency": "IRR"}, {"revenue": 1.0}) == {"currency": "IRR"}
    for taken in ("revenue", "id", "time", "type"):
        assert refusal(checked_extra, {taken: 1}, {"revenue": 1.0}).code == "attribute_invalid"
