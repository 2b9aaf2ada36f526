"""JSON read strictly, a record at a time: what other readers pass over in silence is refused."""

import pytest

from metrix_channels.json_records import kind_of, read_record


def test_a_record_is_an_object():
    """With whatever JSON it holds."""
    assert read_record('{"a": [1, 2.5, null, true], "نام": "سارا"}') == {"a": [1, 2.5, None, True], "نام": "سارا"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[1]", "is an array, not an object"),
        ("null", "is null"),
        ('"x"', "is text"),
        ("{", "is not JSON"),
        ('{"a": 1, "a": 2}', "has the key 'a' twice"),
        ('{"a": {"b": 1, "b": 2}}', "has the key 'b' twice"),
        ('{"a": NaN}', "contains NaN"),
        ('{"a": -Infinity}', "contains -Infinity"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "too large"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "nested more than 32 levels deep"),
        ('{"a": ' + "[" * 100_000, "nested more than 32 levels deep"),
    ],
)
def test_another_line_is_refused_with_the_reason(line, why):
    """The line is the subject of the sentence."""
    with pytest.raises(ValueError, match=r".") as raised:
        read_record(line)
    assert why in str(raised.value)


def test_a_pair_of_surrogates_is_a_character():
    """As JSON writes it."""
    assert read_record('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize(
    ("value", "kind"), [(None, "null"), (True, "true or false"), (1, "a number"), ({}, "an object")]
)
def test_kinds_have_names(value, kind):
    """For messages."""
    assert kind_of(value) == kind
