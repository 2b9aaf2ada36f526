"""Which characters are text, and what becomes of the others where they are shown."""

import pytest

from metrix_channels.printable import is_text, printable, quoted


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "👨\u200d👩\u200d👧", "ﷺ", "\u0600۱۲", "آ", "\U0001fae8", "a b", "سَلام", ""]
)
def test_what_persian_and_emoji_are_written_with_is_text(text):
    """Joiners, marks, the signs around numbers, and pictures that are newer than Python: shown as they are."""
    assert is_text(text)
    assert printable(text) == text
    assert quoted(text) == f"'{text}'"


@pytest.mark.parametrize(
    "char", "\0\n\r\t\x1b\x7f\x85\xad\u061c\u200b\u200e\u200f\u2028\u202a\u202e\u2060\u2066\u2069\ufeff"
)
def test_controls_directions_and_what_cannot_be_seen_are_no_text(char):
    """They are escaped wherever text from outside is shown."""
    assert not is_text(f"a{char}b")
    assert printable(f"می\u200ca{char}b") == f"می\u200ca{ascii(char)[1:-1]}b"


def test_a_surrogate_of_a_file_name_is_escaped():
    """A name that is not UTF-8 reaches Python with halves of characters, which no terminal takes."""
    assert printable("a\udcff") == "a\\udcff"


def test_what_is_quoted_is_not_long():
    """An error shows the beginning of a long text."""
    assert quoted("x" * 100, 10) == "'xxxxxxxxx…'"
