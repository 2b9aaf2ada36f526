"""Counting the parts of an SMS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.sms_text import SmsEncoding, first_outside_gsm7, outside_gsm7, sms_length

GSM, UCS = SmsEncoding.GSM7, SmsEncoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", GSM, 0, 1),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("a" * 152 + "€" * 5, GSM, 162, 2),
        ("س" * 70, UCS, 70, 1),
        ("س" * 71, UCS, 71, 2),
        ("س" * 134, UCS, 134, 2),
        ("س" * 135, UCS, 135, 3),
        ("می\u200cرود", UCS, 6, 1),
        ("a" * 69 + "\u200c", UCS, 70, 1),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
    ],
)
def test_the_count_is_that_of_the_standard(text, encoding, units, parts):
    """160/153 septets, extension characters twice; 70/67 UTF-16 units."""
    length = sms_length(text)
    assert (length.encoding, length.units, length.parts) == (encoding, units, parts)


def test_a_pair_of_units_is_never_divided_between_parts():
    """An extension character that would straddle the border moves on, and so may cost a part."""
    straddling = "a" * 152 + "€" + "a" * 151 + "€"
    assert sms_length(straddling).units == 307
    assert sms_length(straddling).parts == 3
    assert sms_length("a" * 66 + "😀" + "س" * 66).parts == 3


def test_the_characters_that_force_ucs2_are_named():
    """So that an author can take one curly quote out."""
    assert "".join(outside_gsm7("It’s 30% off — today")) == "’—"


@given(st.text(alphabet="aé€’—سی😀", max_size=8))
def test_the_first_of_them_is_found_alone(text):
    """Which is enough for almost all messages; None where nothing forces UCS-2."""
    assert first_outside_gsm7(text) == next(outside_gsm7(text), None)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400))
def test_parts_hold_the_text_and_not_one_part_too_many(text):
    """For any text: enough room, and at most the two units a part that pairs can waste."""
    length = sms_length(text)
    alone, joined = (160, 153) if length.encoding is GSM else (70, 67)
    if length.parts == 1:
        assert length.units <= alone
    else:
        assert length.units > alone
        assert length.units <= length.parts * joined
        assert length.units > (length.parts - 1) * (joined - 1)
