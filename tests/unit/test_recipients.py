"""Which ids may be sent to."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.errors import MessageInvalid
from metrix_channels.recipients import all_valid, checked_recipients, recipient_fault


@pytest.mark.parametrize("recipient", ["user-42", "۰۹۱۲۳۴۵۶۷۸۹", "سارا‌احمدی", "sara@example.com", "a b"])
def test_an_id_is_any_visible_text(recipient):
    """Persian ids, with a zero-width non-joiner too."""
    assert checked_recipients(recipient) == (recipient,)


@pytest.mark.parametrize(
    "recipient", ["", "  ", " u1", "u1\n", "u\x00", "u\r\nX-Other: 1", "u\u202e1", "\ufeffu1", "\ud800"]
)
def test_an_id_that_comes_from_a_bad_export_is_refused(recipient):
    """Empty, padded, with control or bidi characters, with half a character."""
    with pytest.raises(MessageInvalid) as caught:
        checked_recipients(["fine", recipient])
    assert caught.value.code == "recipient_invalid"
    assert "Recipient 2" in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("recipient", "name", "position"),
    [
        ("user-1\u200f", "U+200F RIGHT-TO-LEFT MARK", 7),
        ("\u200euser-1", "U+200E LEFT-TO-RIGHT MARK", 1),
        ("user\u200b-1", "U+200B ZERO WIDTH SPACE", 5),
        ("user-1\u061c", "U+061C ARABIC LETTER MARK", 7),
        ("us\u00ader", "U+00AD SOFT HYPHEN", 3),
        ("us\u2060er", "U+2060 WORD JOINER", 3),
        ("us\ufeff-er", "U+FEFF ZERO WIDTH NO-BREAK SPACE", 3),
        ("u\u180e1", "U+180E MONGOLIAN VOWEL SEPARATOR", 2),
        ("u1\u3164", "U+3164 HANGUL FILLER", 3),
        ("u1\ufe0f", "U+FE0F VARIATION SELECTOR-16", 3),
        ("u\u034f1", "U+034F COMBINING GRAPHEME JOINER", 2),
        ("u1\U000e0031", "U+E0031 TAG DIGIT ONE", 3),
        ("u1\U000e0100", "U+E0100 VARIATION SELECTOR-17", 3),
        ("u\u28001", "U+2800 BRAILLE PATTERN BLANK", 2),
        ("u1\u200c", "U+200C ZERO WIDTH NON-JOINER", 3),
        ("\u200dسارا", "U+200D ZERO WIDTH JOINER", 1),
        ("user-\u200c1", "U+200C ZERO WIDTH NON-JOINER", 6),
        ("سا\u200c\u200cرا", "U+200C ZERO WIDTH NON-JOINER", 3),
    ],
)
def test_a_character_that_nobody_sees_is_named_with_its_place(recipient, name, position):
    """Two ids that look alike would be two people."""
    fault = recipient_fault(recipient)
    assert fault is not None
    assert f"{name} at position {position}" in fault
    assert not all_valid([recipient], recipient)


def test_no_invisible_character_is_left_out():
    """All controls, formats, separators and surrogates that Unicode knows, but the two joiners between letters."""
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert (recipient_fault(f"a{char}b") is None) == (char in "\u200c\u200d"), hex(code)


def test_a_number_is_no_id():
    """It is not turned into text behind the caller's back."""
    with pytest.raises(MessageInvalid, match="int, not text"):
        checked_recipients([42])  # type: ignore[list-item]
    with pytest.raises(MessageInvalid, match="int, not text"):
        checked_recipients(42)  # type: ignore[arg-type]


def test_a_recipient_named_twice_counts_once():
    """In the order of the first mention."""
    assert checked_recipients(["b", "a", "b"]) == ("b", "a")


def test_nobody_is_an_error():
    """A list that came out empty is rarely meant."""
    with pytest.raises(MessageInvalid, match="no recipient"):
        checked_recipients([])


@given(
    st.lists(
        st.one_of(
            st.text(max_size=4),
            st.sampled_from(["u1", "۰۹۱۲", "a b", "a\nb", "\u200c", "نرم\u200cافزار", "u\u3164", "\ud800", " "]),
        )
    )
)
def test_many_are_judged_as_one_by_one(recipients):
    """All are valid when none has a fault."""
    assert all_valid(recipients, "\n".join(recipients)) == (not any(map(recipient_fault, recipients)))


@given(st.characters())
def test_a_character_is_judged_alike_among_many(character):
    """At the beginning, within and at the end of an id."""
    for recipient in (f"{character}u", f"u{character}1", f"u{character}", f"u{character}v", character):
        several = ["u1", recipient, "u2"]
        assert all_valid(several, "\n".join(several)) == (recipient_fault(recipient) is None)
