"""Values for templates: a JSON file, and `k=v` pairs that win over it."""

import pytest

from metrix_channels import MetrixChannelsError
from metrix_channels.cli.values import read_context


def test_pairs_win_over_the_file_and_are_text(tmp_path):
    """The last of two pairs with one name counts; a value may hold `=` or be empty; a BOM is no part of the file."""
    file = tmp_path / "values.json"
    file.write_text('{"a": 1, "b": [2.5, null, true], "نام": "سارا"}', encoding="utf-8-sig")
    found = read_context(file, ["a=x", "c==", "d=", "a=y"])
    assert found == {"a": "y", "b": [2.5, None, True], "نام": "سارا", "c": "=", "d": ""}
    assert read_context(None, []) == {}


@pytest.mark.parametrize("pair", ["", "=", "=v", "name", "a b=1", "1a=1", "a.b=1", "a-b=1"])
def test_a_pair_without_a_plain_name_is_refused(pair):
    """The template could not use it."""
    with pytest.raises(MetrixChannelsError, match="is not NAME=VALUE") as caught:
        read_context(None, [pair])
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1,\n "b": }', "Invalid JSON"),
        ("[]", "must be a JSON object"),
        ('{"a": NaN}', "NaN is not valid JSON"),
        ('{"a": 1, "a": 1}', "the same name twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "Exceeds the limit"),
        (" " * 4_000_001, "larger than"),
    ],
)
def test_a_file_that_is_no_plain_object_is_refused(tmp_path, content, said):
    """Also what other readers of JSON let pass."""
    file = tmp_path / "values.json"
    file.write_text(content)
    with pytest.raises(MetrixChannelsError, match=said):
        read_context(file, [])


def test_a_syntax_error_has_its_place(tmp_path):
    """File, line and column."""
    file = tmp_path / "values.json"
    file.write_text('{"a": 1,\n "b": }')
    with pytest.raises(MetrixChannelsError) as caught:
        read_context(file, [])
    assert caught.value.location == f"{file}:2:7"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    """It says so."""
    file = tmp_path / "values.json"
    file.write_bytes('{"a": "سلام"}'.encode("cp1256"))
    with pytest.raises(MetrixChannelsError, match="it is not UTF-8"):
        read_context(file, [])
