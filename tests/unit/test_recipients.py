"""Which ids may be sent to."""

import pytest

from metrix_channels.errors import MessageInvalid
from metrix_channels.recipients import checked_recipients


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
