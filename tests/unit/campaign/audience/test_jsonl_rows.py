"""Rows in JSON Lines: an object a line, and which lines are invalid."""

import io
import json

import pytest

from metrix_channels.campaign.audience.reader import ABSENT, open_audience

FIRST = '{"customUserId": "u1"}\n'


def rows_of(text, *wanted, key="customUserId"):
    """The only chunk of a text."""
    (chunk,) = open_audience(None, key, stdin=io.BytesIO(text.encode())).chunks(wanted)
    return chunk


def test_values_keep_their_types():
    """A key that a row has not is absent, which is not null."""
    chunk = rows_of(FIRST + '{"customUserId": "u2", "a": null, "b": [1, {"c": 1.5}]}\r\n', "a", "b")
    assert chunk.recipients == ["u1", "u2"]
    assert chunk.values == [(ABSENT, ABSENT), (None, [1, {"c": 1.5}])]
    assert repr(ABSENT) == "ABSENT"


def test_blank_lines_are_no_rows():
    """They count as lines; the last line needs no end."""
    chunk = rows_of(FIRST + '\n \t\r\n{"customUserId": "u2"}')
    assert (chunk.rows, list(chunk.lines), chunk.recipients) == (2, [1, 4], ["u1", "u2"])


@pytest.mark.parametrize("order", [1, -1])
def test_the_error_of_a_spreadsheet_is_an_empty_value_beside_lists_and_mappings_too(order):
    """Whatever the other rows hold, and in whatever order."""
    values = ["#N/A", [1], {"a": 1}, "#N/A", None][::order]
    text = "".join(json.dumps({"customUserId": f"u{at}", "a": value}) + "\n" for at, value in enumerate(values))
    assert rows_of(text, "a").values == [("" if value == "#N/A" else value,) for value in values]


@pytest.mark.parametrize("key", ["items", "keys", "id", "get"])
def test_a_key_may_be_called_anything(key):
    """It is the key, never a method."""
    assert rows_of(json.dumps({"customUserId": "u1", key: "x"}), key).values == [("x",)]
    assert rows_of(json.dumps({key: "u1"}), key=key).recipients == ["u1"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "is not JSON: "),
        ('{"customUserId": "u2"} x', "is not JSON: Extra data at column 24"),
        ('["u2"]', "is an array, not an object"),
        ('"u2"', "is text, not an object"),
        ("null", "is null, not an object"),
        ('{"customUserId": "u2", "a": NaN}', "contains NaN"),
        ('{"customUserId": "u2", "a": -Infinity}', "contains -Infinity"),
        ('{"customUserId": "u2", "a": 1e999}', "too large"),
        ('{"customUserId": "u2", "a": ' + "9" * 5000 + "}", "too large"),
        ('{"customUserId": "u2", "a": 1, "a": 2}', "has the key 'a' twice"),
        ('{"customUserId": "u2", "a": {"b": 1, "b": 2}}', "has the key 'b' twice"),
        (r'{"customUserId": "u2", "a": ["\ud83d"]}', "lone surrogate"),
        (r'{"customUserId": "u2", "\udc00": 1}', "lone surrogate"),
        ('{"customUserId": "u2", "a": ' + "[" * 40 + "]" * 40 + "}", "nested more than 32 levels deep"),
        ('{"customUserId": "u2", "a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested more than 32 levels deep"),
        ('{"other": "u2"}', "has no key 'customUserId'"),
    ],
)
def test_a_line_that_is_no_record_is_invalid(line, why):
    """Skipped and counted, and the lines around it are read."""
    chunk = rows_of(f'{FIRST}{line}\n{{"customUserId": "u3"}}\n')
    assert (chunk.rows, list(chunk.lines), chunk.recipients) == (3, [1, 3], ["u1", "u3"])
    (invalid,) = chunk.invalid
    assert invalid.line == 2
    assert why in invalid.why


@pytest.mark.parametrize(
    ("written", "shown", "why"),
    [
        ("42", "42", "is a number, not text"),
        ("true", "True", "is true or false, not text"),
        ("null", "", "is null, not text"),
        ('["u2"]', "", "is an array, not text"),
        ('""', "", "is empty"),
        (r'"u\u202e2"', r"u\u202e2", "U+202E"),
    ],
)
def test_an_id_that_is_no_text_is_invalid(written, shown, why):
    """The number 42 is not turned into the text 42 behind the caller's back."""
    chunk = rows_of(f'{FIRST}{{"customUserId": {written}}}\n')
    assert chunk.recipients == ["u1"]
    assert chunk.invalid[0].recipient == shown
    assert why in chunk.invalid[0].why


def test_an_emoji_that_is_written_as_two_escapes_is_whole():
    """As json writes it unless told otherwise."""
    line = json.dumps({"customUserId": "u1", "a": "🌷 نوروز"})
    assert r"\ud83c" in line
    assert rows_of(line, "a").values == [("🌷 نوروز",)]


def test_brackets_in_text_are_not_nesting():
    """Only what is really nested counts."""
    assert rows_of(json.dumps({"customUserId": "u1", "a": "[" * 500}), "a").recipients == ["u1"]
