"""YAML without surprises."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.config import parse_yaml
from metrix_channels.config.strict_yaml import MAX_BYTES, MAX_DEPTH, read_yaml
from metrix_channels.errors import ConfigError


def refusal(text: str, *, first_line: int = 1) -> ConfigError:
    """Return the error that a text ends in."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f.yaml", first_line=first_line)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("9223372036854775807", 2**63 - 1),
        ("2.50", 2.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-20T10:00:00+03:30", "2026-11-20T10:00:00+03:30"),
        ("'012'", "012"),
        ('"yes"', "yes"),
        ("۱۲", "۱۲"),
        ("می‌رسد", "می‌رسد"),
        ("y", "y"),
        ("|\n  012\n", "012\n"),
        ("[1, {b: c}]", [1, {"b": "c"}]),
    ],
)
def test_plain_values(text: str, value: object) -> None:
    """Numbers, truths and nulls are what they plainly are; dates and whatever is quoted are text."""
    parsed = parse_yaml(f"a: {text}", "f.yaml").data
    assert parsed == {"a": value}
    assert isinstance(parsed, dict)
    assert type(parsed["a"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "012",
        "0912",
        "1:30",
        "22:00",
        "1:2:3",
        "+98",
        "+989121234567",
        "0x1F",
        "0o17",
        "0b1",
        "1_000",
        "1e5",
        "1.5e3",
        ".5",
        "5.",
        "+1.5",
        ".inf",
        "-.INF",
        ".nan",
        "9223372036854775808",
        "1" * 400 + ".0",
        "9" * 5000,
        "yes",
        "No",
        "ON",
        "off",
        "True",
        "FALSE",
        "Null",
        "NULL",
    ],
)
def test_surprises_are_refused(text: str) -> None:
    """What readers of YAML disagree about is refused where it stands, and not quoted: it may be a secret."""
    error = refusal(f"a: b\nkey:  {text}")
    assert (error.code, error.location) == ("yaml_refused", "f.yaml:2:7")
    assert "quotes" in error.remedy
    if len(text) > 4:
        assert text not in str(error)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: &x 1", "1:4", "anchors"),
        ("a: *x", "1:4", "aliases"),
        ("a: !!str 1", "1:4", "tags"),
        ("a: ! b", "1:4", "tags"),
        ("a: !secret!handle b", "1:4", "tags"),
        ("a: 1\nb: {<<: {c: 1}}", "2:5", "merge"),
        ("a: 1\nb: 2\n'a': 3", "3:1", "used twice; the first one is in line 1"),
        ("a:\n  1: x", "2:3", "must be text"),
        ("on: x", "1:1", "differently"),
        ("? \n: x", "1:2", "must be text"),
        ("? [a]\n: 2", "1:3", "must be text"),
        ("a: 1\n---\nb: 1", "2:1", "second document"),
        ("%YAML 1.1\n---\na: 1", "1:1", "directives"),
        ('a: "\\ud83d\\ude00"', "1:4", "half a character"),
    ],
)
def test_what_yaml_can_do_and_is_refused(text: str, place: str, words: str) -> None:
    """Anchors, tags, merges, repeated keys and the like are refused, each at its own line and column."""
    error = refusal(text)
    assert (error.code, error.location) == ("yaml_refused", f"f.yaml:{place}")
    assert words.lower() in error.message.lower()
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 'x", "1:4"),
        ("a:\n\t- b", "2:1"),
        ("a: [1,\n b", "2:3"),
        ("a: b: c", "1:5"),
        ("a: 1\nb\x00: 2", "2:2"),
        ("a: 1\n\ufeffb: \x1b", "2:5"),
        ("a: x\ry", "1:5"),
        ("a: x\u2028y", "1:5"),
        ('a: "\\U00110000"', "1:7"),
        ("%YAML 1." + "9" * 5000 + "\n---\n", "1:9"),
    ],
)
def test_what_is_not_yaml(text: str, place: str) -> None:
    """A syntax error, and what PyYAML reports as ValueError, is one error with its line and column."""
    error = refusal(text)
    assert (error.code, error.location) == ("yaml_invalid", f"f.yaml:{place}")
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("text", "place", "words", "remedy"),
    [
        ("a:\n  b: 1\n c: 2", "3:2", "the indentation", "keys of one mapping in the same column"),
        ("a:\n  - 1\n - 2", "3:2", "the indentation", "items of one list in the same column"),
        ("a: 1\n  b: 2", "2:4", "a colon", "in quotes"),
        ("a: x: y", "1:5", "a colon", "in quotes"),
        ("a:1\nb: 2", "2:2", "a colon", "a space after the colon"),
        ("a:\n  b: 1\n  c\nd: 1", "3:3", "no colon after the key", "`key: value`"),
        ('a: "x\nb: 1', "1:4", "this quote is not closed", "Close it"),
        ('a: "x" y', "1:8", "more text follows", "one pair of quotes"),
        ("a: 1\na: 2", "2:1", "used twice", "Remove one"),
    ],
)
def test_common_slips_are_explained_in_plain_words(text: str, place: str, words: str, remedy: str) -> None:
    """What a beginner writes wrong has a message without the parser's terms, at the place where it is wrong."""
    error = refusal(text)
    assert error.location == f"f.yaml:{place}"
    assert words.lower() in error.message.lower()
    assert remedy in error.remedy
    assert "block" not in error.message


