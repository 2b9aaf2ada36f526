"""Which ids may be sent to."""

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


def test_a_number_is_no_id():
    """It is not turned into text behind the caller's back."""
    with pytest.raises(MessageInvalid, match="int, not text"):
        checked_recipients([42])  # type: ignore[list-item]


def test_a_recipient_named_twice_counts_once():
    """In the order of the first mention."""
    assert checked_recipients(["b", "a", "b"]) == ("b", "a")


def test_nobody_is_an_error():
    """A list that came out empty is rarely meant."""
    with pytest.raises(MessageInvalid, match="no recipient"):
        checked_recipients([])


@given(
    st.lists(st.one_of(st.text(max_size=4), st.sampled_from(["u1", "۰۹۱۲", "a b", "a\nb", "\u200c", "\ud800", " "])))
)
def test_many_are_judged_as_one_by_one(recipients):
    """All are valid when none has a fault."""
    assert all_valid(recipients) == (not any(map(recipient_fault, recipients)))


@given(st.characters())
def test_a_character_is_judged_alike_among_many(character):
    """At the beginning, within and at the end of an id."""
    for recipient in (f"{character}u", f"u{character}1", f"u{character}"):
        assert all_valid(["u1", recipient, "u2"]) == (recipient_fault(recipient) is None)
