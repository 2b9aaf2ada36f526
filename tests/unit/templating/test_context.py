"""What a template may be given."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from metrix_channels.errors import TemplateError
from metrix_channels.templating.context import prepare

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Text(str):
    """Text with a method that a template could call."""

    def evil(self) -> str:
        return "evil"


class Day(date):
    """A date of some other library."""


class Level(IntEnum):
    """A number with a name."""

    HIGH = 3


class Word(StrEnum):
    """A text with a name."""

    YES = "yes"


Pair = namedtuple("Pair", "a b")  # noqa: PYI024  a class that callers really pass


def test_plain_data_comes_in_unchanged() -> None:
    """Text, numbers, truths, null, dates, lists and mappings."""
    values = {
        "a": "x",
        "b": 1,
        "c": 1.5,
        "d": True,
        "e": None,
        "f": [1, {"g": []}],
        "h": date(2026, 1, 1),
        "i": NOW,
        "j": Decimal("1.5"),
    }
    assert prepare(values, NOW)[0] == {**values, "now": NOW}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Text("x"), "x"),
        (Word.YES, "yes"),
        (Level.HIGH, 3),
        (Day(2026, 1, 2), date(2026, 1, 2)),
        (Pair(1, Text("b")), [1, "b"]),
        (OrderedDict({Text("k"): Text("v")}), {"k": "v"}),
        ((1, (2,)), [1, [2]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_subclass_comes_in_as_plain_data(value: Any, plain: Any, deep: bool) -> None:
    """Nothing with methods of its own gets in, at any depth."""
    got = prepare({"v": [value] if deep else value}, NOW)[0]["v"]
    got = got[0] if deep else got
    assert got == plain
    assert type(got) is type(plain)
    if isinstance(got, dict):
        assert {type(part) for item in got.items() for part in item} == {str}


@pytest.mark.parametrize(
    ("context", "path"),
    [
        ({"a": [{"b": object()}]}, "$.a[0].b"),
        ({"a": float("nan")}, "$.a"),
        ({"a": [float("inf")]}, "$.a[0]"),
        ({"a": Decimal("sNaN")}, "$.a"),
        ({"a": {1: "x"}}, "$.a"),
        ({1: "x"}, "$"),
        ({"a": b"x"}, "$.a"),
        ({"a": {"x y": {1, 2}}}, "$.a['x y']"),
        ({"a": lambda: 1}, "$.a"),
        ({"a": 10**5000}, "$.a"),
        ({"a": timedelta(1)}, "$.a"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_plain_is_refused_by_its_path(context: Any, path: str) -> None:
    """The error names the path, and not the value."""
    with pytest.raises(TemplateError) as caught:
        prepare(context, NOW)
    assert caught.value.code == "context_invalid"
    assert f"at {path} " in caught.value.message.replace('"', "'")


def test_data_in_itself_is_refused() -> None:
    """A cycle ends in an error."""
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(TemplateError) as caught:
        prepare({"a": ring}, NOW)
    assert caught.value.code == "context_invalid"


def test_now_is_the_start_of_the_run_in_utc() -> None:
    """`now` is reserved, aware, and UTC."""
    tehran = NOW.astimezone(timezone(timedelta(hours=3, minutes=30)))
    assert prepare({}, tehran)[0]["now"].utcoffset() == timedelta(0)
    with pytest.raises(TemplateError, match="now"):
        prepare({"now": "x"}, NOW)
    with pytest.raises(TemplateError):
        prepare({}, NOW.replace(tzinfo=None))


def test_the_callers_mapping_stays_as_it_is() -> None:
    """Rendering leaves no trace in the context."""
    context = {"a": "x"}
    prepare(context, NOW)
    assert context == {"a": "x"}


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("x" * 1_000_001, "$.big"),
        (["x"] * 200_000, "$.big"),
        ([[]] * 200_000, "$.big"),
        ({str(at): None for at in range(100_000)}, "$.big"),
        ({"x" * 600_000: "y" * 600_000}, "$.big"),
        ([{"a": "x" * 500}] * 3_000, "$.big"),
        ([10**300] * 5_000, "$.big"),
        ([1.5] * 50_000, "$.big"),
    ],
)
def test_values_have_a_size(value: object, at: str) -> None:
    """Text, digits and items count, however they are nested; the error names the largest value."""
    for context in ({"big": value, "name": "Sara"}, {"name": "Sara", "n": 1, "big": value}):
        with pytest.raises(TemplateError) as caught:
            prepare(context, NOW)
        assert caught.value.code == "context_too_large"
        assert at in caught.value.message


def test_many_small_values_are_too_large_together() -> None:
    """The limit holds for one message's values as a whole."""
    with pytest.raises(TemplateError, match=r"\$\.v7"):
        prepare({f"v{at}": "x" * (90_000 + (at == 7)) for at in range(20)}, NOW)


def test_large_values_of_real_use_come_in() -> None:
    """A mail's whole text, and a list of a thousand items."""
    items = [{"name": "x" * 100, "price": 125_000, "url": "https://shop.example/" + "x" * 80} for _ in range(1_000)]
    assert prepare({"html": "x" * 500_000, "items": items}, NOW)[1] < 1_000_000


@pytest.mark.parametrize("number", [Decimal("1E+9999999"), Decimal("1E-9999999"), Decimal("1" * 2000), 10**1300])
def test_a_number_is_as_long_as_it_is_written_out(number: object) -> None:
    """`int` would write the zeros of an exponent out."""
    with pytest.raises(TemplateError, match="thousand digits"):
        prepare({"n": number}, NOW)