def test_tabs_are_explained() -> None:
    """The remedy for a tab stands in the message."""
    assert "indent with spaces" in refusal("a:\n\t- b").message


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" + "a," * 60_000 + "]",
        "a: " + "x" * MAX_BYTES,
        "a: " + "س" * (MAX_BYTES // 2),
    ],
    ids=["brackets", "braces", "dashes", "one too deep", "too many", "too large", "too many bytes"],
)
def test_bombs_are_refused(text: str) -> None:
    """Too deep, too many, too large: refused before they cost anything."""
    assert refusal(text).code == "yaml_refused"


def test_the_deepest_that_is_allowed() -> None:
    """The limit itself is allowed."""
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_yaml(text, "f.yaml").data == json.loads(text)


@given(
    st.text(alphabet=st.sampled_from("ab01:-?,[]{}&*!|>'\"%@`#\\ \t\n\r\x00\ufeffxuU.~<سـ\u200c\u2028"), max_size=60)
)
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever the text, the answer is a document or one error with line and column."""
    error = None
    try:
        parse_yaml(text, "f.yaml")
    except ConfigError as caught:
        error = caught
    assert error is None or error.code in ("yaml_invalid", "yaml_refused")
    assert error is None or re.fullmatch(r"f\.yaml:[1-9]\d*:[1-9]\d*", error.location or "")


text_of_people = st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs", "Zl", "Zp"]), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text_of_people,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text_of_people, inner, max_size=3),
    max_leaves=12,
)


@given(json_values)
def test_json_reads_as_itself(value: object) -> None:
    """JSON, that YAML contains, means the same here as there."""
    assert parse_yaml(json.dumps(value, ensure_ascii=False), "f").data == value


def test_positions() -> None:
    """Every key and value knows its place; what is missing is placed at its nearest parent."""
    document = parse_yaml("a: 1\nb:\n  - x\n  - {c:  d}\n", "f.yaml", first_line=10)
    assert document.location(("a",), key=True) == "f.yaml:10:1"
    assert document.location(("a",)) == "f.yaml:10:4"
    assert document.location(("b", 1, "c"), key=True) == "f.yaml:13:6"
    assert document.location(("b", 1, "c")) == "f.yaml:13:10"
    assert document.location(("b", 1, "nope", "deeper")) == "f.yaml:13:5"
    assert document.location(("nope",)) == document.location() == "f.yaml:10:1"


def test_errors_count_from_the_first_line() -> None:
    """Inside another file, lines are that file's."""
    assert refusal("a: 1\nb: 012", first_line=2).location == "f.yaml:3:4"
    assert refusal("a: 1\nb\x00", first_line=2).location == "f.yaml:3:2"


def test_the_source_is_escaped() -> None:
    """A file's name cannot write to the terminal."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml("a: 012", "f\x1b[2J\u202e.yaml")
    assert caught.value.location == "f\\x1b[2J\\u202e.yaml:1:4"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document(text: str) -> None:
    """Nothing is null."""
    assert parse_yaml(text, "f").data is None


def test_files_with_a_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    """What Windows editors write is read, with the same positions."""
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = read_yaml(path, "f.yaml")
    assert document.data == {"a": 1, "b": 2}
    assert document.location(("a",)) == "f.yaml:1:4"
    assert document.location(("b",)) == "f.yaml:2:4"


@pytest.mark.parametrize(
    ("raw", "place"),
    [("a: سلام".encode("cp1256"), "1:4"), ("a: 1".encode("utf-16"), "1:1"), (b"a: 1\nb: \xff", "2:4")],
)
def test_files_that_are_not_utf8(tmp_path: Path, raw: bytes, place: str) -> None:
    """Another encoding is refused at its first byte."""
    path = tmp_path / "f.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path, "f.yaml")
    assert (caught.value.code, caught.value.location) == ("yaml_invalid", f"f.yaml:{place}")
    assert "save it as UTF-8" in caught.value.remedy


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, an impossible path, an endless device and a large file have their errors."""
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    codes = {}
    for name, path in {
        "missing": tmp_path / "no.yaml",
        "folder": tmp_path,
        "impossible": Path("a\x00b"),
        "endless": Path("/dev/zero"),
        "large": tmp_path / "large.yaml",
    }.items():
        with pytest.raises(ConfigError) as caught:
            read_yaml(path)
        codes[name] = caught.value.code
    assert codes == {
        "missing": "config_missing",
        "folder": "file_unreadable",
        "impossible": "file_unreadable",
        "endless": "file_unreadable",
        "large": "yaml_refused",
    }
