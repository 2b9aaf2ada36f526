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
    assert prepare(values, NOW) == {**values, "now": NOW}


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
    got = prepare({"v": [value] if deep else value}, NOW)["v"]
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
    assert prepare({}, tehran)["now"].utcoffset() == timedelta(0)
    with pytest.raises(TemplateError, match="now"):
        prepare({"now": "x"}, NOW)
    with pytest.raises(TemplateError):
        prepare({}, NOW.replace(tzinfo=None))


def test_the_callers_mapping_stays_as_it_is() -> None:
    """Rendering leaves no trace in the context."""
    context = {"a": "x"}
    prepare(context, NOW)
    assert context == {"a": "x"}
