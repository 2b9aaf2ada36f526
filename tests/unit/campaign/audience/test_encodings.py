"""Text in other encodings than UTF-8: recoded, or recognized."""

import io

import pytest

from metrix_channels.campaign.audience.encodings import probable_encoding, utf_8_of
from metrix_channels.campaign.audience.source import ByteSource
from metrix_channels.errors import CampaignError

TEXT = "customUserId;نام\nu1;پروانه و ژاله\nu2;کاوه گلنار\n"


def read(data, encoding):
    reader = utf_8_of(ByteSource(None, io.BytesIO(data)), encoding)
    return b"".join(iter(lambda: reader.read(7), b"")).decode("utf-8-sig")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "windows-1256"])
def test_text_is_recoded(encoding):
    """In pieces that may end within a character."""
    text = TEXT.replace("ی", "ي")
    assert read(text.encode(encoding), encoding) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_more_than_the_campaign_file(encoding):
    """The program that wrote the file knew."""
    assert read(TEXT.encode(encoding), "windows-1256") == TEXT


def test_what_is_not_in_the_named_encoding_is_refused_with_its_line():
    """Nothing is replaced in silence."""
    with pytest.raises(CampaignError, match="audience_invalid") as caught:
        read(b"customUserId\nu1\nu\xe92\n", "ascii")
    assert caught.value.location == "-:3:1"


@pytest.mark.parametrize("name", ["پروانه", "گچپژ", "کاک", "می\u200cروم"])
def test_persian_of_windows_is_recognized(name):
    """However short, and whatever its letters look like in UTF-8."""
    assert probable_encoding(f"id;name\nu1;{name}\n".replace("ی", "ي").encode("windows-1256")) == "windows-1256"


@pytest.mark.parametrize("name", ["José", "naïve café", "Müller"])
def test_western_text_is_recognized(name):
    """As Windows writes it."""
    assert probable_encoding(f"id;name\nu1;{name}\n".encode("latin-1")) == "windows-1252"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognized(encoding):
    """By its NUL bytes."""
    assert probable_encoding(TEXT.encode(encoding)) == encoding


def test_a_damaged_character_is_no_other_encoding():
    """Even in a short text."""
    data = "id;name\nu1;سارا تهران\n".encode()
    assert probable_encoding(data[:-2] + b"\xd8\n") is None
